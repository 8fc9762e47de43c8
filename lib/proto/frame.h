/*
 * frame - messages with a length and a type on a byte stream
 *
 * Eight octets in network order (payload length u32, type u16, flags u16),
 * then the payload. Used between roles and on the control socket alike.
 */
#ifndef LIB_PROTO_FRAME_H
#define LIB_PROTO_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_HEADER 8
#define FRAME_MAX (256u * 1024) /* the longest payload */
#define FRAME_FD 1u /* flag: a file descriptor comes with this frame */

struct frame {
	uint32_t len; /* of the payload */
	uint16_t type;
	uint16_t flags;
};

void frame_put(uint8_t header[FRAME_HEADER], const struct frame *f);
/* -1 when the length or a flag is out of range: the stream is beyond repair. */
int frame_get(const uint8_t header[FRAME_HEADER], struct frame *f);

#endif
