/*
 * rule - which rule a recipient falls under (pure)
 *
 * The first rule all of whose parts fit decides. What tables hold is asked
 * through functions, so that the decision can be tested without them. Trouble
 * with a table is an answer of its own: it must never let mail through, or
 * turn it away for good.
 */
#ifndef DAEMON_LOOKUP_RULE_H
#define DAEMON_LOOKUP_RULE_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/conf/conf.h"
#include "daemon/conf/network.h"

enum rule_result {
	RULE_NO,
	RULE_YES,
	RULE_TROUBLE
};

/* What the rules are held against. */
struct rule_world {
	const struct conf *conf;
	const struct network *own; /* our addresses */
	size_t nown;
	enum rule_result (*has)(void *arg, const char *table, const char *key);
	enum rule_result (*has_address)(
	    void *arg, const char *table, const struct network *address);
	void *arg;
};

struct rule_question {
	const char *client; /* an address, or "local" */
	const char *sender; /* as a key: lower case; "" the null one */
	const char *domain; /* of the recipient, lower case */
};

/* RULE_YES: *rule is the one that fits. RULE_NO: none does. */
enum rule_result rule_find(const struct rule_world *w,
    const struct rule_question *q, const struct conf_rule **rule);

/* What "for local" means: localhost, our names, and our addresses. */
bool rule_is_local(const struct rule_world *w, const char *domain);

#endif
