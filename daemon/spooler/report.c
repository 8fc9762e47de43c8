#include "daemon/spooler/report.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/edge/intake.h"
#include "daemon/edge/plan.h"
#include "daemon/proc/answer.h"
#include "daemon/spooler/discover.h"
#include "daemon/spooler/sealing.h"
#include "daemon/spooler/spooler.h"
#include "daemon/spooler/uncorrupt.h"
#include "daemon/spooler/unusable.h"
#include "daemon/spooler/why.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/cli/exitcode.h"
#include "lib/proto/record.h"

#define TURN_ROWS 128
#define MATCHES 65536 /* envelopes one id may name */
#define PIECE (32u * 1024)
#define LOCKED "it is sealed by a key that is not in the key ring"

static const char *
state_of(const struct entry *en, uint32_t now)
{
	if (en->flags & ENTRY_LOCKED)
		return "locked";
	if (en->flags & ENTRY_BROKEN)
		return "broken";
	if (en->flags & ENTRY_INFLIGHT)
		return "inflight";
	if (en->flags & ENTRY_FAILED)
		return "bounce";
	if (en->flags & (ENTRY_HELD | ENTRY_NO_ACTION))
		return "held";
	return en->next_try <= now ? "ready" : "deferred";
}

static const char *
type_of(const struct entry *en)
{
	if (en->kind == ENVELOPE_BOUNCE)
		return "bounce";
	return en->kind == ENVELOPE_RELAY ? "mta" : "mda";
}

static void
send_row(struct answer *a, const struct entry *en)
{
	char evpid[IDENT_TEXT_MAX], msgid[IDENT_TEXT_MAX];
	struct buf *b = answer_row(a);

	record_begin(b, "envelope");
	record_str(b, "evpid", ident_evpid_text(evpid, en->evpid));
	record_str(b, "msgid", ident_msgid_text(msgid, ident_msgid(en->evpid)));
	record_u64(b, "gen", en->generation);
	record_str(b, "state", state_of(en, (uint32_t)mono_wall()));
	record_str(b, "type", type_of(en));
	record_str(b, "action", en->action);
	record_str(b, "sender", en->sender);
	record_str(b, "rcpt", entry_recipient(en));
	record_str(b, "dest", entry_destination(en));
	record_u64(b, "arrival_time", en->arrived);
	record_u64(b, "expires", en->expires);
	record_u64(b, "tries", en->tries);
	record_u64(b, "last_try", en->last_try);
	record_u64(b, "next_try", en->next_try);
	record_u64(b, "message_size", en->size);
	if (*en->error != '\0')
		record_str(b, "error", en->error);
	if (en->flags & ENTRY_NO_ACTION)
		record_str(
		    b, "hold_reason", "its action is not in the configuration");
	answer_send(a);
}

/* A walk over the index on behalf of one caller. */
struct listing {
	struct spooler *s;
	struct answer *a;
	struct index_walk walk;
	struct event *turn;
	uint32_t n;
};

static void
listing_free(struct listing *l)
{
	index_walk_end(l->s->index, &l->walk);
	event_free(l->turn);
	free(l);
}

static void
on_gone(void *ctx)
{
	listing_free(ctx);
}

static void
on_turn(int fd, short what, void *arg)
{
	static const struct timeval now = { 0, 0 };
	struct listing *l = arg;
	struct entry *en;
	int i;

	(void)fd;
	(void)what;
	for (i = 0; i < TURN_ROWS && !answer_full(l->a); i++) {
		en = index_walk_next(l->s->index, &l->walk);
		if (en == NULL) {
			answer_end(l->a, EXIT_DONE, l->n, 0,
			    l->s->loaded ? ""
					 : "the queue is still being read");
			listing_free(l);
			return;
		}
		send_row(l->a, en);
		l->n++;
	}
	if (!answer_full(l->a))
		event_add(l->turn, &now);
}

static void
on_more(void *ctx, struct answer *a)
{
	(void)a;
	on_turn(-1, 0, ctx);
}

static void
list_all(struct spooler *s, struct answer *a)
{
	struct listing *l = mem_zalloc(sizeof(*l));

	l->s = s;
	l->a = a;
	l->turn = evtimer_new(proc_base(s->proc), on_turn, l);
	if (l->turn == NULL)
		fatal("out of memory: a timer");
	index_walk_start(s->index, &l->walk);
	answer_on_more(a, on_more, on_gone, l);
	on_turn(-1, 0, l);
}

