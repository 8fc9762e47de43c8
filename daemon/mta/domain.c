#include "daemon/mta/domain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/mta/engine.h"
#include "lib/base/hmap.h"
#include "lib/base/mem.h"

struct domain *
domain_get(struct engine *e, const char *name)
{
	uint64_t key = hmap_hash(name, strlen(name));
	struct domain *d = hmap_get(e->domains, key);

	if (d == NULL) {
		d = mem_zalloc(sizeof(*d));
		d->timer.kind = TIMER_DOMAIN;
		d->key = key;
		snprintf(d->name, sizeof(d->name), "%s", name);
		TAILQ_INIT(&d->waiting.line);
		hmap_put(e->domains, key, d);
	}
	d->refs++;
	timer_clear(&e->timers, &d->timer);
	return d;
}

void
domain_on_timer(struct engine *e, struct domain *d)
{
	if (d->refs > 0)
		return;
	hmap_del(e->domains, d->key);
	free(d);
}

/* One that mail was sent to is shown for a while longer. */
void
domain_release(struct engine *e, struct domain *d)
{
	if (--d->refs > 0)
		return;
	if (d->last == 0 || hmap_count(e->domains) > DOMAIN_MAX ||
	    e->now - d->used_at >= DOMAIN_KEPT_MS)
		domain_on_timer(e, d);
	else
		timer_set(&e->timers, &d->timer, d->used_at + DOMAIN_KEPT_MS);
}

/* A host of `relay via` is known to the limits without its port. */
static void
look_up(const struct engine *e, struct domain *d)
{
	char name[TARGET_KEY_MAX], *colon;
	int key;

	snprintf(name, sizeof(name), "%s", d->name);
	colon = strrchr(name, ':');
	if (colon != NULL && strchr(colon, ']') == NULL)
		*colon = '\0';
	for (key = 0; key < CONF_LIMITS; key++)
		d->limits[key] =
		    conf_limit(e->conf, name, (enum conf_limit_key)key);
	d->configured = e->configured;
}

uint32_t
domain_limit(const struct engine *e, struct domain *d, enum conf_limit_key key)
{
	if (d->configured != e->configured)
		look_up(e, d);
	return d->limits[key];
}

void
domain_outcome(struct engine *e, struct domain *d, const char *status)
{
	d->last = e->wall;
	d->used_at = e->now;
	snprintf(d->status, sizeof(d->status), "%s", status);
}
