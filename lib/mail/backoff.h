/*
 * backoff - when an envelope is tried again (quadratic, from its arrival)
 *
 * next = arrival + base * n^2; when that is past, n is raised until it lies in
 * the future, so that an envelope that waited elsewhere is tried at once and
 * then falls back into its row. Pure: the time comes in.
 */
#ifndef LIB_MAIL_BACKOFF_H
#define LIB_MAIL_BACKOFF_H

#include <stdint.h>

#define BACKOFF_RELAY 400 /* seconds */
#define BACKOFF_LOCAL 10

/* tries counts the attempts made, this one included (at least 1). An arrival
 * in the future (a clock that was set back) counts as now. */
int64_t backoff_next(
    int64_t arrived, int64_t now, unsigned tries, unsigned base);

#endif