/* Ids given as arguments, each resolved by the index. */
struct matching {
	struct spooler *s;
	struct answer *a;
	struct entry *last;
};

static void
row_of_match(void *ctx, struct entry *en)
{
	struct matching *m = ctx;

	send_row(m->a, en);
	m->last = en;
}

static void
keep_match(void *ctx, struct entry *en)
{
	struct matching *m = ctx;

	m->last = en;
}

static void
end_unknown(struct answer *a, const char *id, int found)
{
	char text[256];

	if (found < 0)
		snprintf(text, sizeof(text),
		    "'%.40s' is no id: 16 hex digits name an envelope, 12 a "
		    "message, and reading takes a prefix of 6 or more",
		    id);
	else if (found == 0)
		snprintf(text, sizeof(text), "no envelope %.40s", id);
	else
		snprintf(text, sizeof(text),
		    "%.40s is the beginning of several ids; give more of it",
		    id);
	answer_end(a, found < 0 ? EXIT_USAGE : EXIT_NOINPUT, 0, 0, text);
}

static int
on_queue(
    void *arg, struct answer *a, const struct query_ask *q, struct unpack *args)
{
	struct matching m = { .s = arg, .a = a };
	uint32_t n = 0;
	const char *id;
	uint16_t i;
	int found;

	if (q->n == 0) {
		list_all(m.s, a);
		return 0;
	}
	for (i = 0; i < q->n; i++) {
		id = unpack_str(args);
		if (q->n == 1 && strcmp(id, "all") == 0) {
			list_all(m.s, a);
			return 0;
		}
		found = index_match(m.s->index, id, MATCHES, row_of_match, &m);
		if (found <= 0) {
			end_unknown(a, id, found);
			return 0;
		}
		n += (uint32_t)found;
	}
	answer_end(a, EXIT_DONE, n, 0, "");
	return 0;
}

static void
send_text(struct answer *a, const char *text, size_t len)
{
	struct buf *b = answer_row(a);
	char *copy = mem_strndup(text, len);

	record_begin(b, "message");
	record_str(b, "text", copy);
	free(copy);
	answer_send(a);
}

static void
on_envelope_text(void *ctx, enum queue_status st, const char *text, size_t len)
{
	struct answer *a = ctx;

	if (len > 0)
		send_text(a, text, len);
	if (st == QUEUE_OK)
		answer_end(a, EXIT_DONE, 1, 0, "");
	else
		answer_end(a, st == QUEUE_GONE ? EXIT_NOINPUT : EXIT_DATAERR, 0,
		    0,
		    st == QUEUE_GONE         ? "its file is gone"
			: st == QUEUE_LOCKED ? LOCKED
					     : "it cannot be read as an "
					       "envelope");
}

/* Exactly one envelope, named by an id or a prefix; else the answer ends. */
static struct entry *
one_match(struct spooler *s, struct answer *a, const struct query_ask *q,
    struct unpack *args, bool message)
{
	struct matching m = { .s = s, .a = a };
	const char *id;
	int found;

	if (q->n != 1) {
		answer_end(a, EXIT_USAGE, 0, 0, "one id is wanted");
		return NULL;
	}
	id = unpack_str(args);
	found = index_match(s->index, id, MATCHES, keep_match, &m);
	if (found == 1 ||
	    (found > 1 && message && strlen(id) >= IDENT_MSGID_DIGITS))
		return m.last;
	end_unknown(a, id, found);
	return NULL;
}

static int
on_envelope(
    void *arg, struct answer *a, const struct query_ask *q, struct unpack *args)
{
	struct spooler *s = arg;
	struct entry *en = one_match(s, a, q, args, false);

	if (en != NULL)
		queue_envelope(s->q, en->evpid, on_envelope_text, a);
	return 0;
}

/* A message on its way to a caller, piece by piece. */
struct showing {
	struct spooler *s;
	struct answer *a;
	uint64_t msgid, offset;
	bool reading, gone;
};

static void show_next(struct showing *sh);

static void
on_show_more(void *ctx, struct answer *a)
{
	struct showing *sh = ctx;

	(void)a;
	if (!sh->reading)
		show_next(sh);
}

static void
on_show_gone(void *ctx)
{
	struct showing *sh = ctx;

	sh->gone = true;
	if (!sh->reading)
		free(sh);
}

