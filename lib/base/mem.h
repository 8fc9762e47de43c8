/*
 * mem - allocation that dies instead of returning NULL
 *
 * For small sizes of our own. Sizes that come from outside go through buf,
 * which has a hard maximum and reports failure.
 */
#ifndef LIB_BASE_MEM_H
#define LIB_BASE_MEM_H

#include <stddef.h>

void *mem_zalloc(size_t size);
/* Zeroed; the product is checked. */
void *mem_zarray(size_t n, size_t size);
/* Grows or shrinks; new room is not zeroed; the product is checked. */
void *mem_rearray(void *p, size_t n, size_t size);
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t n);
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
