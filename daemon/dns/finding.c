#include "daemon/dns/finding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

void
finding_init(
    struct finding *f, const char *name, uint16_t preference, uint16_t port)
{
	memset(f, 0, sizeof(*f));
	snprintf(f->name, sizeof(f->name), "%s", name);
	f->port = port;
	f->host.preference = preference;
	f->host.name = f->name;
	f->host.base = f->host.text = "";
}

void
finding_clear(struct finding *f)
{
	free(f->packet);
	f->packet = NULL;
	f->host.nrecords = 0;
}

static void
say(struct finding *f, const char *what, const char *name, const char *why)
{
	snprintf(f->text, sizeof(f->text), "%s of %s: %s", what, name, why);
}

static void
trouble(struct finding *f, const char *what, const char *name, const char *why)
{
	say(f, what, name, why);
	f->host.tlsa = NAME_TLSA_TROUBLE;
	f->host.base = "";
	f->host.text = f->text;
	f->step = FINDING_DONE;
}

void
finding_address(
    struct finding *f, enum packet_type type, const struct found *found)
{
	uint8_t octets[NAME_ADDRESSES][16];
	char alias[PACKET_NAME];
	int i, n;

	if (found->status == FOUND_NOTHING) {
		f->missing = true;
		return;
	}
	memset(octets, 0, sizeof(octets));
	n = found->status == FOUND_TROUBLE
	    ? -1
	    : packet_addresses(found->packet, found->len, type, octets,
		  (size_t)(NAME_ADDRESSES - f->host.n));
	if (n == -1) {
		f->troubled = true;
		say(f, "address", f->name,
		    found->status == FOUND_TROUBLE
			? found->text
			: "the answer cannot be read");
		return;
	}
	if (n == 0)
		return;
	for (i = 0; i < n; i++) {
		f->host.addresses[f->host.n].family = type == PACKET_A ? 4 : 6;
		memcpy(f->host.addresses[f->host.n].octets, octets[i], 16);
		f->host.n++;
	}
	if (!found->secure)
		f->insecure = true;
	if (packet_alias(found->packet, found->len, alias) > 0) {
		f->aliased = true;
		memcpy(f->alias, alias, sizeof(f->alias));
	}
}

static bool
ask(struct finding *f, enum finding_step step, const char *base,
    char name[PACKET_NAME], enum packet_type *type)
{
	int n;

	f->step = step;
	*type = step == FINDING_CNAME ? PACKET_CNAME : PACKET_TLSA;
	if (step == FINDING_CNAME)
		n = snprintf(name, PACKET_NAME, "%s", base);
	else
		n = snprintf(name, PACKET_NAME, "_%u._tcp.%s", f->port, base);
	/* A name that is too long has no records. */
	return n > 0 && n <= 253;
}

static bool
ask_itself(struct finding *f, char name[PACKET_NAME], enum packet_type *type)
{
	if (ask(f, FINDING_ITSELF, f->name, name, type))
		return true;
	f->step = FINDING_DONE;
	return false;
}

bool
finding_next(struct finding *f, bool validates, char name[PACKET_NAME],
    enum packet_type *type)
{
	switch (f->step) {
	case FINDING_ADDRESSES:
		if (f->host.n == 0 || !validates)
			break;
		if (f->insecure && !f->aliased)
			break;
		if (f->insecure)
			return ask(f, FINDING_CNAME, f->name, name, type);
		f->host.secure = true;
		if (f->aliased && f->alias[0] != '\0' &&
		    ask(f, FINDING_ALIAS, f->alias, name, type))
			return true;
		return ask_itself(f, name, type);
	case FINDING_CNAME:
	case FINDING_ALIAS:
		return ask_itself(f, name, type);
	case FINDING_ITSELF:
	case FINDING_DONE:
		break;
	}
	f->step = FINDING_DONE;
	return false;
}

/* RFC 7672 section 2.2.2, "Insecure CNAME": an alias that is itself validated
 * leaves the name it stands at as the one candidate. */
static void
take_cname(struct finding *f, const struct found *found)
{
	if (found->status == FOUND_TROUBLE)
		trouble(f, "CNAME", f->name, found->text);
	else if (found->status == FOUND_NOTHING || !found->secure)
		f->step = FINDING_DONE;
}

static void
take_tlsa(struct finding *f, const struct found *found)
{
	const char *base = f->step == FINDING_ALIAS ? f->alias : f->name;
	size_t nusable;
	uint8_t *copy;
	int n;

	if (found->status == FOUND_TROUBLE) {
		trouble(f, "TLSA", base, found->text);
		return;
	}
	if (found->status == FOUND_NOTHING || !found->secure)
		return;
	copy = mem_zalloc(found->len + 1);
	if (found->len > 0)
		memcpy(copy, found->packet, found->len);
	n = packet_tlsa(
	    copy, found->len, f->host.records, NAME_RECORDS, &nusable);
	if (n <= 0) {
		free(copy);
		if (n < 0)
			trouble(f, "TLSA", base, "the answer cannot be read");
		return;
	}
	f->packet = copy;
	f->host.nrecords = (uint8_t)nusable;
	f->host.tlsa = nusable > 0 ? NAME_TLSA_USABLE : NAME_TLSA_UNUSABLE;
	f->host.base = base;
	f->step = FINDING_DONE;
}

void
finding_take(struct finding *f, const struct found *found)
{
	if (f->step == FINDING_CNAME)
		take_cname(f, found);
	else
		take_tlsa(f, found);
}

void
finding_expire(struct finding *f, bool validates)
{
	static const char why[] = "no answer in time";

	switch (f->step) {
	case FINDING_ADDRESSES:
		if (f->host.n > 0 && validates && (!f->insecure || f->aliased))
			trouble(f, "TLSA", f->name, why);
		break;
	case FINDING_CNAME:
		trouble(f, "CNAME", f->name, why);
		break;
	case FINDING_ALIAS:
		trouble(f, "TLSA", f->alias, why);
		break;
	case FINDING_ITSELF:
		trouble(f, "TLSA", f->name, why);
		break;
	case FINDING_DONE:
		break;
	}
	f->step = FINDING_DONE;
}