static void
on_piece(void *ctx, enum queue_status st, const uint8_t *data, size_t len,
    uint64_t total)
{
	struct showing *sh = ctx;

	sh->reading = false;
	if (sh->gone) {
		free(sh);
		return;
	}
	if (st != QUEUE_OK) {
		answer_end(sh->a, EXIT_DATAERR, 0, 0,
		    st == QUEUE_LOCKED ? LOCKED
				       : "the message file cannot be read");
		free(sh);
		return;
	}
	send_text(sh->a, (const char *)data, len);
	sh->offset += len;
	if (sh->offset >= total || len == 0) {
		answer_end(sh->a, EXIT_DONE, 1, 0, "");
		free(sh);
		return;
	}
	if (!answer_full(sh->a))
		show_next(sh);
}

static void
show_next(struct showing *sh)
{
	sh->reading = true;
	queue_body(sh->s->q, sh->msgid, sh->offset, PIECE, on_piece, sh);
}

static int
on_message(
    void *arg, struct answer *a, const struct query_ask *q, struct unpack *args)
{
	struct spooler *s = arg;
	struct entry *en = one_match(s, a, q, args, true);
	struct showing *sh;

	if (en == NULL)
		return 0;
	sh = mem_zalloc(sizeof(*sh));
	sh->s = s;
	sh->a = a;
	sh->msgid = ident_msgid(en->evpid);
	answer_on_more(a, on_show_more, on_show_gone, sh);
	show_next(sh);
	return 0;
}

void
report_pauses(struct spooler *s)
{
	struct peer *scheduler = proc_peer(s->proc, ROLE_SCHEDULER);
	struct peer *smtp = proc_peer(s->proc, ROLE_SMTP);
	struct plan_pause relay = { .kind = PLAN_RELAY,
		.paused = s->paused_mta };
	struct plan_pause local = { .kind = PLAN_LOCAL,
		.paused = s->paused_mda };
	struct intake_pause in = { .paused = s->paused_smtp };

	plan_pause_put(peer_begin(scheduler), &relay);
	peer_send(scheduler, PLAN_PAUSE);
	plan_pause_put(peer_begin(scheduler), &local);
	peer_send(scheduler, PLAN_PAUSE);
	intake_pause_put(peer_begin(smtp), &in);
	peer_send(smtp, INTAKE_PAUSE);
}

static int
pause_or_resume(struct spooler *s, struct answer *a, const struct query_ask *q,
    struct unpack *args, bool paused)
{
	const char *what = q->n == 1 ? unpack_str(args) : "";
	char state[64];

	if (strcmp(what, "mta") == 0) {
		s->paused_mta = paused;
	} else if (strcmp(what, "mda") == 0) {
		s->paused_mda = paused;
	} else if (strcmp(what, "smtp") == 0) {
		s->paused_smtp = paused;
	} else {
		answer_end(a, EXIT_USAGE, 0, 0, "mta, mda or smtp is wanted");
		return 0;
	}
	snprintf(state, sizeof(state), "%s%s%s", s->paused_mta ? "mta\n" : "",
	    s->paused_mda ? "mda\n" : "", s->paused_smtp ? "smtp\n" : "");
	report_pauses(s);
	log_info("event=%s what=%s uid=%u", paused ? "paused" : "resumed", what,
	    q->uid);
	if (queue_state_put(s->q, "pauses", state) == -1)
		answer_end(a, EXIT_IOERR, 1, 0,
		    "done, but it could not be written down for a restart");
	else
		answer_end(a, EXIT_DONE, 1, 0, "");
	return 0;
}

static int
on_pause(
    void *arg, struct answer *a, const struct query_ask *q, struct unpack *args)
{
	return pause_or_resume(arg, a, q, args, true);
}

static int
on_resume(
    void *arg, struct answer *a, const struct query_ask *q, struct unpack *args)
{
	return pause_or_resume(arg, a, q, args, false);
}

static void
on_synced(void *ctx, enum queue_status st)
{
	answer_end(ctx, st == QUEUE_OK ? EXIT_DONE : EXIT_IOERR, 0, 0,
	    st == QUEUE_OK ? "" : "the files could not all be written");
}

static int
on_sync(
    void *arg, struct answer *a, const struct query_ask *q, struct unpack *args)
{
	struct spooler *s = arg;

	(void)q;
	(void)args;
	queue_sync(s->q, on_synced, a);
	return 0;
}

