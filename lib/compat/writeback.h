/*
 * writeback - how the system writes what stands in its cache
 */
#ifndef LIB_COMPAT_WRITEBACK_H
#define LIB_COMPAT_WRITEBACK_H

/* Has the file's data written out from now on, without waiting and without
 * any promise; nothing where there is no such call. */
void writeback_begin(int fd);

#endif
