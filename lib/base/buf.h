/*
 * buf - a growing byte buffer with a hard maximum
 *
 * Everything whose size comes from outside is put together in one. The first
 * put that does not fit fails and leaves the buffer as it was.
 */
#ifndef LIB_BASE_BUF_H
#define LIB_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

struct buf *buf_new(size_t max);
void buf_free(struct buf *b); /* NULL is accepted */

/* Both return -1 with errno EMSGSIZE when max would be passed. */
int buf_put(struct buf *b, const void *data, size_t len);
int buf_putf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int buf_puts(struct buf *b, const char *s); /* without its NUL */

/* Room for len bytes at the end, to be filled by the caller; NULL as above. */
uint8_t *buf_room(struct buf *b, size_t len);

/* Lent until the next put; a NUL that does not count follows the last byte. */
const uint8_t *buf_data(const struct buf *b);
const char *buf_text(const struct buf *b);
size_t buf_len(const struct buf *b);

void buf_consume(struct buf *b, size_t len); /* drops bytes at the front */
void buf_truncate(struct buf *b, size_t len); /* keeps the first len bytes */
void buf_reset(struct buf *b);

/* Hands the bytes over: the caller frees them with free(). The buffer is
 * empty afterwards. */
uint8_t *buf_steal(struct buf *b, size_t *len);

#endif
