#include "daemon/mta/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/mta/destination.h"
#include "daemon/mta/engine.h"
#include "daemon/mta/source.h"
#include "lib/base/hmap.h"
#include "lib/base/text.h"

#define NAMED 8 /* of what there is */

static const char *const kinds[CARRY_PARTS] = {
	[CARRY_ROUTE] = "route",
	[CARRY_SOURCE] = "source",
	[CARRY_RELAY] = "relay",
};

/* Up to NAMED of what there is, those that look like what was meant alone when
 * there are any. */
struct likes {
	const char *given;
	unsigned best; /* distance */
	char list[1024];
	unsigned n, all;
	bool near;
};

/* A part of the name is nearer than any misspelling. */
static unsigned
distance(const char *given, const char *name)
{
	if (*given != '\0' && strcasestr(name, given) != NULL)
		return 0;
	return 1 + text_distance(given, name);
}

static void
likes_add(struct likes *l, const char *name, const char *shown)
{
	unsigned d = distance(l->given, name);
	unsigned far = (unsigned)strlen(l->given) / 3;
	bool near = d <= 1 + (far > 2 ? 2 : far);

	l->all++;
	if (near && (!l->near || d < l->best)) {
		l->near = true;
		l->best = d;
		l->n = 0;
		l->list[0] = '\0';
	} else if (l->near && d > l->best) {
		return;
	}
	if (l->n++ >= NAMED)
		return;
	if (l->list[0] != '\0')
		strlcat(l->list, ", ", sizeof(l->list));
	strlcat(l->list, shown, sizeof(l->list));
}

static void
likes_say(const struct likes *l, enum carry_part part, const char *list,
    char *why, size_t size)
{
	char clean[128];

	text_printable(clean, sizeof(clean), l->given);
	if (l->all == 0)
		snprintf(why, size, "no %s '%s': none is known now",
		    kinds[part], clean);
	else if (l->near)
		snprintf(why, size, "no %s '%s'; did you mean %s?", kinds[part],
		    clean, l->list);
	else
		snprintf(why, size, "no %s '%s'; there %s %s%s: see %s",
		    kinds[part], clean, l->all == 1 ? "is" : "are", l->list,
		    l->n > NAMED ? ", ..." : "", list);
}

static bool
find_paused(const struct engine *e, enum carry_part part, const char *given,
    char *dst, size_t size)
{
	const struct steering *s = steering_find(&e->steerings, part, given);

	if (s == NULL)
		return false;
	snprintf(dst, size, "%s", s->name);
	return true;
}

static enum names_found
find_route(const struct engine *e, const char *given, char *dst, size_t size,
    char *why, size_t why_size)
{
	struct likes l = { .given = given };
	char name[ROUTE_NAME_MAX], shown[ROUTE_NAME_MAX + 16];
	struct route *r = NULL;
	uint64_t id;

	if (given[0] == 'r' && text_number(given + 1, UINT32_MAX, &id))
		r = route_by_id(e, (uint32_t)id);
	if (r != NULL) {
		snprintf(dst, size, "%s", route_name(r, name));
		return NAMES_KNOWN;
	}
	TAILQ_FOREACH(r, &e->routes, entry) {
		if (strcasecmp(route_name(r, name), given) == 0) {
			snprintf(dst, size, "%s", name);
			return NAMES_KNOWN;
		}
		snprintf(shown, sizeof(shown), "r%u (%s)", r->id, name);
		likes_add(&l, name, shown);
	}
	if (find_paused(e, CARRY_ROUTE, given, dst, size))
		return NAMES_KNOWN;
	likes_say(&l, CARRY_ROUTE, "show routes", why, why_size);
	return NAMES_NONE;
}