static const struct answer_entry answers[] = {
	{ QUERY_QUEUE, on_queue },
	{ QUERY_ENVELOPE, on_envelope },
	{ QUERY_MESSAGE, on_message },
	{ QUERY_PAUSE, on_pause },
	{ QUERY_RESUME, on_resume },
	{ QUERY_SYNC, on_sync },
	{ QUERY_DISCOVER, discover_on_ask },
	{ QUERY_UNCORRUPT, uncorrupt_on_ask },
	{ QUERY_WHY, why_on_ask },
};

static void
add_alarm(struct spooler *s, struct buf *row, const char *first)
{
	size_t n = unusable_count(s->unusable, s->index);
	char text[512];

	if (n > 0)
		snprintf(text, sizeof(text),
		    "%s%s%zu envelopes cannot be used: see show queue", first,
		    *first == '\0' ? "" : "; ", n);
	else
		snprintf(text, sizeof(text), "%s", first);
	record_str(row, "alarm", text);
}

static void
add_status(void *arg, struct buf *row)
{
	struct spooler *s = arg;
	struct queue_stats st;

	queue_stats(s->q, &st);
	record_u64(row, "envelopes", index_count(s->index));
	record_u64(row, "messages", st.messages);
	record_bool(row, "loaded", s->loaded);
	record_bool(row, "paused_mta", s->paused_mta);
	record_bool(row, "paused_mda", s->paused_mda);
	record_bool(row, "paused_smtp", s->paused_smtp);
	record_u64(row, "body_bytes", st.body_bytes);
	record_u64(row, "journal_bytes", st.journal_size);
	record_u64(row, "journal_used_bytes", st.journal_used);
	record_u64(row, "free_blocks_percent", st.free_blocks_percent);
	record_u64(row, "free_inodes_percent", st.free_inodes_percent);
	record_bool(row, "full", st.full);
	record_u64(row, "anomalies", st.anomalies);
	record_u64(row, "corrupt_files", st.corrupt);
	sealing_status(s, &st, row);
	add_alarm(s, row, *st.alarm == '\0' ? s->keys_alarm : st.alarm);
}

static void
take_stats(void *arg)
{
	struct spooler *s = arg;

	queue_stats(s->q, &s->stats);
}

static void
count_queue(struct spooler *s)
{
	struct proc *p = s->proc;

	answer_count(p, take_stats, s);
	answer_counter(p, "commits", &s->stats.commits);
	answer_counter(p, "journal_groups", &s->stats.groups);
	answer_counter(p, "journal_flushes", &s->stats.flushes);
	answer_counter(p, "journal_flush_us_p50", &s->stats.flush_us_p50);
	answer_counter(p, "journal_flush_us_p99", &s->stats.flush_us_p99);
	answer_counter(p, "journal_flush_us_max", &s->stats.flush_us_max);
	answer_counter(p, "settled", &s->stats.settled);
	answer_counter(p, "unlinked", &s->stats.unlinked);
	answer_counter(p, "reads_from_memory", &s->stats.hits);
	answer_counter(p, "reads_from_files", &s->stats.misses);
	answer_counter(p, "cached_bytes", &s->stats.cached_bytes);
}

void
report_start(struct spooler *s)
{
	static const struct {
		const char *name;
		size_t at;
	} counters[] = {
		{ "received", offsetof(struct spooler_counters, received) },
		{ "envelopes", offsetof(struct spooler_counters, envelopes) },
		{ "delivered", offsetof(struct spooler_counters, delivered) },
		{ "deferred", offsetof(struct spooler_counters, deferred) },
		{ "failed", offsetof(struct spooler_counters, failed) },
		{ "expired", offsetof(struct spooler_counters, expired) },
		{ "removed", offsetof(struct spooler_counters, removed) },
		{ "bounces", offsetof(struct spooler_counters, bounces) },
		{ "inflight", offsetof(struct spooler_counters, inflight) },
	};
	size_t i;

	answer_register(
	    s->proc, answers, sizeof(answers) / sizeof(answers[0]), s);
	answer_status(s->proc, add_status, s);
	for (i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		answer_counter(s->proc, counters[i].name,
		    (const uint64_t *)((const char *)&s->count +
			counters[i].at));
	count_queue(s);
}
