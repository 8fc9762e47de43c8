/*
 * heap - what the C library's allocator can be told, where it can be
 */
#ifndef LIB_COMPAT_HEAP_H
#define LIB_COMPAT_HEAP_H

/* Gives free pages back to the system; nothing where there is no such call. */
void heap_trim(void);

#endif