/* A source is known once it is used, or by the configuration. */
static enum names_found
find_source(const struct engine *e, const char *given, char *dst, size_t size,
    char *why, size_t why_size)
{
	const struct conf_relay *relay;
	struct likes l = { .given = given };
	const struct source *s;
	size_t at, i, k;

	HMAP_FOREACH(s, e->sources, at) {
		if (strcasecmp(s->text, given) == 0) {
			snprintf(dst, size, "%s", s->text);
			return NAMES_KNOWN;
		}
		likes_add(&l, s->text, s->text);
	}
	for (i = 0; i < e->conf->nactions; i++) {
		relay = &e->conf->actions[i].relay;
		for (k = 0; k < relay->source.n; k++) {
			if (strcasecmp(relay->source.pairs[k].key, given) != 0)
				continue;
			snprintf(dst, size, "%s", given);
			return NAMES_KNOWN;
		}
	}
	if (find_paused(e, CARRY_SOURCE, given, dst, size))
		return NAMES_KNOWN;
	likes_say(&l, CARRY_SOURCE, "show routes", why, why_size);
	return NAMES_NONE;
}

/* "smtp+tls+auth://label@host:25": what mail is sent to by it. */
static bool
by_url(const char *url, char *dst, size_t size)
{
	const char *at = strstr(url, "://") + 3, *label = strrchr(at, '@');
	char host[TARGET_NAME_MAX];
	struct target t;
	uint64_t port = strncmp(url, "smtps", 5) == 0 ? 465
	    : strncmp(url, "lmtp", 4) == 0            ? 24
						      : TARGET_PORT;
	char *colon;

	if (label != NULL)
		at = label + 1;
	if (*at == '/') {
		snprintf(dst, size, "%s", at);
		return true;
	}
	snprintf(host, sizeof(host), "%s", at);
	colon = strrchr(host, ':');
	if (colon != NULL && strchr(colon, ']') == NULL) {
		*colon = '\0';
		if (!text_number(colon + 1, UINT16_MAX, &port))
			return false;
	}
	if (!target_set(&t, host, (uint16_t)port, NULL, TARGET_PORT))
		return false;
	snprintf(dst, size, "%s", t.key);
	return true;
}

static enum names_found
find_relay(const struct engine *e, const char *given, char *dst, size_t size,
    char *why, size_t why_size)
{
	struct likes l = { .given = given };
	const struct destination *d;
	struct target t;

	if (strstr(given, "://") != NULL) {
		if (!by_url(given, dst, size)) {
			snprintf(why, why_size,
			    "that is no URL: smtp://host:port is wanted");
			return NAMES_NONE;
		}
	} else if (given[0] == '/' || strrchr(given, ':') != NULL) {
		snprintf(dst, size, "%s", given);
	} else if (target_set(&t, NULL, 0, given, TARGET_PORT)) {
		snprintf(dst, size, "%s", t.key);
	} else {
		snprintf(why, why_size,
		    "that is no name of a relay: a domain is wanted, or a URL "
		    "as in the configuration");
		return NAMES_NONE;
	}
	l.given = dst;
	TAILQ_FOREACH(d, &e->destinations, all) {
		if (strcasecmp(d->target.key, dst) == 0)
			return NAMES_KNOWN;
		likes_add(&l, d->target.key, d->target.key);
	}
	if (find_paused(e, CARRY_RELAY, dst, dst, size))
		return NAMES_KNOWN;
	likes_say(&l, CARRY_RELAY, "show relays", why, why_size);
	return NAMES_NEW;
}

static bool
is_printable(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	return true;
}

enum names_found
names_find(const struct engine *e, enum carry_part part, const char *given,
    char *dst, size_t size, char *why, size_t why_size)
{
	*why = '\0';
	if (*given == '\0' || strlen(given) >= size ||
	    strlen(given) > CARRY_NAME_MAX || !is_printable(given)) {
		snprintf(why, why_size, "that is no name of a %s", kinds[part]);
		return NAMES_NONE;
	}
	switch (part) {
	case CARRY_ROUTE:
		return find_route(e, given, dst, size, why, why_size);
	case CARRY_SOURCE:
		return find_source(e, given, dst, size, why, why_size);
	default:
		return find_relay(e, given, dst, size, why, why_size);
	}
}
