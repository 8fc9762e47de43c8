#include "daemon/spooler/keeping.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "daemon/edge/carry.h"
#include "daemon/edge/plan.h"
#include "daemon/spooler/spooler.h"
#include "daemon/spooler/standing.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/base/text.h"

#define FILE_NAME "mta-pauses"
#define WAITING_MOST 1024

/* A question of the mta. */
struct steerer {
	STAILQ_ENTRY(steerer) link;
	uint32_t ticket;
	bool pause;
};
STAILQ_HEAD(steerers, steerer);

struct keeping {
	struct standing *standing;
	bool unreadable; /* the file is there, and not to be written over */
	bool writing;
	unsigned waiting;
	struct steerers next; /* for the write that is to come */
	struct steerers now; /* for the one under way */
};

static void
hasten(struct spooler *s)
{
	struct peer *scheduler = proc_peer(s->proc, ROLE_SCHEDULER);

	plan_hasten_put(peer_begin(scheduler));
	peer_send(scheduler, PLAN_HASTEN);
}

/* It holds from here on, kept or not. What waited for the end of a pause had
 * been put off for long. */
static void
answer(struct spooler *s, uint32_t ticket, bool pause, const char *why)
{
	struct carry_steered m = {
		.ticket = ticket, .done = why == NULL, .text = why
	};
	struct peer *mta = proc_peer(s->proc, ROLE_MTA);

	if (why == NULL)
		m.text = "";
	carry_steered_put(peer_begin(mta), &m);
	peer_send(mta, CARRY_STEERED);
	if (!pause)
		hasten(s);
}

static void
on_bad(void *arg, unsigned line, const char *why)
{
	struct spooler *s = arg;

	s->count.alarms++;
	log_warn("event=pauses-damaged file=state/" FILE_NAME
		 " line=%u text=\"%s; the line is left as it is\"",
	    line, why);
}

/* Small, and read at the start only; or when it could not be read then. */
static void
read_file(struct spooler *s, struct keeping *g)
{
	char *text = mem_zalloc(STANDING_TEXT_MAX + 1);
	const char *why = NULL;

	if (queue_state_get(s->q, FILE_NAME, text, STANDING_TEXT_MAX + 1) ==
	    -1) {
		if (errno != ENOENT)
			why = strerror(errno);
	} else if (strlen(text) == STANDING_TEXT_MAX) {
		why = "it is too long to be ours";
	} else {
		standing_read(g->standing, text, on_bad, s);
	}
	if (why != NULL && !g->unreadable) {
		s->count.alarms++;
		log_warn("event=pauses-unreadable file=state/" FILE_NAME
			 " text=\"%s; no pause of it is in force\"",
		    why);
	}
	g->unreadable = why != NULL;
	free(text);
}

static void
tell_all(struct spooler *s, const struct keeping *g)
{
	struct peer *mta = proc_peer(s->proc, ROLE_MTA);
	struct carry_steer m;
	size_t i;

	for (i = 0; i < standing_count(g->standing); i++) {
		standing_get(g->standing, i, &m);
		carry_steer_put(peer_begin(mta), &m);
		peer_send(mta, CARRY_STEER);
	}
}

struct keeping *
keeping_new(struct spooler *s)
{
	struct keeping *g = mem_zalloc(sizeof(*g));

	g->standing = standing_new();
	STAILQ_INIT(&g->next);
	STAILQ_INIT(&g->now);
	read_file(s, g);
	standing_expire(g->standing, mono_wall());
	tell_all(s, g);
	if (standing_count(g->standing) > 0)
		log_info(
		    "event=pauses-kept n=%zu", standing_count(g->standing));
	return g;
}

static void
answer_all(struct spooler *s, struct steerers *list, const char *why)
{
	struct steerer *st;

	while ((st = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, link);
		s->keeping->waiting--;
		answer(s, st->ticket, st->pause, why);
		free(st);
	}
}

static void on_written(void *ctx, int error);

static void
write_file(struct spooler *s)
{
	struct keeping *g = s->keeping;
	char *text;

	if (g->writing || STAILQ_EMPTY(&g->next))
		return;
	STAILQ_CONCAT(&g->now, &g->next);
	g->writing = true;
	standing_expire(g->standing, mono_wall());
	text = standing_text(g->standing);
	queue_state_write(s->q, FILE_NAME, text, on_written, s);
	free(text);
}

static void
on_written(void *ctx, int error)
{
	struct spooler *s = ctx;
	char why[160];

	s->keeping->writing = false;
	snprintf(why, sizeof(why),
	    "it could not be written down for a restart: %s", strerror(error));
	if (error != 0)
		log_warn("event=pauses-unwritten file=state/" FILE_NAME
			 " text=\"%s\"",
		    strerror(error));
	answer_all(s, &s->keeping->now, error == 0 ? NULL : why);
	write_file(s);
}

int
keeping_on_steer(void *arg, struct message *m)
{
	struct spooler *s = arg;
	struct keeping *g = s->keeping;
	struct carry_steer steer;
	struct steerer *st;

	if (carry_steer_get(&m->body, &steer) == -1 || *steer.name == '\0')
		return -1;
	if (steer.ticket == 0) {
		if (steer.pause)
			return -1;
		hasten(s);
		return 0;
	}
	/* Somebody may have put it right. What the file says is then not
	 * in force before the next start, but it is not lost. */
	if (g->unreadable)
		read_file(s, g);
	if (g->unreadable) {
		answer(s, steer.ticket, steer.pause,
		    "it is not kept for a restart: state/" FILE_NAME
		    " cannot be read, put it right or take it away");
		return 0;
	}
	if (g->waiting == WAITING_MOST ||
	    !standing_steer(g->standing, &steer)) {
		answer(s, steer.ticket, steer.pause,
		    "it is not kept for a restart: there are too many pauses");
		return 0;
	}
	st = mem_zalloc(sizeof(*st));
	st->ticket = steer.ticket;
	st->pause = steer.pause;
	STAILQ_INSERT_TAIL(&g->next, st, link);
	g->waiting++;
	write_file(s);
	return 0;
}
