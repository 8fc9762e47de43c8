/*
 * finding - what is found out of one host, step by step, pure
 *
 * First its addresses, both families at once. When they are validated, the TLSA
 * records (RFC 7672 sections 2.2.2, 2.2.3) of the name where CNAME records led,
 * and failing those of the name itself, one look-up after the other; nothing is
 * asked for in vain when nothing is secure. What must not be trusted, and what
 * did not come, ends in NAME_TLSA_TROUBLE: never in mail in clear.
 */
#ifndef DAEMON_DNS_FINDING_H
#define DAEMON_DNS_FINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/dns/packet.h"
#include "daemon/edge/name.h"

#define FINDING_TEXT 320

enum found_status {
	FOUND_ANSWER, /* with or without records */
	FOUND_NOTHING, /* NXDOMAIN */
	FOUND_TROUBLE /* bogus, SERVFAIL, REFUSED, ... */
};

struct found { /* what came of a look-up; lent for the call */
	enum found_status status;
	bool secure; /* all of it was validated */
	const char *text; /* of TROUBLE: why */
	const void *packet;
	size_t len;
};

enum finding_step {
	FINDING_ADDRESSES,
	FINDING_CNAME, /* insecure addresses: is the alias at least secure? */
	FINDING_ALIAS, /* TLSA of the name where it led */
	FINDING_ITSELF, /* TLSA of the name */
	FINDING_DONE
};

struct finding {
	struct name_host host; /* points into what follows */
	char name[PACKET_NAME], alias[PACKET_NAME];
	char text[FINDING_TEXT];
	uint8_t *packet; /* the records' */
	enum finding_step step;
	uint16_t port;
	bool insecure, aliased; /* addresses */
	bool missing, troubled; /* the name; a family */
};

void finding_init(
    struct finding *f, const char *name, uint16_t preference, uint16_t port);
void finding_clear(struct finding *f);

/* What came of the look-up of one family, or of finding_next()'s. */
void finding_address(
    struct finding *f, enum packet_type type, const struct found *found);
void finding_take(struct finding *f, const struct found *found);

/* Once both families came, and after each finding_take(): what is to be looked
 * up next, or false: nothing. validates: there is a trust anchor at all. */
bool finding_next(struct finding *f, bool validates, char name[PACKET_NAME],
    enum packet_type *type);

/* Time is up: what is not known by now is trouble. */
void finding_expire(struct finding *f, bool validates);

#endif
