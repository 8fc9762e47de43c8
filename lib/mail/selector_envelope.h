/*
 * selector_envelope - an envelope as the subject of a selector
 *
 * Maps the fields of selector.h to a struct envelope and to what its reader
 * knows besides: sizes, how the message is stored, who has it at work. What is
 * not known is left NULL or 0.
 */
#ifndef LIB_MAIL_SELECTOR_ENVELOPE_H
#define LIB_MAIL_SELECTOR_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/mail/envelope.h"
#include "lib/mail/origin.h"
#include "lib/mail/selector.h"

struct selector_envelope {
	const struct envelope *envelope;
	/* It could not be read: nothing but its id is there, and what stands
	 * below. */
	bool unread;
	int64_t arrived; /* if it could not; 0: not known */
	int64_t now; /* tells ready from deferred */
	uint64_t size; /* of the body */
	uint64_t stored; /* octets on the disk; 0: not known */
	/* corrupt, inflight, trash, ...; NULL: what the envelope says, which
	 * must have been read. */
	const char *state;
	const char *comp, *enc, *kid; /* zstd, aes-256-gcm, ...; NULL: none */
	const char
	    *route; /* NULL: the destination's domain, if it is relayed */
	const char *relay, *src, *host, *tag;
	bool paused;
	/* SELECT_SUBJECT, SELECT_HDR, SELECT_BODY; may be NULL. */
	bool (*message)(void *ctx, enum selector_field f, const char *header,
	    struct selector_value *v);
	/* As in struct selector_subject, but with ctx below; may be NULL. */
	void (*siblings)(void *ctx,
	    bool (*each)(void *arg, const struct selector_subject *s),
	    void *arg);
	void *ctx;
	/* private */
	char id[17];
	bool origin_read;
	struct origin origin;
	char room[128];
};

/* Makes *subject ask *x, both of which stay the caller's and must stay where
 * they are. Call it again for the next envelope. */
void selector_envelope_subject(
    struct selector_envelope *x, struct selector_subject *subject);

/* ready, deferred, held or bounce. */
const char *selector_envelope_state(const struct envelope *e, int64_t now);
/* mta, mda or bounce. */
const char *selector_envelope_type(const struct envelope *e);

#endif
