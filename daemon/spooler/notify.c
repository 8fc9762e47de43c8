#include "daemon/spooler/notify.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/edge/ask.h"
#include "daemon/proc/pending.h"
#include "daemon/spooler/bounce.h"
#include "daemon/spooler/known.h"
#include "daemon/spooler/spooler.h"
#include "lib/base/hmap.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/base/text.h"

#define WAIT_MS 1000 /* for further failures of the same message */
#define AGAIN_MS 60000 /* after what was only temporary */
#define AT_ONCE 16 /* bounces under way; others wait their turn */
#define REPORTED_MAX 500 /* failures of one bounce; more go into a second */
#define BOUNCE_MAX (4u << 20)

enum step {
	WAITING,
	READING,
	ASKING,
	COMMITTING
};

/* A message with failures, until its bounce is committed. */
struct notice {
	struct spooler *s;
	uint64_t msgid;
	enum step step;
	struct event *timer;
	unsigned waiting; /* texts not yet read */
	struct envelope *failed;
	uint64_t *evpids; /* of failed */
	size_t n;
	char *header;
	size_t header_len;
	uint64_t bounce; /* message id */
	uint64_t size;
	struct envelope *sent; /* envelopes of the bounce */
	size_t nsent;
};

struct notify {
	struct hmap *notices; /* by message id */
	struct pending *asked;
	unsigned busy;
};

/* One text that is being read. */
struct reading {
	struct notice *notice;
	uint64_t evpid;
};

struct notify *
notify_new(struct spooler *s)
{
	struct notify *n = mem_zalloc(sizeof(*n));

	(void)s;
	n->notices = hmap_new();
	n->asked = pending_new(AT_ONCE);
	return n;
}

static void
arm(struct notice *n, unsigned ms)
{
	struct timeval tv = { ms / 1000, (suseconds_t)(ms % 1000) * 1000 };

	n->step = WAITING;
	event_add(n->timer, &tv);
}

static void
clear_envelopes(struct envelope *e, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		envelope_clear(&e[i]);
	free(e);
}

/* Forgets what was gathered; the failures stay failures. */
static void
forget(struct notice *n)
{
	clear_envelopes(n->failed, n->n);
	clear_envelopes(n->sent, n->nsent);
	free(n->evpids);
	free(n->header);
	n->failed = n->sent = NULL;
	n->evpids = NULL;
	n->header = NULL;
	n->n = n->nsent = n->header_len = 0;
	n->s->notify->busy--;
}

/* The end of a round: another one for what failed meanwhile, or the end. */
static void
round_over(struct notice *n, unsigned again_ms)
{
	forget(n);
	if (again_ms > 0 || index_any(n->s->index, n->msgid, ENTRY_FAILED)) {
		arm(n, again_ms > 0 ? again_ms : WAIT_MS);
		return;
	}
	hmap_del(n->s->notify->notices, n->msgid);
	event_free(n->timer);
	free(n);
}

/* No bounce can be sent: the failures end with a line in the log. */
static void
give_up(struct notice *n, const char *why)
{
	char id[IDENT_TEXT_MAX], text[512];
	struct entry *en;
	size_t i;

	for (i = 0; i < n->n; i++) {
		log_warn("evpid=%s event=bounce-undeliverable text=%s",
		    ident_evpid_text(id, n->evpids[i]),
		    text_quote(text, sizeof(text), why));
		queue_done(n->s->q, n->evpids[i], "failed, no way to bounce",
		    NULL, NULL);
		en = index_find(n->s->index, n->evpids[i]);
		if (en != NULL)
			index_remove(n->s->index, en);
	}
	round_over(n, 0);
}

static void
committed(void *ctx, enum queue_status st)
{
	struct notice *n = ctx;
	struct spooler *s = n->s;
	char id[IDENT_TEXT_MAX], of[IDENT_TEXT_MAX];
	struct entry *en;
	size_t i;

	if (st != QUEUE_OK) {
		round_over(n, AGAIN_MS);
		return;
	}
	for (i = 0; i < n->n; i++) {
		en = index_find(s->index, n->evpids[i]);
		if (en != NULL)
			index_remove(s->index, en);
	}
	for (i = 0; i < n->nsent; i++)
		known_add(s, index_add(s->index, &n->sent[i], n->size));
	known_flush(s);
	s->count.bounces++;
	log_info("msgid=%s event=bounce original=%s failures=%zu",
	    ident_msgid_text(id, n->bounce), ident_msgid_text(of, n->msgid),
	    n->n);
	round_over(n, 0);
}

/* The last line of history tells apart who said it and what: "WHEN RESULT
 * remote=HOST [ADDRESS] status=REPLY". Cuts the line where the host ends. */
