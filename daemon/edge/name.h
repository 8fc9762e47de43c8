/*
 * name - mta asks dns
 */
#ifndef DAEMON_EDGE_NAME_H
#define DAEMON_EDGE_NAME_H

#include "lib/proto/pack.h"

enum name_type {
	NAME_ASK = 0x0600,
	NAME_ANSWER
};

#define NAME_HOSTS 100 /* of one answer; more are left out */
#define NAME_ADDRESSES 16 /* of one host */
#define NAME_RECORDS 16 /* TLSA, of one host */
#define NAME_RECORD_MAX 8192 /* octets of one: a certificate at most */

enum name_kind {
	NAME_MX, /* MX, or the domain itself when it has none; with addresses */
	NAME_ADDRESS, /* A and AAAA of a host; answered as one host, pref 0 */
	NAME_KINDS
};

struct name_ask {
	uint32_t ticket;
	enum name_kind kind;
	uint16_t port; /* TLSA records are asked for with it; 0: 25 */
	const char *name;
};

enum name_status {
	NAME_FOUND,
	NAME_TEMPORARY, /* timeout, SERVFAIL, loop: 4.4.3 */
	NAME_NONE, /* NXDOMAIN or nothing of use: 5.1.2 */
	NAME_NULL_MX, /* RFC 7505: 5.1.10 */
	NAME_STATUSES
};

struct name_answer {
	uint32_t ticket;
	enum name_status status;
	bool secure; /* validated by DNSSEC all the way */
	const char *text; /* why, in words, when not FOUND */
	uint16_t n; /* hosts that follow, in order of preference */
};

/* What the DNS says of TLS at a host (RFC 7672 section 2.2). */
enum name_tlsa {
	NAME_TLSA_NONE, /* not secure, or no records: DANE says nothing */
	NAME_TLSA_USABLE, /* TLS, and the certificate must match a record */
	NAME_TLSA_UNUSABLE, /* TLS, not authenticated: no record is usable */
	NAME_TLSA_TROUBLE, /* bogus or no answer: the host must not be used */
	NAME_TLSAS
};

struct name_record {
	uint8_t usage, selector, matching;
	const uint8_t *data;
	size_t len;
};

struct name_host {
	uint16_t preference;
	const char *name; /* without the final dot, lower case */
	uint8_t n; /* addresses */
	struct {
		uint8_t family; /* 4 or 6 */
		uint8_t octets[16];
	} addresses[NAME_ADDRESSES];
	bool secure; /* name and addresses were validated by DNSSEC */
	enum name_tlsa tlsa;
	const char *base; /* the TLSA base domain: the name to be verified */
	const char *text; /* of TROUBLE: why */
	uint8_t nrecords;
	struct name_record records[NAME_RECORDS]; /* usable ones */
};

void name_ask_put(struct buf *b, const struct name_ask *m);
int name_ask_get(struct unpack *u, struct name_ask *m);
void name_answer_put(struct buf *b, const struct name_answer *m);
/* Leaves the unpacker at the hosts: name_host_get() m->n times, then
 * unpack_done(). */
int name_answer_get(struct unpack *u, struct name_answer *m);
/* How many of the hosts one answer holds: a hundred ordinary ones, but not as
 * many with certificates as TLSA records. No record is left out, for that may
 * be the one that matches: the last hosts are. One always fits. */
uint16_t name_hosts_fit(const struct name_host *hosts, uint16_t n);
void name_host_put(struct buf *b, const struct name_host *h);
int name_host_get(struct unpack *u, struct name_host *h);

#endif
