/*
 * limit - what the disk does by itself, for the same work
 */
#ifndef BENCH_LIB_LIMIT_H
#define BENCH_LIB_LIMIT_H

#include <stddef.h>

/* Files a second: each made, written and flushed; without the flushes they are
 * flushed together at the end. Made below dir, and removed. */
double limit_create(const char *dir, unsigned n, size_t size, int flush_each);
/* Writes a second to a file whose blocks are there, each flushed. */
double limit_overwrite(const char *dir, unsigned n, size_t size);
/* Files a second, opened, read and closed, of the tree below dir. */
double limit_read_tree(const char *dir);

void limit_remove_tree(const char *dir);

#endif
