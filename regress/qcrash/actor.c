#include "regress/qcrash/actor.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "regress/qcrash/mail.h"

#define PATIENCE_MS 20000

/* A change or an end that nobody waits for: it is flushed with whatever goes
 * to the journal after it. */
struct late {
	uint64_t order, evpid;
	unsigned generation; /* 0: an end */
};

struct asked {
	struct work *w;
	uint64_t evpid, order;
	unsigned generation, number;
};

static void
lost(const char *what)
{
	printf("qcrash: workload: %s\n", what);
	fflush(stdout);
	_exit(4);
}

static void
turn(struct work *w, int ms)
{
	struct pollfd p = { queue_fd(w->q), POLLIN, 0 };

	(void)poll(&p, 1, ms);
	queue_turn(w->q);
}

void
act_turns(struct work *w, unsigned ms)
{
	uint64_t until = mono_ms() + ms;

	while (mono_ms() < until)
		turn(w, 2);
}

static void
wait_for(struct work *w, bool *flag)
{
	uint64_t until = mono_ms() + PATIENCE_MS;

	while (flag != NULL ? !*flag : w->open > 0) {
		if (mono_ms() > until)
			lost("no answer");
		turn(w, 20);
	}
}

void
act_wait(struct work *w)
{
	wait_for(w, NULL);
}

uint64_t
act_evpid(const struct work *w, unsigned message, unsigned rcpt)
{
	return ident_evpid(w->sent[message].msgid, rcpt);
}

static void
on_envelope(void *ctx, uint64_t evpid, enum queue_status status,
    const char *text, size_t len, uint64_t size, const char *reason)
{
	struct work *w = ctx;

	(void)status;
	(void)text;
	(void)len;
	(void)size;
	(void)reason;
	w->found = mem_rearray(w->found, w->found_count + 1, sizeof(*w->found));
	w->found[w->found_count++] = evpid;
}

static void
on_loaded(void *ctx)
{
	struct work *w = ctx;

	w->loaded = true;
}

static void
on_bulk(void *ctx, uint64_t bulk, const char *verb, bool all,
    const uint64_t *evpids, size_t n)
{
	struct work *w = ctx;

	(void)all;
	(void)evpids;
	(void)n;
	w->bulk[strtoul(verb + 1, NULL, 10) % 8] = bulk;
}

void
act_recall(struct work *w, const struct qtrace_log *log)
{
	const struct qtrace_record *r;
	const char *word;
	uint64_t at;
	unsigned i;

	for (at = 0; at < log->used; at += r->size) {
		r = (const void *)(log->records + at);
		if (r->call != QTRACE_MARK)
			continue;
		word = (const char *)(r + 1);
		if (strcmp(word, "submit") == 0) {
			w->sent[w->count].msgid = r->mark[0];
			w->sent[w->count++].rcpts = (unsigned)r->mark[1];
		} else if (strcmp(word, "bulk") == 0)
			w->verbs++;
		for (i = 0; strcmp(word, "ack") == 0 && i < w->count; i++)
			if (w->sent[i].msgid == r->mark[0])
				w->sent[i].acked = true;
	}
}

void
act_open(struct work *w, const char *dir)
{
	struct queue_loader loader = { .envelope = on_envelope,
		.bulk = on_bulk,
		.loaded = on_loaded,
		.ctx = w };
	struct queue_options o;
	char err[256];

	workload_options(w->wl, &o);
	o.path = dir;
	if ((w->q = queue_open(&o, err, sizeof(err))) == NULL)
		lost(err);
	queue_load(w->q, &loader);
	wait_for(w, &w->loaded);
}

void
act_close(struct work *w)
{
	queue_close(w->q, 4000);
	w->q = NULL;
}

/* All that went to the journal before is flushed. */
static void
flushed_below(struct work *w, uint64_t order)
{
	size_t i, kept = 0;

	for (i = 0; i < w->late_count; i++) {
		const struct late *l = &w->late[i];

		if (l->order > order)
			w->late[kept++] = *l;
		else if (l->generation == 0)
			qtrace_mark("finished", l->evpid, 0, 0);
		else
			qtrace_mark("changed", l->evpid, l->generation, 0);
	}
	w->late_count = kept;
}

