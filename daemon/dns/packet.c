#include <sys/types.h>

#include "daemon/dns/packet.h"

#include <netinet/in.h>

#include <arpa/nameser.h>
#include <ctype.h>
#include <resolv.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"

#define HEADER 12
#define RR_FIXED 10 /* type, class, ttl, length */

struct walk {
	const uint8_t *start, *at, *end;
	const uint8_t *owner; /* of the record */
	unsigned left; /* records of the answer section */
	uint16_t type; /* of the record */
	const uint8_t *data;
	size_t len;
};

static uint16_t
number(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static bool
skip_name(struct walk *w)
{
	int n = dn_skipname(w->at, w->end);

	if (n < 0)
		return false;
	w->at += n;
	return true;
}

static bool
begin(struct walk *w, const void *packet, size_t len)
{
	unsigned questions;

	if (len < HEADER)
		return false;
	w->start = packet;
	w->end = w->start + len;
	questions = number(w->start + 4);
	w->left = number(w->start + 6);
	w->at = w->start + HEADER;
	for (; questions > 0; questions--) {
		if (!skip_name(w) || w->end - w->at < 4)
			return false;
		w->at += 4;
	}
	return true;
}

/* 1: a record of class IN, 0: the end, -1: nonsense. */
static int
next(struct walk *w)
{
	uint16_t class;

	while (w->left > 0) {
		w->left--;
		w->owner = w->at;
		if (!skip_name(w) || w->end - w->at < RR_FIXED)
			return -1;
		w->type = number(w->at);
		class = number(w->at + 2);
		w->len = number(w->at + 8);
		w->at += RR_FIXED;
		if ((size_t)(w->end - w->at) < w->len)
			return -1;
		w->data = w->at;
		w->at += w->len;
		if (class == ns_c_in)
			return 1;
	}
	return 0;
}

static bool
host_name(const char *name)
{
	for (; *name != '\0'; name++)
		if (!isalnum((unsigned char)*name) && *name != '-' &&
		    *name != '.' && *name != '_')
			return false;
	return true;
}

int
packet_rcode(const void *packet, size_t len)
{
	if (packet == NULL || len < HEADER)
		return ns_r_servfail;
	return ((const uint8_t *)packet)[3] & 0x0f;
}

static bool
expand(const struct walk *w, const uint8_t *at, char name[PACKET_NAME])
{
	if (dn_expand(w->start, w->end, at, name, PACKET_NAME) < 0)
		return false;
	text_lower(name);
	if (strcmp(name, ".") == 0)
		name[0] = '\0';
	return true;
}

int
packet_mx(const void *packet, size_t len, struct packet_mx *mx, size_t max)
{
	struct walk w;
	size_t n = 0;
	int got;

	if (!begin(&w, packet, len))
		return -1;
	while ((got = next(&w)) == 1) {
		if (w.type != PACKET_MX || n == max)
			continue;
		if (w.len < 3 || !expand(&w, w.data + 2, mx[n].name))
			return -1;
		mx[n].preference = number(w.data);
		if (host_name(mx[n].name))
			n++;
	}
	return got == -1 ? -1 : (int)n;
}

int
packet_addresses(const void *packet, size_t len, enum packet_type type,
    uint8_t (*octets)[16], size_t max)
{
	size_t n = 0, want = type == PACKET_A ? 4 : 16;
	struct walk w;
	int got;

	if (!begin(&w, packet, len))
		return -1;
	while ((got = next(&w)) == 1) {
		if (w.type != type || n == max)
			continue;
		if (w.len != want)
			return -1;
		memcpy(octets[n++], w.data, want);
	}
	return got == -1 ? -1 : (int)n;
}

int
packet_alias(const void *packet, size_t len, char name[PACKET_NAME])
{
	char owner[PACKET_NAME];
	struct walk w;
	int got, n = 0;

	name[0] = '\0';
	if (!begin(&w, packet, len) || number(w.start + 4) != 1 ||
	    !expand(&w, w.start + HEADER, name))
		return -1;
	while ((got = next(&w)) == 1) {
		if (w.type != PACKET_CNAME)
			continue;
		if (w.len < 1 || !expand(&w, w.owner, owner))
			return -1;
		/* They come in the order in which they are followed. */
		if (strcmp(owner, name) != 0)
			continue;
		if (!expand(&w, w.data, name))
			return -1;
		n++;
	}
	if (got == -1)
		return -1;
	if (!host_name(name))
		name[0] = '\0';
	return n;
}

/* RFC 7672 section 3.1: PKIX-TA(0) and PKIX-EE(1) are not for SMTP. */
static bool
usable(const struct name_record *r)
{
	static const size_t digest[] = { 0, 32, 64 };

	if ((r->usage != 2 && r->usage != 3) || r->selector > 1 ||
	    r->matching > 2)
		return false;
	if (r->matching == 0)
		return r->len > 0 && r->len <= NAME_RECORD_MAX;
	return r->len == digest[r->matching];
}

/* Servers turn them round with each answer; one order makes two answers
 * comparable. */
static int
by_value(const void *a, const void *b)
{
	const struct name_record *x = a, *y = b;

	if (x->usage != y->usage)
		return y->usage - x->usage;
	if (x->selector != y->selector)
		return y->selector - x->selector;
	if (x->matching != y->matching)
		return x->matching - y->matching;
	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return memcmp(x->data, y->data, x->len);
}

int
packet_tlsa(const void *packet, size_t len, struct name_record *records,
    size_t max, size_t *nusable)
{
	struct name_record r;
	struct walk w;
	int got, n = 0;

	*nusable = 0;
	if (!begin(&w, packet, len))
		return -1;
	while ((got = next(&w)) == 1) {
		if (w.type != PACKET_TLSA)
			continue;
		n++;
		if (w.len < 3)
			continue;
		r.usage = w.data[0];
		r.selector = w.data[1];
		r.matching = w.data[2];
		r.data = w.data + 3;
		r.len = w.len - 3;
		if (usable(&r) && *nusable < max)
			records[(*nusable)++] = r;
	}
	qsort(records, *nusable, sizeof(*records), by_value);
	return got == -1 ? -1 : n;
}
