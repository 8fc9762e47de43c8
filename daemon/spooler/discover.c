#include "daemon/spooler/discover.h"

#include <stdio.h>
#include <stdlib.h>

#include "daemon/spooler/known.h"
#include "daemon/spooler/notify.h"
#include "daemon/spooler/spooler.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/cli/exitcode.h"

/* One request, until all its ids are looked at. */
struct search {
	struct spooler *s;
	struct answer *a;
	unsigned waiting;
	uint32_t done, skipped;
	char why[256]; /* of the last that was refused */
};

/* One envelope whose file is being read. */
struct edit {
	struct search *search;
	uint64_t evpid;
};

static void
one_less(struct search *se)
{
	if (--se->waiting > 0)
		return;
	if (se->done == 0 && se->skipped == 0)
		answer_end(se->a, EXIT_NOMATCH, 0, 0,
		    "nothing of that id was found in the queue's files");
	else
		answer_end(se->a,
		    se->skipped == 0   ? EXIT_DONE
			: se->done > 0 ? EXIT_PARTIAL
				       : EXIT_REFUSED,
		    se->done, se->skipped, se->why);
	free(se);
}

static void
refuse(struct search *se, uint64_t evpid, const char *why)
{
	char id[IDENT_TEXT_MAX];

	se->skipped++;
	snprintf(se->why, sizeof(se->why), "%s: %s",
	    ident_evpid_text(id, evpid), why);
}

/* The edited text becomes the envelope, one generation on. */
static void
take_in(struct search *se, struct entry *en, struct envelope *e)
{
	struct spooler *s = se->s;
	struct buf *text = buf_new(ENVELOPE_TEXT_MAX);
	uint64_t size = en->size;
	char id[IDENT_TEXT_MAX];

	e->generation++;
	if (envelope_print(e, text) == -1) {
		refuse(se, e->id, "it has become too long");
		buf_free(text);
		return;
	}
	queue_image(s->q, e->id, buf_text(text), buf_len(text), NULL, NULL);
	buf_free(text);
	known_settled(s, e->id, PLAN_GONE, 0); /* it comes back as new */
	en = index_add(s->index, e, size);
	if (en->flags & ENTRY_FAILED)
		notify_failed(s, ident_msgid(e->id));
	known_add(s, en);
	known_flush(s);
	se->done++;
	log_info("evpid=%s event=discovered generation=%u",
	    ident_evpid_text(id, e->id), e->generation);
}

static void
on_file(
    void *ctx, enum queue_status st, const char *text, size_t len, bool differs)
{
	struct edit *ed = ctx;
	struct search *se = ed->search;
	struct entry *en = index_find(se->s->index, ed->evpid);
	enum envelope_result r;
	struct envelope e;
	char why[200];

	if (en == NULL) {
		refuse(se, ed->evpid, "it has gone meanwhile");
	} else if (en->flags & ENTRY_INFLIGHT) {
		refuse(se, ed->evpid, "it is in flight; try again");
	} else if (st != QUEUE_OK && st != QUEUE_DAMAGED) {
		refuse(se, ed->evpid,
		    "its file cannot be read (smtpctl sync writes files)");
	} else {
		r = envelope_parse(&e, text, len, why, sizeof(why));
		if (r == ENVELOPE_BROKEN || r == ENVELOPE_TORN)
			refuse(se, ed->evpid, why);
		else if (e.id != ed->evpid)
			refuse(se, ed->evpid, "the id line names another");
		else if (!(en->flags & ENTRY_BROKEN) &&
		    e.generation != en->generation)
			refuse(se, ed->evpid,
			    "the file is of another generation than the "
			    "queue's; sync, edit again, then discover");
		else if (!differs && !(en->flags & ENTRY_BROKEN))
			se->done++; /* nothing was changed */
		else
			take_in(se, en, &e);
		envelope_clear(&e);
	}
	free(ed);
	one_less(se);
}

static void
read_edit(void *ctx, struct entry *en)
{
	struct search *se = ctx;
	struct edit *ed = mem_zalloc(sizeof(*ed));

	ed->search = se;
	ed->evpid = en->evpid;
	se->waiting++;
	queue_envelope_file(se->s->q, en->evpid, on_file, ed);
}

static void
on_found(void *ctx, enum queue_status st, unsigned found)
{
	struct search *se = ctx;

	(void)st;
	se->done += found;
	known_flush(se->s);
	one_less(se);
}

int
discover_on_ask(
    void *arg, struct answer *a, const struct query_ask *q, struct unpack *args)
{
	struct search *se = mem_zalloc(sizeof(*se));
	const char *text;
	uint64_t id;
	uint16_t i;

	se->s = arg;
	se->a = a;
	se->waiting = 1;
	for (i = 0; i < q->n; i++) {
		text = unpack_str(args);
		if (index_match(se->s->index, text, UINT16_MAX, read_edit, se) >
		    0)
			continue;
		if (ident_evpid_parse(text, &id))
			id = ident_msgid(id);
		else if (!ident_msgid_parse(text, &id))
			continue;
		se->waiting++;
		queue_discover(se->s->q, id, on_found, se);
	}
	one_less(se);
	return 0;
}