static void
add_late(struct work *w, uint64_t evpid, unsigned generation)
{
	w->late = mem_rearray(w->late, w->late_count + 1, sizeof(*w->late));
	w->late[w->late_count].order = w->order;
	w->late[w->late_count].evpid = evpid;
	w->late[w->late_count++].generation = generation;
}

static struct asked *
ask(struct work *w)
{
	struct asked *a = mem_zalloc(sizeof(*a));

	a->w = w;
	a->order = ++w->order;
	w->open++;
	return a;
}

static void
on_acked(void *ctx, enum queue_status status)
{
	struct asked *a = ctx;
	struct work *w = a->w;
	struct sent *s = &w->sent[a->number];

	w->open--;
	if (status == QUEUE_OK) {
		s->acked = true;
		qtrace_mark("ack", s->msgid, 0, 0);
		flushed_below(w, a->order);
	} else {
		s->refused = true;
		w->refused++;
		qtrace_mark("refused", s->msgid, (uint64_t)status, 0);
	}
	free(a);
}

static struct queue_txn *
begin(struct work *w, size_t size)
{
	enum queue_status why;
	struct queue_txn *t = queue_begin(w->q, &why);
	uint8_t piece[16384];
	size_t at, n;

	if (t == NULL)
		return NULL;
	for (at = 0; at < size; at += n) {
		n = size - at < sizeof(piece) ? size - at : sizeof(piece);
		mail_body(piece, queue_txn_id(t), at, n);
		(void)queue_write(t, piece, n);
	}
	return t;
}

static void
commit(struct work *w, struct queue_txn *t, unsigned rcpts,
    const uint64_t *ends, size_t n)
{
	struct asked *a = ask(w);
	struct queue_text *texts = mem_zarray(rcpts, sizeof(*texts));
	char *room = mem_zalloc(rcpts * (size_t)MAIL_TEXT);
	struct sent *s = &w->sent[w->count];
	unsigned i;

	s->msgid = queue_txn_id(t);
	s->rcpts = rcpts;
	a->number = w->count++;
	for (i = 0; i < rcpts; i++) {
		texts[i].evpid = ident_evpid(s->msgid, i + 1);
		texts[i].text = room + (size_t)i * MAIL_TEXT;
		texts[i].len =
		    mail_text(room + (size_t)i * MAIL_TEXT, texts[i].evpid, 1);
	}
	qtrace_mark("submit", s->msgid, rcpts, queue_txn_size(t));
	for (i = 0; i < n; i++)
		qtrace_mark("ends", ends[i], s->msgid, 0);
	queue_commit(t, texts, rcpts, ends, n, on_acked, a);
	free(texts);
	free(room);
}

unsigned
act_send(struct work *w, unsigned rcpts, size_t size)
{
	struct queue_txn *t = begin(w, size);

	if (t == NULL || w->count == MESSAGES)
		lost("a message was not begun");
	commit(w, t, rcpts, NULL, 0);
	return w->count - 1;
}

void
act_persist(struct work *w, unsigned rcpts, size_t size)
{
	uint64_t until = mono_ms() + PATIENCE_MS;
	struct queue_txn *t;

	for (;;) {
		if ((t = begin(w, size)) != NULL) {
			commit(w, t, rcpts, NULL, 0);
			act_wait(w);
			if (w->sent[w->count - 1].acked)
				return;
		}
		if (mono_ms() > until || w->count == MESSAGES)
			lost("a message was never taken");
		act_turns(w, 5);
	}
}

unsigned
act_bounce(struct work *w, const uint64_t *ends, size_t n, size_t size)
{
	struct queue_txn *t = begin(w, size);

	if (t == NULL)
		lost("a bounce was not begun");
	commit(w, t, 1, ends, n);
	return w->count - 1;
}

