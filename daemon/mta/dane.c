#include "daemon/mta/dane.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

#define TEXT_OCTETS 4 /* of each record's data that are shown */

struct tlsa {
	unsigned refs;
	bool usable;
	char *base;
	unsigned n;
	struct tlsa_record {
		uint8_t usage, selector, matching;
		uint8_t *data;
		size_t len;
	} records[NAME_RECORDS];
};

struct tlsa *
tlsa_new(const struct name_host *h)
{
	struct tlsa_record *r;
	struct tlsa *t;
	uint8_t i;

	if (h->tlsa != NAME_TLSA_USABLE && h->tlsa != NAME_TLSA_UNUSABLE)
		return NULL;
	t = mem_zalloc(sizeof(*t));
	t->refs = 1;
	t->usable = h->tlsa == NAME_TLSA_USABLE;
	t->base =
	    mem_strdup(h->base != NULL && *h->base != '\0' ? h->base : h->name);
	if (!t->usable)
		return t;
	for (i = 0; i < h->nrecords && i < NAME_RECORDS; i++) {
		if (h->records[i].len == 0)
			continue;
		r = &t->records[t->n++];
		r->usage = h->records[i].usage;
		r->selector = h->records[i].selector;
		r->matching = h->records[i].matching;
		r->len = h->records[i].len;
		r->data = mem_zalloc(r->len);
		memcpy(r->data, h->records[i].data, r->len);
	}
	return t;
}

const struct tlsa *
tlsa_ref(const struct tlsa *t)
{
	if (t != NULL)
		((struct tlsa *)(uintptr_t)t)->refs++;
	return t;
}

void
tlsa_unref(const struct tlsa *const_t)
{
	struct tlsa *t = (struct tlsa *)(uintptr_t)const_t;
	unsigned i;

	if (t == NULL || --t->refs > 0)
		return;
	for (i = 0; i < t->n; i++)
		free(t->records[i].data);
	free(t->base);
	free(t);
}

static bool
record_same(const struct tlsa_record *a, const struct tlsa_record *b)
{
	return a->usage == b->usage && a->selector == b->selector &&
	    a->matching == b->matching && a->len == b->len &&
	    memcmp(a->data, b->data, a->len) == 0;
}

bool
tlsa_same(const struct tlsa *a, const struct tlsa *b)
{
	unsigned i;

	if (a == NULL || b == NULL)
		return a == b;
	if (a->usable != b->usable || a->n != b->n ||
	    strcmp(a->base, b->base) != 0)
		return false;
	for (i = 0; i < a->n; i++)
		if (!record_same(&a->records[i], &b->records[i]))
			return false;
	return true;
}

bool
tlsa_usable(const struct tlsa *t)
{
	return t->usable;
}

const char *
tlsa_base(const struct tlsa *t)
{
	return t->base;
}

const char *
tlsa_text(const struct tlsa *t, char *dst, size_t size)
{
	const struct tlsa_record *r;
	size_t at = 0, k;
	unsigned i;

	snprintf(dst, size, "%s",
	    t->usable ? "" : "TLS, but no record that could be checked");
	for (i = 0; i < t->n && at + 32 < size; i++) {
		r = &t->records[i];
		at += (size_t)snprintf(dst + at, size - at, "%s%u %u %u ",
		    i == 0 ? "" : ", ", r->usage, r->selector, r->matching);
		for (k = 0; k < r->len && k < TEXT_OCTETS; k++)
			at += (size_t)snprintf(
			    dst + at, size - at, "%02x", r->data[k]);
		if (r->len > TEXT_OCTETS)
			at += (size_t)snprintf(dst + at, size - at, "..");
	}
	return dst;
}

/* RFC 7672 section 3.1.1: with usage 3 the record binds the key to the host,
 * so neither names nor dates of the certificate matter. */
int
dane_apply(const struct tlsa *t, SSL *ssl, const char *host)
{
	const struct tlsa_record *r;
	unsigned i, added = 0;

	if (SSL_dane_enable(ssl, t->base) <= 0)
		return -1;
	SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	/* The name in MX, when its CNAME led to the base domain. */
	if (*host != '\0' && strcmp(host, t->base) != 0 &&
	    SSL_add1_host(ssl, host) != 1)
		return -1;
	for (i = 0; i < t->n; i++) {
		r = &t->records[i];
		if (r->usage != 2 && r->usage != 3)
			continue;
		if (SSL_dane_tlsa_add(ssl, r->usage, r->selector, r->matching,
			r->data, r->len) > 0)
			added++;
	}
	return added > 0;
}