static void
last_words(struct envelope *e, struct bounce_failure *f)
{
	char *line, *remote, *status;

	f->status = e->error == NULL ? "" : e->error;
	f->remote = "";
	if (e->histories == 0)
		return;
	line = e->history[e->histories - 1];
	remote = strstr(line, " remote=");
	status = remote == NULL ? NULL : strstr(remote, " status=");
	if (status == NULL)
		return;
	*status = '\0';
	f->status = status + strlen(" status=");
	f->remote = remote + strlen(" remote=");
	if (strcmp(f->remote, "-") == 0)
		f->remote = "";
}

static struct buf *
write_bounce(struct notice *n)
{
	struct bounce_failure *f = mem_zarray(n->n, sizeof(*f));
	struct buf *out = buf_new(BOUNCE_MAX);
	struct envelope *e;
	struct bounce b = { 0 };
	size_t i;

	for (i = 0; i < n->n; i++) {
		e = &n->failed[i];
		f[i].recipient = e->recipient;
		f[i].destination = e->destination;
		last_words(e, &f[i]);
		f[i].last_try = e->last_try;
		f[i].expired = e->last_try >= e->expires;
	}
	b.hostname = n->s->conf->hostname;
	b.msgid = n->bounce;
	b.original = n->msgid;
	b.sender = n->failed[0].sender;
	b.arrived = n->failed[0].arrived;
	b.now = mono_wall();
	b.failures = f;
	b.n = n->n;
	b.header = n->header == NULL ? "" : n->header;
	b.header_len = n->header_len;
	if (bounce_write(&b, out) == -1) {
		buf_free(out);
		out = NULL;
	}
	free(f);
	return out;
}

/* The bounce's own envelope, for one target of its recipient. */
static void
address_bounce(struct notice *n, const struct ask_target *t)
{
	struct envelope *e;
	int64_t now = mono_wall();

	n->sent = mem_rearray(n->sent, n->nsent + 1, sizeof(*n->sent));
	e = &n->sent[n->nsent];
	envelope_init(e);
	e->id = ident_evpid(n->bounce, (unsigned)n->nsent + 1);
	e->state = ENVELOPE_QUEUED;
	e->kind = ENVELOPE_BOUNCE;
	envelope_set(&e->action, t->action);
	envelope_set(&e->sender, "");
	envelope_set(&e->recipient, n->failed[0].sender);
	envelope_set(&e->destination, t->destination);
	envelope_set(&e->from, "local bounce");
	e->arrived = now;
	e->expires = now + n->s->conf->bounce_ttl;
	e->next_try = now;
	e->generation = 1;
	n->nsent++;
}

/* A target that makes no envelope is as good as none. */
static void
drop_unprintable(struct notice *n)
{
	struct buf *text = buf_new(ENVELOPE_TEXT_MAX);
	size_t i, kept = 0;

	for (i = 0; i < n->nsent; i++) {
		buf_reset(text);
		if (envelope_print(&n->sent[i], text) == -1)
			envelope_clear(&n->sent[i]);
		else
			n->sent[kept++] = n->sent[i];
	}
	n->nsent = kept;
	buf_free(text);
}

static void
commit(struct notice *n, struct queue_txn *txn)
{
	struct queue_text *texts = mem_zarray(n->nsent, sizeof(*texts));
	struct buf **bufs = mem_zarray(n->nsent, sizeof(*bufs));
	size_t i;

	for (i = 0; i < n->nsent; i++) {
		bufs[i] = buf_new(ENVELOPE_TEXT_MAX);
		(void)envelope_print(&n->sent[i], bufs[i]);
		texts[i].evpid = n->sent[i].id;
		texts[i].text = buf_text(bufs[i]);
		texts[i].len = buf_len(bufs[i]);
	}
	n->step = COMMITTING;
	queue_commit(txn, texts, n->nsent, n->evpids, n->n, committed, n);
	for (i = 0; i < n->nsent; i++)
		buf_free(bufs[i]);
	free(bufs);
	free(texts);
}

static int
on_answer(void *arg, struct message *m)
{
	struct spooler *s = arg;
	struct queue_txn *txn;
	enum queue_status why;
	struct ask_target t;
	struct ask_answer a;
	struct buf *text;
	struct notice *n;
	unsigned i;

	if (ask_answer_get(&m->body, &a) == -1)
		return -1;
	n = pending_take(s->notify->asked, a.ticket);
	if (n == NULL)
		return 0;
	if (a.verdict == ASK_REJECT || (a.verdict == ASK_ACCEPT && a.n == 0)) {
		give_up(n, a.reply);
		return 0;
	}
	txn = a.verdict == ASK_ACCEPT ? queue_begin(s->q, &why) : NULL;
	if (txn == NULL) {
		round_over(n, AGAIN_MS);
		return 0;
	}
	n->bounce = queue_txn_id(txn);
	for (i = 0; i < a.n; i++) {
		if (ask_target_get(&m->body, &t) == -1)
			return -1;
		address_bounce(n, &t);
	}
	drop_unprintable(n);
	text = n->nsent == 0 ? NULL : write_bounce(n);
	if (text == NULL) {
		queue_abort(txn);
		give_up(n,
		    n->nsent == 0 ? "its sender leads nowhere"
				  : "the bounce would be too long");
		return unpack_done(&m->body);
	}
	n->size = buf_len(text);
	queue_write(txn, buf_data(text), buf_len(text));
	buf_free(text);
	commit(n, txn);
	return unpack_done(&m->body);
}

