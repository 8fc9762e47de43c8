/*
 * base64 - octets as text (RFC 4648, section 4), in its one exact form
 *
 * What decodes is what encode writes: padded, nothing between the letters, no
 * stray bits behind the last octet. So a changed letter never passes unseen.
 */
#ifndef LIB_BASE_BASE64_H
#define LIB_BASE_BASE64_H

#include <stddef.h>
#include <sys/types.h>

#define BASE64_LEN(octets) (((octets) + 2) / 3 * 4)

/* Writes BASE64_LEN(len) letters, and no NUL. */
void base64_encode(char *dst, const void *src, size_t len);
/* The octets written to dst, which has room for len / 4 * 3; -1: not that. */
ssize_t base64_decode(void *dst, const char *src, size_t len);

#endif
