/*
 * tally - the set of live envelopes, eight bytes for most messages
 *
 * A message with one live envelope is one 64-bit slot, the envelope's id. A
 * message with several has a row of bits beside it. It answers who is alive
 * and when a message is finished, and nothing else: texts are in files.
 */
#ifndef QUEUE_TALLY_H
#define QUEUE_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tally;

struct tally *tally_new(void);
void tally_free(struct tally *t);

bool tally_add(struct tally *t, uint64_t evpid); /* false: it was there */
bool tally_del(struct tally *t, uint64_t evpid); /* false: it was not */
bool tally_has(const struct tally *t, uint64_t evpid);
/* Live envelopes of a message. */
unsigned tally_count(const struct tally *t, uint64_t msgid);
uint64_t tally_messages(const struct tally *t);
/* The messages with one envelope, as its evpid: *at from 0, ends with 0. */
uint64_t tally_next(const struct tally *t, size_t *at);

#endif