static void
ask(struct notice *n)
{
	struct peer *lookup = proc_peer(n->s->proc, ROLE_LOOKUP);
	struct ask_rcpt q = { .client = "local", .sender = "" };

	if (n->n == 0) { /* none could be read */
		round_over(n, AGAIN_MS);
		return;
	}
	n->step = ASKING;
	q.recipient = n->failed[0].sender;
	q.ticket = pending_park(n->s->notify->asked, n);
	if (q.ticket == 0) {
		round_over(n, WAIT_MS);
		return;
	}
	ask_rcpt_put(peer_begin(lookup), &q);
	peer_send(lookup, ASK_RCPT);
}

static void
on_header(void *ctx, enum queue_status st, const uint8_t *data, size_t len,
    uint64_t total)
{
	struct notice *n = ctx;
	const uint8_t *end;

	(void)total;
	if (st == QUEUE_OK) {
		end = memmem(data, len, "\r\n\r\n", 4);
		n->header_len = end == NULL ? len : (size_t)(end - data) + 2;
		n->header = mem_strndup((const char *)data, n->header_len);
	}
	ask(n);
}

/* Somebody removed its file: there is nothing left to tell of. */
static void
taken_away(struct spooler *s, uint64_t evpid)
{
	struct entry *en = index_find(s->index, evpid);
	char id[IDENT_TEXT_MAX];

	log_warn("evpid=%s event=gone text=its file was taken away",
	    ident_evpid_text(id, evpid));
	queue_done(s->q, evpid, "gone", NULL, NULL);
	if (en != NULL)
		index_remove(s->index, en);
}

static void
on_text(void *ctx, enum queue_status st, const char *text, size_t len)
{
	struct reading *r = ctx;
	struct notice *n = r->notice;
	struct envelope e;

	if (st == QUEUE_OK &&
	    envelope_parse(&e, text, len, NULL, 0) == ENVELOPE_OK) {
		n->failed[n->n] = e;
		n->evpids[n->n] = r->evpid;
		n->n++;
	} else if (st == QUEUE_OK) {
		envelope_clear(&e);
	} else if (st == QUEUE_GONE) {
		taken_away(n->s, r->evpid);
	}
	free(r);
	if (--n->waiting == 0)
		queue_body(
		    n->s->q, n->msgid, 0, BOUNCE_HEADER_MAX, on_header, n);
}

static void
read_failures(struct notice *n)
{
	uint64_t ids[REPORTED_MAX];
	struct spooler *s = n->s;
	struct reading *r;
	struct entry *en;
	size_t i, found = 0;
	unsigned from = 0;

	while (found < REPORTED_MAX && from <= IDENT_RCPT_MAX &&
	    (en = index_of_message(s->index, n->msgid, from)) != NULL) {
		from = ident_rcpt(en->evpid) + 1;
		if (en->flags & ENTRY_FAILED)
			ids[found++] = en->evpid;
	}
	n->step = READING;
	s->notify->busy++;
	if (found == 0) {
		round_over(n, 0);
		return;
	}
	n->failed = mem_zarray(found, sizeof(*n->failed));
	n->evpids = mem_zarray(found, sizeof(*n->evpids));
	n->waiting = (unsigned)found;
	for (i = 0; i < found; i++) {
		r = mem_zalloc(sizeof(*r));
		r->notice = n;
		r->evpid = ids[i];
		queue_envelope(s->q, ids[i], on_text, r);
	}
}

static void
on_timer(int fd, short what, void *arg)
{
	struct notice *n = arg;

	(void)fd;
	(void)what;
	if (n->s->notify->busy >= AT_ONCE)
		arm(n, WAIT_MS);
	else
		read_failures(n);
}

void
notify_failed(struct spooler *s, uint64_t msgid)
{
	struct notice *n = hmap_get(s->notify->notices, msgid);

	if (n != NULL)
		return; /* its round is still to come, or another follows */
	n = mem_zalloc(sizeof(*n));
	n->s = s;
	n->msgid = msgid;
	n->timer = evtimer_new(proc_base(s->proc), on_timer, n);
	if (n->timer == NULL)
		fatal("out of memory: a timer");
	hmap_put(s->notify->notices, msgid, n);
	arm(n, WAIT_MS);
}

const struct handler notify_handlers[NOTIFY_HANDLERS] = {
	{ ASK_ANSWER, "ask-answer", on_answer },
};
