/*
 * network - addresses and networks as octets, for rules and tables
 */
#ifndef DAEMON_CONF_NETWORK_H
#define DAEMON_CONF_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sockaddr;

/* IPv4 as itself; an IPv6 address that stands for an IPv4 one becomes that. */
struct network {
	uint8_t octets[16];
	uint8_t len; /* octets: 4 or 16 */
	uint8_t bits; /* that count; all of them for an address */
};

/* "192.0.2.1", "10.0.0.0/8", "fe80::1%eth0", "2001:db8::/32". */
bool network_parse(struct network *n, const char *text);
bool network_of(struct network *n, const struct sockaddr *sa);
bool network_has(const struct network *n, const struct network *address);
bool network_is_loopback(const struct network *address);

/* Our own addresses, as they are now. The caller frees. */
struct network *network_own(size_t *n);

#endif
