#include "daemon/mta/pauses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/edge/carry.h"
#include "daemon/mta/engine.h"
#include "daemon/mta/names.h"
#include "daemon/proc/pending.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/cli/exitcode.h"

#define WISHES 1024 /* on their way to the spooler */
#define PAUSES_MOST 256 /* in force: the spooler keeps no more */
#define SECONDS_MOST (52u * 7 * 86400)

struct pauses {
	const struct show_env *env;
	struct pending *wishes;
};

/* What one caller asked for: one wish, or one for each route of all. */
struct errand {
	struct answer *a;
	bool all;
	unsigned left, done;
	char text[CARRY_NAME_MAX + 256]; /* how it ends well */
	char trouble[256]; /* what the spooler said; "" */
};

struct wish {
	struct errand *errand;
	bool pause;
	enum carry_part part;
	char *name, *reason;
	int64_t until;
	uint32_t uid;
};

static const char *const parts[CARRY_PARTS] = {
	[CARRY_ROUTE] = "route",
	[CARRY_SOURCE] = "source",
	[CARRY_RELAY] = "relay",
};

static void
apply(struct pauses *p, const struct wish *w)
{
	struct engine *e = p->env->engine;
	char name[CARRY_NAME_MAX + 16], reason[CARRY_REASON_MAX + 16];

	if (w->pause)
		engine_pause(e, w->part, w->name, w->until, w->uid, w->reason);
	else
		engine_resume(e, w->part, w->name);
	log_info("event=%s part=%s name=%s uid=%u reason=%s",
	    w->pause ? "part-paused" : "part-resumed", parts[w->part],
	    text_quote(name, sizeof(name), w->name), w->uid,
	    text_quote(reason, sizeof(reason), w->reason));
}

/* What waits for routes that were disabled is not due for long. */
static void
hasten(struct pauses *p)
{
	const struct carry_steer m = {
		.part = CARRY_ROUTE, .name = "all", .reason = ""
	};
	struct peer *spooler = proc_peer(p->env->proc, ROLE_SPOOLER);

	carry_steer_put(peer_begin(spooler), &m);
	peer_send(spooler, CARRY_STEER);
}

static void
finish(struct pauses *p, struct errand *er)
{
	char text[sizeof(er->text) + sizeof(er->trouble) + 16];
	unsigned enabled = 0;

	if (er->all)
		enabled = engine_enable_all(p->env->engine);
	if (enabled > 0)
		hasten(p);
	if (er->all && er->trouble[0] == '\0')
		snprintf(er->text, sizeof(er->text),
		    "%u pauses are over, %u disabled routes may be used again",
		    er->done, enabled);
	snprintf(text, sizeof(text), "%s%s",
	    er->trouble[0] != '\0' ? "done, but " : "",
	    er->trouble[0] != '\0' ? er->trouble : er->text);
	answer_end(er->a, er->trouble[0] != '\0' ? EXIT_IOERR : EXIT_DONE,
	    er->done + enabled, 0, text);
	free(er);
	p->env->wake(p->env->arg);
}

static void
wish_free(struct wish *w)
{
	free(w->name);
	free(w->reason);
	free(w);
}

/* False: too many are on their way. */
static bool
post(struct pauses *p, struct wish *w)
{
	struct peer *spooler = proc_peer(p->env->proc, ROLE_SPOOLER);
	struct carry_steer m = { .pause = w->pause,
		.part = w->part,
		.name = w->name,
		.until = w->until,
		.uid = w->uid,
		.reason = w->reason };

	m.ticket = pending_park(p->wishes, w);
	if (m.ticket == 0)
		return false;
	carry_steer_put(peer_begin(spooler), &m);
	peer_send(spooler, CARRY_STEER);
	w->errand->left++;
	return true;
}

static struct wish *
wish_new(struct errand *er, const struct query_ask *q, bool pause,
    enum carry_part part, const char *name)
{
	struct wish *w = mem_zalloc(sizeof(*w));
	char reason[CARRY_REASON_MAX + 1];

