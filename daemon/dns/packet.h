/*
 * packet - takes the records of one type out of an answer, pure
 *
 * libunbound hands over what it checked and resolved in wire form; the names
 * are unpacked by the system's dn_expand(). CNAME records on the way to the
 * answer are passed over: unbound has followed them. Where they led is asked
 * for by itself.
 */
#ifndef DAEMON_DNS_PACKET_H
#define DAEMON_DNS_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/edge/name.h"

enum packet_type {
	PACKET_A = 1,
	PACKET_CNAME = 5,
	PACKET_MX = 15,
	PACKET_AAAA = 28,
	PACKET_TLSA = 52
};

#define PACKET_NAME 256 /* room for a name: lower case, no final dot */

struct packet_mx {
	uint16_t preference;
	char name[PACKET_NAME]; /* "" for the root */
};

/* The code in the header: 0 NOERROR, 2 SERVFAIL, 3 NXDOMAIN, ...; 2 also when
 * there is no header. */
int packet_rcode(const void *packet, size_t len);

/* Both return how many there are, at most max; -1 for what is no answer.
 * Names of octets that no host name has are left out. */
int packet_mx(const void *packet, size_t len, struct packet_mx *mx, size_t max);
int packet_addresses(const void *packet, size_t len, enum packet_type type,
    uint8_t (*octets)[16], size_t max);
/* How many CNAME lead from the name that was asked for to the one that has the
 * records, which is put into name ("" when no host is called so); -1: no
 * answer. */
int packet_alias(const void *packet, size_t len, char name[PACKET_NAME]);
/* How many there are, or -1. Those of use to SMTP are put into records, at
 * most max, in one order, their data lent from the packet. */
int packet_tlsa(const void *packet, size_t len, struct name_record *records,
    size_t max, size_t *nusable);

#endif
