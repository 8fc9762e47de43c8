#include "daemon/proc/answer.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/base/hmap.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/cli/exitcode.h"
#include "lib/proto/record.h"

struct counter {
	const char *name;
	const uint64_t *value;
};

struct table {
	const struct answer_entry *entries;
	size_t n;
	void *arg;
};

#define TABLES 4

struct answers {
	enum role role;
	struct peer *control;
	struct hmap *open; /* by ticket */
	struct buf *row; /* the one that is being filled */
	struct table tables[TABLES];
	size_t ntables;
	struct counter *counters;
	size_t ncounters;
	void (*status)(void *arg, struct buf *row);
	void *status_arg;
	void (*count)(void *arg);
	void *count_arg;
	uint64_t started; /* mono_ms */
};

struct answer {
	struct answers *all;
	uint32_t ticket;
	size_t sent; /* octets of rows since the last MORE */
	void (*more)(void *ctx, struct answer *a);
	void (*gone)(void *ctx);
	void *ctx;
	bool cancelled; /* rows go nowhere; the end is awaited */
};

struct buf *
answer_row(struct answer *a)
{
	buf_reset(a->all->row);
	return a->all->row;
}

void
answer_send(struct answer *a)
{
	struct query_row m = { .ticket = a->ticket };

	if (a->cancelled)
		return;
	m.record = buf_data(a->all->row);
	m.len = buf_len(a->all->row);
	a->sent += m.len;
	query_row_put(peer_begin(a->all->control), &m);
	peer_send(a->all->control, QUERY_ROW);
}

bool
answer_full(const struct answer *a)
{
	return !a->cancelled && a->sent >= QUERY_SLICE;
}

void
answer_on_more(struct answer *a, void (*fn)(void *, struct answer *),
    void (*gone)(void *), void *ctx)
{
	a->more = fn;
	a->gone = gone;
	a->ctx = ctx;
}

void
answer_end(struct answer *a, int status, uint32_t done, uint32_t skipped,
    const char *text)
{
	struct query_end m = { .ticket = a->ticket,
		.status = (uint8_t)status,
		.done = done,
		.skipped = skipped,
		.text = text };

	if (!a->cancelled) {
		query_end_put(peer_begin(a->all->control), &m);
		peer_send(a->all->control, QUERY_END);
	}
	hmap_del(a->all->open, a->ticket);
	free(a);
}

static int
answer_role_status(struct answers *all, struct answer *a)
{
	struct buf *row = answer_row(a);

	record_begin(row, "role");
	record_str(row, "role", role_name(all->role));
	record_u64(row, "pid", (uint64_t)getpid());
	record_u64(row, "uptime_s", (mono_ms() - all->started) / 1000);
	if (all->status != NULL)
		all->status(all->status_arg, row);
	answer_send(a);
	answer_end(a, EXIT_DONE, 1, 0, "");
	return 0;
}

static int
answer_role_stats(struct answers *all, struct answer *a)
{
	struct buf *row;
	char *name;
	size_t i;

	if (all->count != NULL)
		all->count(all->count_arg);
	for (i = 0; i < all->ncounters; i++) {
		row = answer_row(a);
		name = mem_printf(
		    "%s.%s", role_name(all->role), all->counters[i].name);
		record_begin(row, "stat");
		record_str(row, "name", name);
		record_u64(row, "value", *all->counters[i].value);
		free(name);
		answer_send(a);
	}
	answer_end(a, EXIT_DONE, (uint32_t)i, 0, "");
	return 0;
}

static int
answer_by_table(struct answers *all, struct answer *a,
    const struct query_ask *q, struct unpack *args)
{
	const struct answer_entry *e;
	size_t t, i;

	for (t = 0; t < all->ntables; t++) {
		for (i = 0; i < all->tables[t].n; i++) {
			e = &all->tables[t].entries[i];
			if (e->what == q->what)
				return e->fn(all->tables[t].arg, a, q, args);
		}
	}
	if (q->what == QUERY_STATUS)
		return answer_role_status(all, a);
	if (q->what == QUERY_STATS)
		return answer_role_stats(all, a);
	answer_end(a, EXIT_SOFTWARE, 0, 0, "this role does not know that");
	return 0;
}

