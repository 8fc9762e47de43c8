#include "lib/proto/frame.h"

void
frame_put(uint8_t h[FRAME_HEADER], const struct frame *f)
{
	h[0] = (uint8_t)(f->len >> 24);
	h[1] = (uint8_t)(f->len >> 16);
	h[2] = (uint8_t)(f->len >> 8);
	h[3] = (uint8_t)f->len;
	h[4] = (uint8_t)(f->type >> 8);
	h[5] = (uint8_t)f->type;
	h[6] = (uint8_t)(f->flags >> 8);
	h[7] = (uint8_t)f->flags;
}

int
frame_get(const uint8_t h[FRAME_HEADER], struct frame *f)
{
	f->len = (uint32_t)h[0] << 24 | (uint32_t)h[1] << 16 |
	    (uint32_t)h[2] << 8 | h[3];
	f->type = (uint16_t)(h[4] << 8 | h[5]);
	f->flags = (uint16_t)(h[6] << 8 | h[7]);
	return f->len > FRAME_MAX || (f->flags & ~FRAME_FD) != 0 ? -1 : 0;
}
