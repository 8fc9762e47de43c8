/*
 * pairs - the rows of a table as the mta sees them (inside daemon/conf, pure)
 */
#ifndef DAEMON_CONF_PAIRS_H
#define DAEMON_CONF_PAIRS_H

#include <stdbool.h>

#include "daemon/conf/conf.h"

void pairs_add(struct conf_list *l, const char *key, const char *value);
/* Drops the pairs, and wipes them: they may be passwords. */
void pairs_empty(struct conf_list *l);
void pairs_clear(struct conf_list *l); /* and the name of the table */
/* Wipes and frees; NULL is accepted. */
void pairs_wipe(char *s);

bool pairs_address_ok(const char *s); /* one address, no network */
bool pairs_sender_ok(const char *s); /* user@domain, user or @domain */
bool pairs_domain_ok(const char *s); /* domain or *.domain */

/*
 * Copies what the tables hold into the lists of relays and limits, as far as
 * it is known, checked row by row. Reports file:line: text for each that is
 * wrong; false when there was one.
 */
bool pairs_fill(
    struct conf *c, void (*report)(void *, const char *), void *arg);

#endif
