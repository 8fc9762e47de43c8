/*
 * draft - one accept, reject or action statement while it is read
 *
 * Put together by parse_rule and parse_action, checked as a whole, and then
 * moved into the configuration.
 */
#ifndef DAEMON_CONF_DRAFT_H
#define DAEMON_CONF_DRAFT_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/conf/conf.h"
#include "daemon/conf/parse.h"

struct draft {
	struct conf_rule rule;
	struct conf_action action;
	bool has_action; /* relay or deliver */
	bool has_for, has_users, has_owner, has_ttl;
	const char *relay_word; /* the first option of relays; NULL: none */
	char *name; /* action "NAME" */
	struct parse_place name_at;
};

/* The words of relay and deliver; ctx is a draft. */
extern const struct parse_word draft_words[];
extern const size_t draft_word_count;

/* Reports a fault of the statement as a whole, at its line. Is false. */
bool draft_fault(struct parse *p, const char *text);
/* What an action's options say together; false after a report. */
bool draft_check_action(struct parse *p, const struct draft *d);
void draft_free_action(struct conf_action *a);

/* Why a relay with these options cannot go by that URL; NULL: it can. */
const char *draft_refuses(const struct conf_relay *r, const struct conf_url *u);

#endif
