/*
 * parcel - small pieces of memory that live long, apart from the heap
 *
 * Entries of the index stay for days while bodies come and go; in one heap
 * they would keep its pages from ever being given back. Pieces come in steps
 * of 16 octets out of large chunks; a chunk is kept until all is empty.
 */
#ifndef DAEMON_SPOOLER_PARCEL_H
#define DAEMON_SPOOLER_PARCEL_H

#include <stddef.h>

struct parcels;

struct parcels *parcels_new(void);
void parcels_free(struct parcels *p); /* and every piece of up to 1 KiB */
void *parcels_take(struct parcels *p, size_t size); /* zeroed */
/* size is the one it was taken with. */
void parcels_put(struct parcels *p, void *piece, size_t size);

#endif
