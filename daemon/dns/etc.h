/*
 * etc - what the system says: resolv.conf and hosts, read once
 *
 * Read while the files can still be reached, for the role has an empty root
 * afterwards. hosts counts for the addresses of a host that was named in the
 * configuration, never for where mail of a domain goes.
 */
#ifndef DAEMON_DNS_ETC_H
#define DAEMON_DNS_ETC_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/edge/name.h"

#define ETC_SERVERS 3 /* as many as the system's own resolver takes */

struct etc;

/* Files that are not there are empty. */
struct etc *etc_read(const char *resolv_conf, const char *hosts);
void etc_free(struct etc *e);

/* The n-th address of a name server, NULL after the last one. */
const char *etc_server(const struct etc *e, size_t n);
/* Fills in the addresses of a name in lower case; false: it is not listed. */
bool etc_host(const struct etc *e, const char *name, struct name_host *h);

#endif
