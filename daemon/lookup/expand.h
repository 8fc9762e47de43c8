/*
 * expand - from one recipient to the places its mail goes (pure)
 *
 * A rule is found, its aliases are followed, and what is left must be a user
 * or is relayed. A name in an alias stays under the rule it came by; an
 * address is held against the rules anew, as mail of the client, and where that
 * finds none, as mail of our own. Bounds: depth
 * EXPAND_DEPTH, ASK_TARGETS targets, EXPAND_STEPS names looked at, and
 * EXPAND_OCTETS so that the answer fits a message. A loop is cut; a target
 * that turns up again is left out.
 */
#ifndef DAEMON_LOOKUP_EXPAND_H
#define DAEMON_LOOKUP_EXPAND_H

#include <stddef.h>

#include "daemon/lookup/rule.h"

#define EXPAND_DEPTH 10
#define EXPAND_STEPS 5000
#define EXPAND_OCTETS (192u * 1024)

struct expand_world {
	struct rule_world rules;
	/* Both are called with rules.arg. */
	enum rule_result (*alias)(
	    void *arg, const char *table, const char *key, const char **value);
	enum rule_result (*user)(void *arg, const char *name);
};

enum expand_verdict {
	EXPAND_OK,
	EXPAND_REJECTED, /* no rule, or one that rejects */
	EXPAND_SYNTAX, /* the recipient is no address */
	EXPAND_NO_USER,
	EXPAND_LOOP, /* and nothing else */
	EXPAND_WIDE,
	EXPAND_TROUBLE, /* a table or the user list: later it may go well */
	EXPAND_VERDICTS
};

struct expand_target {
	const struct conf_action *action;
	char *destination;
};

struct expand;

/* client is an address or "local"; sender "" for the null one. */
struct expand *expand_run(const struct expand_world *w, const char *client,
    const char *sender, const char *recipient);
void expand_free(struct expand *e); /* NULL is accepted */

enum expand_verdict expand_result(const struct expand *e);
size_t expand_count(const struct expand *e); /* 0 unless EXPAND_OK */
const struct expand_target *expand_target(const struct expand *e, size_t i);
/* The reply of SMTP: "550 5.1.1 no such user"; "" for EXPAND_OK. */
const char *expand_reply(enum expand_verdict v);

#endif