	if (q->reason[0] == '\0')
		snprintf(
		    reason, sizeof(reason), "uid %u gave no reason", q->uid);
	else
		text_printable(reason, sizeof(reason), q->reason);
	w->errand = er;
	w->pause = pause;
	w->part = part;
	w->name = mem_strdup(name);
	w->reason = mem_strdup(pause ? reason : "");
	w->uid = q->uid;
	return w;
}

int
pauses_on_steered(struct pauses *p, struct message *m)
{
	struct carry_steered s;
	struct errand *er;
	struct wish *w;

	if (carry_steered_get(&m->body, &s) == -1)
		return -1;
	w = pending_take(p->wishes, s.ticket);
	if (w == NULL)
		return 0;
	p->env->clock(p->env->arg);
	er = w->errand;
	apply(p, w);
	wish_free(w);
	er->done++;
	if (!s.done)
		snprintf(er->trouble, sizeof(er->trouble), "%s", s.text);
	if (--er->left == 0)
		finish(p, er);
	return 0;
}

/* What was in force before a restart. */
int
pauses_on_steer(struct pauses *p, struct message *m)
{
	struct carry_steer s;

	if (carry_steer_get(&m->body, &s) == -1)
		return -1;
	p->env->clock(p->env->arg);
	if (s.pause)
		engine_pause(
		    p->env->engine, s.part, s.name, s.until, s.uid, s.reason);
	else
		engine_resume(p->env->engine, s.part, s.name);
	p->env->wake(p->env->arg);
	return 0;
}

/* route, source or relay; false when the answer has been ended. */
static bool
take_part(struct answer *a, const char *word, enum carry_part *part)
{
	int i;

	for (i = 0; i < CARRY_PARTS; i++) {
		if (strcmp(parts[i], word) == 0) {
			*part = (enum carry_part)i;
			return true;
		}
	}
	answer_end(a, EXIT_USAGE, 0, 0, "route, source or relay is wanted");
	return false;
}

static unsigned
in_force(const struct engine *e)
{
	const struct steering *s;
	unsigned n = 0;

	TAILQ_FOREACH(s, &e->steerings, entry)
		n += steering_holds(s, e->wall);
	return n;
}

/* Has the wish sent; the answer is ended where that cannot be. */
static void
send_one(struct pauses *p, struct wish *w)
{
	struct errand *er = w->errand;

	if (post(p, w))
		return;
	answer_end(er->a, EXIT_TEMPFAIL, 0, 0,
	    "too many pauses are being written down: try again");
	free(er);
	wish_free(w);
}

static void
pause_name(struct pauses *p, struct answer *a, const struct query_ask *q,
    enum carry_part part, const char *given, uint64_t seconds)
{
	const struct engine *e = p->env->engine;
	char name[CARRY_NAME_MAX + 1], why[1536], when[TEXT_TIME_MAX];
	enum names_found found =
	    names_find(e, part, given, name, sizeof(name), why, sizeof(why));
	struct errand *er;
	struct wish *w;

	if (found == NAMES_NONE) {
		answer_end(a, EXIT_NOINPUT, 0, 0, why);
		return;
	}
	if (in_force(e) >= PAUSES_MOST &&
	    steering_find(&e->steerings, part, name) == NULL) {
		answer_end(a, EXIT_REFUSED, 0, 0,
		    "there are 256 pauses already, and no more are kept: end "
		    "some, see show limits");
		return;
	}
	er = mem_zalloc(sizeof(*er));
	er->a = a;
	w = wish_new(er, q, true, part, name);
	if (seconds > 0)
		w->until = e->wall + (int64_t)seconds;
	snprintf(er->text, sizeof(er->text), "%s %s is paused until %s%s%.150s",
	    parts[part], name,
	    seconds > 0 ? text_time(when, w->until) : "it is resumed",
	    found == NAMES_NEW ? "; no mail was for it yet: " : "",
	    found == NAMES_NEW ? why : "");
	send_one(p, w);
}

