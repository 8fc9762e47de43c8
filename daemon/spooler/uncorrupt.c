#include "daemon/spooler/uncorrupt.h"

#include <stdio.h>
#include <stdlib.h>

#include "daemon/spooler/image.h"
#include "daemon/spooler/known.h"
#include "daemon/spooler/spooler.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/cli/exitcode.h"

/* One request, until all its ids are looked at. */
struct request {
	struct spooler *s;
	struct answer *a;
	uint32_t uid;
	unsigned waiting;
	uint32_t done, refused;
	bool later; /* another time it may go */
	char why[256]; /* of the last that was refused */
};

/* An envelope that is to be held. */
struct holding {
	struct spooler *s;
	uint64_t evpid;
};

struct one {
	struct request *r;
	uint64_t id;
};

static void
one_less(struct request *r)
{
	if (--r->waiting > 0)
		return;
	if (r->done == 0 && r->refused == 0)
		answer_end(r->a, EXIT_NOINPUT, 0, 0,
		    "nothing of that id is in corrupt/");
	else
		answer_end(r->a,
		    r->refused == 0   ? EXIT_DONE
			: r->done > 0 ? EXIT_PARTIAL
			: r->later    ? EXIT_TEMPFAIL
				      : EXIT_DATAERR,
		    r->done, r->refused, r->why);
	free(r);
}

static void
on_text(void *ctx, enum queue_status st, const char *text, size_t len)
{
	struct holding *h = ctx;
	struct entry *en = index_find(h->s->index, h->evpid);
	struct envelope e;

	if (en != NULL && st == QUEUE_OK &&
	    envelope_parse(&e, text, len, NULL, 0) == ENVELOPE_OK) {
		e.state = ENVELOPE_HELD;
		e.generation++;
		envelope_set(&e.hold,
		    "reason=brought back from corrupt/; it may have been sent");
		image_write(h->s, en, &e);
		envelope_clear(&e);
	}
	free(h);
}

static void
hold(struct spooler *s, uint64_t evpid)
{
	struct entry *en = index_find(s->index, evpid);
	struct holding *h;

	if (en == NULL)
		return;
	/* Before the scheduler, which hears of it now, asks for it. */
	en->flags |= ENTRY_HELD;
	h = mem_zalloc(sizeof(*h));
	h->s = s;
	h->evpid = evpid;
	queue_envelope(s->q, evpid, on_text, h);
}

static void
on_back(void *ctx, enum queue_status st, const struct queue_back *back,
    size_t n, const char *why)
{
	struct one *o = ctx;
	struct request *r = o->r;
	char id[IDENT_TEXT_MAX], quoted[512];
	size_t i;

	r->later |= st == QUEUE_UNAVAILABLE;
	for (i = 0; i < n; i++) {
		log_info("evpid=%s event=uncorrupted held=%s uid=%u",
		    ident_evpid_text(id, back[i].evpid),
		    back[i].hold ? "yes" : "no", r->uid);
		if (back[i].hold)
			hold(r->s, back[i].evpid);
	}
	known_flush(r->s);
	r->done += (uint32_t)n;
	if (*why != '\0') {
		r->refused++;
		snprintf(r->why, sizeof(r->why), "%s", why);
		log_warn("id=%s event=uncorrupt-refused uid=%u reason=%s",
		    ident_rcpt(o->id) == 0
			? ident_msgid_text(id, ident_msgid(o->id))
			: ident_evpid_text(id, o->id),
		    r->uid, text_quote(quoted, sizeof(quoted), why));
	}
	free(o);
	one_less(r);
}

int
uncorrupt_on_ask(
    void *arg, struct answer *a, const struct query_ask *q, struct unpack *args)
{
	struct request *r = mem_zalloc(sizeof(*r));
	const char *text;
	struct one *o;
	uint64_t id;
	uint16_t i;

	r->s = arg;
	r->a = a;
	r->uid = q->uid;
	r->waiting = 1;
	for (i = 0; i < q->n; i++) {
		text = unpack_str(args);
		if (ident_msgid_parse(text, &id))
			id = ident_evpid(id, 0);
		else if (!ident_evpid_parse(text, &id))
			continue;
		o = mem_zalloc(sizeof(*o));
		o->r = r;
		o->id = id;
		r->waiting++;
		queue_uncorrupt(r->s->q, id, on_back, o);
	}
	one_less(r);
	return 0;
}
