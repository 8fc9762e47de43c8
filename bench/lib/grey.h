/*
 * grey - a receiver that puts off whom it does not know yet
 *
 * The first time it sees a pair of reverse-path and forward-path it says no,
 * and goes on saying no until enough time has passed. It may then know the
 * client for good, or that pair alone. Wall time, so that a test clock counts.
 */
#ifndef BENCH_LIB_GREY_H
#define BENCH_LIB_GREY_H

#include <stdbool.h>
#include <stdint.h>

struct grey;

struct grey *grey_new(unsigned seconds, bool by_client);
/* False: put off. */
bool grey_admits(struct grey *g, const char *sender, const char *recipient);
/* Pairs seen so far. */
uint64_t grey_pairs(const struct grey *g);

#endif
