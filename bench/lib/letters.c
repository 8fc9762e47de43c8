#include "bench/lib/letters.h"

#include <err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/lib/note.h"
#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"

#define T0 INT64_C(1795353669)
#define LIFE (4 * 86400)
#define DOMAINS 397

struct letters {
	struct queue *q;
	struct filler fillers[NOTE_FILLERS];
	struct buf *text;
	unsigned under_way, loaded;
	uint64_t begun, sent, load_us;
	bool ready, synced;
};

static void
on_envelope(void *ctx, uint64_t evpid, enum queue_status status,
    const char *text, size_t len, uint64_t size, const char *reason)
{
	struct letters *l = ctx;

	(void)evpid;
	(void)text;
	(void)len;
	(void)size;
	if (status != QUEUE_OK)
		errx(1, "loading: %s", reason);
	l->loaded++;
}

static void
on_loaded(void *ctx)
{
	((struct letters *)ctx)->ready = true;
}

static void
turn(struct letters *l)
{
	struct pollfd p = { queue_fd(l->q), POLLIN, 0 };

	(void)poll(&p, 1, 100);
	queue_turn(l->q);
}

struct letters *
letters_open(const struct queue_options *o, size_t size)
{
	struct letters *l = mem_zalloc(sizeof(*l));
	struct queue_loader loader = {
		.envelope = on_envelope, .loaded = on_loaded, .ctx = l
	};
	uint64_t start = mono_us();
	char why[256];

	l->q = queue_open(o, why, sizeof(why));
	if (l->q == NULL)
		errx(1, "%s", why);
	queue_load(l->q, &loader);
	while (!l->ready)
		turn(l);
	l->load_us = mono_us() - start;
	note_fillers(l->fillers, size, true);
	l->text = buf_new(1u << 20);
	return l;
}

void
letters_close(struct letters *l, unsigned ms)
{
	unsigned i;

	queue_close(l->q, ms);
	for (i = 0; i < NOTE_FILLERS; i++)
		free(l->fillers[i].wire);
	buf_free(l->text);
	free(l);
}

struct queue *
letters_queue(struct letters *l)
{
	return l->q;
}

unsigned
letters_loaded(const struct letters *l, uint64_t *us)
{
	*us = l->load_us;
	return l->loaded;
}

void
letters_envelope(struct envelope *e, uint64_t evpid, uint64_t i)
{
	static const char *const errors[] = {
		"421 4.7.0 [TSS04] temporarily deferred from mx1.example "
		"[192.0.2.25]",
		"451 4.4.1 connect to mx2.example [192.0.2.26]: timed out",
		"452 4.2.2 mailbox is full from mx3.example [192.0.2.27]",
		NULL,
	};
	char rcpt[96];

	envelope_init(e);
	e->id = evpid;
	e->kind = ENVELOPE_RELAY;
	envelope_set(&e->action, "relay-1");
	envelope_set(&e->sender, i % 5 == 0 ? "" : "news@Shop.Example");
	snprintf(rcpt, sizeof(rcpt), "user%llu@d%llu.Example",
	    (unsigned long long)i, (unsigned long long)(i % DOMAINS));
	envelope_set(&e->recipient, rcpt);
	envelope_set(&e->destination, rcpt);
	envelope_set(&e->from,
	    "smtp [192.0.2.14]:40112 helo mail.shop.example listener lo:25");
	e->arrived = T0 - (int64_t)(i % LIFE);
	e->expires = e->arrived + LIFE;
	e->generation = 1;
	if (errors[i % 4] == NULL)
		return;
	envelope_set(&e->error, errors[i % 4]);
	e->tries = (uint32_t)(i % 9);
	e->last_try = T0 - 60;
	e->next_try = T0 + (int64_t)(i % 3600);
}

static void
on_taken(void *ctx, enum queue_status status)
{
	struct letters *l = ctx;

	if (status != QUEUE_OK)
		errx(1, "a commit failed: is the disk full?");
	l->under_way--;
}

static bool
send_one(struct letters *l, unsigned recipients)
{
	struct queue_text *texts;
	enum queue_status why;
	struct queue_txn *t = queue_begin(l->q, &why);
	const struct filler *f = &l->fillers[l->sent % NOTE_FILLERS];
	struct envelope e;
	size_t *at;
	unsigned i;

	if (t == NULL)
		return false;
	(void)queue_write(t, f->wire, f->len);
	texts = mem_zarray(recipients, sizeof(*texts));
	at = mem_zarray(recipients + 1u, sizeof(*at));
	buf_reset(l->text);
	for (i = 0; i < recipients; i++) {
		texts[i].evpid = ident_evpid(queue_txn_id(t), i + 1);
		letters_envelope(&e, texts[i].evpid, l->sent + i);
		if (envelope_print(&e, l->text) == -1)
			errx(1, "too many recipients");
		envelope_clear(&e);
		at[i + 1] = buf_len(l->text);
	}
	for (i = 0; i < recipients; i++) {
		texts[i].text = buf_text(l->text) + at[i];
		texts[i].len = at[i + 1] - at[i];
	}
	l->under_way++;
	l->sent++;
	queue_commit(t, texts, recipients, NULL, 0, on_taken, l);
	free(texts);
	free(at);
	return true;
}

uint64_t
letters_send(
    struct letters *l, unsigned n, unsigned recipients, unsigned waiting)
{
	uint64_t start = mono_us(), end = l->sent + n;

	while (l->sent < end || l->under_way > 0) {
		while (l->sent < end && l->under_way < waiting &&
		    send_one(l, recipients))
			;
		turn(l);
	}
	return mono_us() - start;
}

static void
on_synced(void *ctx, enum queue_status status)
{
	if (status != QUEUE_OK)
		errx(1, "the files could not be flushed");
	((struct letters *)ctx)->synced = true;
}

uint64_t
letters_sync(struct letters *l)
{
	uint64_t start = mono_us();

	l->synced = false;
	queue_sync(l->q, on_synced, l);
	while (!l->synced)
		turn(l);
	return mono_us() - start;
}