static int
on_ask(void *arg, struct message *m)
{
	struct answers *all = arg;
	struct query_ask q;
	struct answer *a;

	if (query_ask_get(&m->body, &q) == -1 || q.ticket == 0)
		return -1;
	a = mem_zalloc(sizeof(*a));
	a->all = all;
	a->ticket = q.ticket;
	if (hmap_put(all->open, q.ticket, a) != NULL)
		return -1;
	return answer_by_table(all, a, &q, &m->body);
}

static int
on_cancel(void *arg, struct message *m)
{
	struct answers *all = arg;
	struct query_cancel q;
	struct answer *a;

	if (query_cancel_get(&m->body, &q) == -1)
		return -1;
	a = q.ticket == 0 ? NULL : hmap_get(all->open, q.ticket);
	if (a == NULL || a->cancelled)
		return 0;
	a->cancelled = true;
	if (a->gone != NULL) {
		a->gone(a->ctx);
		hmap_del(all->open, a->ticket);
		free(a);
	}
	return 0;
}

static int
on_more(void *arg, struct message *m)
{
	struct answers *all = arg;
	struct query_more q;
	struct answer *a;

	if (query_more_get(&m->body, &q) == -1)
		return -1;
	a = q.ticket == 0 ? NULL : hmap_get(all->open, q.ticket);
	if (a == NULL || a->cancelled)
		return 0;
	a->sent = 0;
	if (a->more != NULL)
		a->more(a->ctx, a);
	return 0;
}

static int
on_trace(void *arg, struct message *m)
{
	struct query_trace q;

	(void)arg;
	if (query_trace_get(&m->body, &q) == -1)
		return -1;
	trace_set(q.mask);
	return 0;
}

static const struct handler from_control[] = {
	{ QUERY_ASK, "query-ask", on_ask },
	{ QUERY_CANCEL, "query-cancel", on_cancel },
	{ QUERY_MORE, "query-more", on_more },
	{ QUERY_TRACE, "query-trace", on_trace },
};

static void
send_line(void *arg, enum trace_sub sub, const char *line)
{
	struct answers *all = arg;
	struct query_line m = { .sub = (uint8_t)sub, .line = line };

	query_line_put(peer_begin(all->control), &m);
	peer_send(all->control, QUERY_LINE);
}

struct answers *
answers_new(enum role role, struct peer *control)
{
	struct answers *all = mem_zalloc(sizeof(*all));

	all->role = role;
	all->control = control;
	all->open = hmap_new();
	all->row = buf_new(QUERY_SLICE / 2);
	all->started = mono_ms();
	peer_handlers(control, from_control,
	    sizeof(from_control) / sizeof(from_control[0]), all);
	trace_hook(send_line, all);
	return all;
}

void
answer_register(
    struct proc *p, const struct answer_entry *entries, size_t n, void *arg)
{
	struct answers *all = proc_answers(p);
	struct table *t;

	if (all->ntables == TABLES)
		fatal("too many tables of answers");
	t = &all->tables[all->ntables++];
	t->entries = entries;
	t->n = n;
	t->arg = arg;
}

void
answer_status(struct proc *p, void (*fn)(void *, struct buf *), void *arg)
{
	proc_answers(p)->status = fn;
	proc_answers(p)->status_arg = arg;
}

void
answer_counter(struct proc *p, const char *name, const uint64_t *value)
{
	struct answers *all = proc_answers(p);
	size_t n = all->ncounters++;

	all->counters =
	    mem_rearray(all->counters, n + 1, sizeof(*all->counters));
	all->counters[n].name = name;
	all->counters[n].value = value;
}

void
answer_count(struct proc *p, void (*fn)(void *), void *arg)
{
	proc_answers(p)->count = fn;
	proc_answers(p)->count_arg = arg;
}