static int
on_pause(
    void *arg, struct answer *a, const struct query_ask *q, struct unpack *args)
{
	struct pauses *p = arg;
	const char *word, *name;
	enum carry_part part;
	uint64_t seconds;

	if (q->n != 3) {
		answer_end(a, EXIT_USAGE, 0, 0,
		    "a part, its name and the seconds are wanted");
		return 0;
	}
	word = unpack_str(args);
	name = unpack_str(args);
	if (!take_part(a, word, &part))
		return 0;
	if (!text_number(unpack_str(args), SECONDS_MOST, &seconds)) {
		answer_end(a, EXIT_USAGE, 0, 0,
		    "that is no number of seconds up to 52 weeks");
		return 0;
	}
	p->env->clock(p->env->arg);
	pause_name(p, a, q, part, name, seconds);
	return 0;
}

/* Names first: what is sent may be answered, and then the list changes. */
static void
resume_all(struct pauses *p, struct answer *a, const struct query_ask *q)
{
	const struct steering *s;
	struct errand *er = mem_zalloc(sizeof(*er));
	struct wish *w;

	er->a = a;
	er->all = true;
	TAILQ_FOREACH(s, &p->env->engine->steerings, entry) {
		if (s->part != CARRY_ROUTE)
			continue;
		w = wish_new(er, q, false, CARRY_ROUTE, s->name);
		if (post(p, w))
			continue;
		wish_free(w);
		snprintf(er->trouble, sizeof(er->trouble),
		    "not all: too many are being written down, try again");
		break;
	}
	if (er->left == 0)
		finish(p, er);
}

/* Of a route that is disabled only by its penalty. */
static bool
enable(struct pauses *p, const char *name)
{
	struct engine *e = p->env->engine;
	char text[ROUTE_NAME_MAX];
	struct route *r;
	bool any = false;

	TAILQ_FOREACH(r, &e->routes, entry) {
		if (!route_disabled(r) ||
		    strcasecmp(route_name(r, text), name) != 0)
			continue;
		route_enable(e, r);
		any = true;
	}
	return any;
}

static void
resume_name(struct pauses *p, struct answer *a, const struct query_ask *q,
    enum carry_part part, const char *given)
{
	const struct engine *e = p->env->engine;
	char name[CARRY_NAME_MAX + 1], why[1536];
	enum names_found found =
	    names_find(e, part, given, name, sizeof(name), why, sizeof(why));
	bool enabled;
	struct errand *er;

	if (found == NAMES_NONE) {
		answer_end(a, EXIT_NOINPUT, 0, 0, why);
		return;
	}
	enabled = part == CARRY_ROUTE && enable(p, name);
	if (enabled) {
		p->env->wake(p->env->arg);
		hasten(p);
	}
	if (steering_find(&e->steerings, part, name) == NULL) {
		snprintf(why, sizeof(why), "%s %.600s %s", parts[part], name,
		    enabled ? "was not paused but disabled, and may be used "
			      "again"
			    : "is not paused; show limits tells what is");
		answer_end(
		    a, enabled ? EXIT_DONE : EXIT_NOMATCH, enabled, 0, why);
		return;
	}
	er = mem_zalloc(sizeof(*er));
	er->a = a;
	snprintf(er->text, sizeof(er->text), "%s %s may be used again",
	    parts[part], name);
	send_one(p, wish_new(er, q, false, part, name));
}

static int
on_resume(
    void *arg, struct answer *a, const struct query_ask *q, struct unpack *args)
{
	struct pauses *p = arg;
	const char *word, *name;
	enum carry_part part;

	if (q->n != 2) {
		answer_end(
		    a, EXIT_USAGE, 0, 0, "a part and its name are wanted");
		return 0;
	}
	word = unpack_str(args);
	name = unpack_str(args);
	if (!take_part(a, word, &part))
		return 0;
	p->env->clock(p->env->arg);
	if (part == CARRY_ROUTE && strcmp(name, "all") == 0)
		resume_all(p, a, q);
	else
		resume_name(p, a, q, part, name);
	return 0;
}

static const struct answer_entry answers[] = {
	{ QUERY_STEER, on_pause },
	{ QUERY_UNSTEER, on_resume },
};

struct pauses *
pauses_start(const struct show_env *env)
{
	struct pauses *p = mem_zalloc(sizeof(*p));

	p->env = env;
	p->wishes = pending_new(WISHES);
	answer_register(
	    env->proc, answers, sizeof(answers) / sizeof(answers[0]), p);
	return p;
}
