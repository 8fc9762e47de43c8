/*
 * anchor - the records of a file of DNSSEC trust anchors, pure
 *
 * What unbound-anchor, dig and key tools write: DS and DNSKEY records in the
 * form of zone files, with comments and parentheses, without directives. Checked
 * to the last octet here, for the resolver would find out too late, and an
 * algorithm that it does not know it would take for an insecure zone.
 */
#ifndef DAEMON_CONF_ANCHOR_H
#define DAEMON_CONF_ANCHOR_H

#include <stddef.h>

#define ANCHOR_MAX 8192 /* of one record as text */
#define ANCHOR_WHY 128

/* Calls fn with each record on one line of its own, until fn returns -1;
 * NULL: they are only checked.
 * Returns how many there were, at least 1; -1 with why filled ("line 3: ..."),
 * or after fn had failed. */
int anchor_each(const char *text, int (*fn)(void *arg, const char *record),
    void *arg, char why[ANCHOR_WHY]);

#endif
