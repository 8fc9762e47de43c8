/*
 * sight - one envelope as the commands see it
 *
 * What the view found and the fields of its text, under the names that
 * smtpctl show queue uses.
 */
#ifndef TOOLS_QTOOL_SIGHT_H
#define TOOLS_QTOOL_SIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/mail/envelope.h"
#include "queue/view.h"

#define SIGHT_RECORD_MAX (2 * ENVELOPE_TEXT_MAX)

struct sight {
	const struct view_envelope *ve;
	struct envelope e; /* nothing but its id when it cannot be read */
	bool parsed;
	const char *state; /* ready deferred held bounce corrupt locked */
	bool removed; /* by a verb that is not carried out yet */
	char reason[320]; /* why it is corrupt or locked, or held; "" */
};

/* now: seconds since the epoch. To be cleared. */
void sight_read(struct sight *s, const struct view_envelope *ve, int64_t now);
void sight_clear(struct sight *s);

/* mta mda bounce, or "" */
const char *sight_type(const struct sight *s);
/* How its message is stored; NULL: not known. The kid is "" when it is not
 * sealed. */
const char *sight_comp(const struct sight *s);
const char *sight_enc(const struct sight *s);
const char *sight_kid(const struct sight *s);
/* With nobody at work on the spool nothing is ready or deferred. */
const char *sight_shown_state(const struct sight *s, bool busy);
/* Appends a record of type envelope. */
void sight_put(const struct sight *s, bool busy, struct buf *b);

#endif
