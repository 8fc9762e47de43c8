/*
 * manner - how an action relays: by whom, from where, under what name; pure
 *
 * Made from the configuration once and never changed; a reload makes new ones,
 * and whatever was made with an old one keeps it. Manners of equal keys are
 * the same to the engine, so what two actions have in common they share.
 */
#ifndef DAEMON_MTA_MANNER_H
#define DAEMON_MTA_MANNER_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/mta/target.h"

struct policy;

struct manner_name {
	char *source; /* an address of ours; "": any */
	char *name; /* said at EHLO from there */
};

struct manner {
	unsigned refs;
	char *key; /* never holds a secret */
	char *action; /* of the configuration, the first that relays so */
	bool by_mx; /* else by via */
	struct target via;
	char **sources; /* addresses of ours; none: the system chooses */
	size_t nsources;
	struct manner_name *names; /* for EHLO */
	size_t nnames;
	char *backup; /* only to MX that are better than this name; or NULL */
	bool may_be_clear; /* after an opportunistic TLS that failed */
	bool dane;
	struct policy *policy; /* the engine only hands it on */
	void (*free_policy)(struct policy *policy); /* NULL: nothing to free */
};

/* All fields but refs are the caller's to fill; one reference is his. */
struct manner *manner_new(void);
struct manner *manner_ref(struct manner *m);
void manner_unref(struct manner *m); /* NULL is accepted */

/* The name for a source, or NULL: that of this host. */
const char *manner_helo(const struct manner *m, const char *source);

/* The alternatives of an action, equal ones: each message begins with
 * another. */
struct choice {
	unsigned refs;
	size_t n;
	struct manner **manners;
};

struct choice *choice_new(size_t n); /* manners are NULL; takes references */
struct choice *choice_ref(struct choice *c);
void choice_unref(struct choice *c); /* NULL is accepted */

#endif
