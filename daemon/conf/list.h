/*
 * list - the rows of a table as the mta sees them (inside daemon/conf, pure)
 */
#ifndef DAEMON_CONF_LIST_H
#define DAEMON_CONF_LIST_H

#include <stdbool.h>

#include "daemon/conf/conf.h"

void list_add(struct conf_list *l, const char *key, const char *value);
/* Drops the pairs, and wipes them: they may be passwords. */
void list_empty(struct conf_list *l);
void list_clear(struct conf_list *l); /* and the name of the table */
/* Wipes and frees; NULL is accepted. */
void list_wipe(char *s);

bool list_address_ok(const char *s); /* one address, no network */
bool list_sender_ok(const char *s); /* user@domain, user or @domain */
bool list_domain_ok(const char *s); /* domain or *.domain */

/*
 * Copies what the tables hold into the lists of relays and limits, as far as
 * it is known, checked row by row. Reports file:line: text for each that is
 * wrong; false when there was one.
 */
bool list_fill(struct conf *c, void (*report)(void *, const char *), void *arg);

#endif
