/*
 * progress - a bar with rate and time left, for long work
 *
 * One line on a terminal's stderr, drawn anew five times a second at most and
 * wiped at the end; elsewhere nothing is ever drawn. Work that is over within
 * half a second shows nothing. Counting may happen in any thread.
 */
#ifndef LIB_CLI_PROGRESS_H
#define LIB_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct progress;

/* what is lent: "verify". total 0: not known. shown: false draws nothing. */
struct progress *progress_new(
    FILE *to, const char *what, uint64_t total, bool shown);
void progress_total(struct progress *p, uint64_t total);
/* Items done, and octets of them (0: these are not counted). */
void progress_add(struct progress *p, uint64_t items, uint64_t octets);
/* Wipes the line, so that others may write; it comes again. */
void progress_clear(struct progress *p);
void progress_free(struct progress *p); /* NULL is accepted */

/* What has been done, for a closing sentence. */
uint64_t progress_items(const struct progress *p);
uint64_t progress_octets(const struct progress *p);
uint64_t progress_ms(const struct progress *p);

/* The line after ms milliseconds, at most width columns. For the above. */
void progress_print(char *line, size_t size, unsigned width, const char *what,
    uint64_t items, uint64_t total, uint64_t octets, uint64_t ms);

#endif