void
act_abort(struct work *w, size_t size)
{
	struct queue_txn *t = begin(w, size);

	if (t == NULL)
		lost("a message was not begun");
	act_turns(w, 10);
	queue_abort(t);
}

static void
on_changed(void *ctx, enum queue_status status)
{
	struct asked *a = ctx;
	struct work *w = a->w;

	w->open--;
	if (status == QUEUE_OK) {
		flushed_below(w, a->order);
		if (a->generation == 0)
			qtrace_mark("finished", a->evpid, 0, 0);
		else
			qtrace_mark("changed", a->evpid, a->generation, 0);
	}
	free(a);
}

void
act_change(struct work *w, uint64_t evpid, unsigned generation, bool flush)
{
	char text[MAIL_TEXT];
	size_t len = mail_text(text, evpid, generation);
	struct asked *a = NULL;

	qtrace_mark("change", evpid, generation, 0);
	if (flush) {
		a = ask(w);
		a->evpid = evpid;
		a->generation = generation;
	} else {
		w->order++;
		add_late(w, evpid, generation);
	}
	queue_image(w->q, evpid, text, len, flush ? on_changed : NULL, a);
}

void
act_done(struct work *w, uint64_t evpid, bool flush)
{
	struct asked *a = NULL;

	qtrace_mark("finish", evpid, 0, 0);
	if (flush) {
		a = ask(w);
		a->evpid = evpid;
	} else {
		w->order++;
		add_late(w, evpid, 0);
	}
	queue_done(
	    w->q, evpid, "sent code=250 text=ok", flush ? on_changed : NULL, a);
}

static void
on_synced(void *ctx, enum queue_status status)
{
	struct asked *a = ctx;

	a->w->open--;
	a->w->refused += status != QUEUE_OK;
	if (status == QUEUE_OK)
		qtrace_mark("synced", 0, 0, 0);
	free(a);
}

void
act_sync(struct work *w, bool must)
{
	unsigned refused = w->refused;
	struct asked *a = ask(w);

	queue_sync(w->q, on_synced, a);
	act_wait(w);
	if (must && w->refused > refused)
		lost("files could not be made exact");
}

void
act_trust(struct work *w)
{
	unsigned refused, i;

	for (i = 0; i < 1000; i++) {
		refused = w->refused;
		act_sync(w, false);
		if (w->refused == refused)
			return;
		act_turns(w, 10);
	}
	lost("files are never flushed");
}

static void
on_bulked(void *ctx, enum queue_status status, uint64_t bulk)
{
	struct asked *a = ctx;
	struct work *w = a->w;

	w->open--;
	if (status == QUEUE_OK) {
		w->bulk[a->number] = bulk;
		flushed_below(w, a->order);
		qtrace_mark("bulked", a->number, 0, 0);
	}
	free(a);
}

unsigned
act_bulk(struct work *w, bool all, const uint64_t *evpids, size_t n)
{
	struct asked *a = ask(w);
	uint32_t ids = 0;
	char verb[16];
	size_t i;

	for (i = 0; i < n; i++)
		ids += (uint32_t)(evpids[i] ^ evpids[i] >> 32);
	a->number = w->verbs++;
	snprintf(verb, sizeof(verb), "v%u", a->number);
	qtrace_mark("bulk", a->number, all, ids);
	queue_bulk(w->q, verb, all, evpids, n, on_bulked, a);
	return w->verbs - 1;
}

void
act_bulk_end(struct work *w, unsigned verb)
{
	qtrace_mark("bulkend", verb, 0, 0);
	queue_bulk_done(w->q, w->bulk[verb]);
}

void
act_state(struct work *w, unsigned value)
{
	char text[32];

	snprintf(text, sizeof(text), "%u\n", value);
	qtrace_mark("state", value, 0, 0);
	if (queue_state_put(w->q, "mark", text) == -1)
		lost("state/mark was not written");
	qtrace_mark("stated", value, 0, 0);
}
