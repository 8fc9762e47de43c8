/*
 * shelf - readers that wait for the next piece of their body
 *
 * A compressed stream can only be read from front to back: without the reader
 * of the last piece, each would begin again at the front. A reader is taken
 * while a job uses it. At most 64 wait; the one that waited longest goes first.
 * The caller's thread only.
 */
#ifndef QUEUE_SHELF_H
#define QUEUE_SHELF_H

#include <stdint.h>

#include "queue/codec.h"

struct shelf;

struct shelf *shelf_new(void);
void shelf_free(struct shelf *s);

/* The reader that has come to this offset of the message's body, and its
 * file; NULL: there is none. */
struct codec_reader *shelf_take(
    struct shelf *s, uint64_t msgid, uint64_t offset, int *fd);
/* Takes both; the file is closed with the reader. */
void shelf_put(struct shelf *s, uint64_t msgid, uint64_t offset,
    struct codec_reader *r, int fd, uint64_t now);
/* Closes those of a message (0: of all), and those that wait since long. */
void shelf_drop(struct shelf *s, uint64_t msgid);
void shelf_tidy(struct shelf *s, uint64_t now);

#endif
