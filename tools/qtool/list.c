/*
 * list - envelopes, a line each
 *
 * Threads make records bucket by bucket; they are printed as they come, in the
 * order of ids, unless another order is asked for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "tools/qtool/commands.h"
#include "tools/qtool/sight.h"

#define PART_MAX (1024u * 1024 * 1024)

struct list {
	struct qtool *t;
	uint64_t n, locked;
	char kid[KEYRING_KID + 1]; /* one that is missing */
};

struct part {
	struct list *l;
	struct buf *rows; /* each: its length, and the record */
	struct buf *row;
	uint64_t n, locked;
	char kid[KEYRING_KID + 1];
};

static void *
begin(void *ctx, unsigned bucket)
{
	struct part *p = mem_zalloc(sizeof(*p));

	(void)bucket;
	p->l = ctx;
	p->rows = buf_new(PART_MAX);
	p->row = buf_new(SIGHT_RECORD_MAX);
	return p;
}

static void
on_envelope(void *part, const struct view_envelope *ve)
{
	struct part *p = part;
	struct sight s;
	size_t len;

	sight_read(&s, ve, p->l->t->now);
	if (!s.removed) {
		buf_reset(p->row);
		sight_put(&s, p->l->t->busy, p->row);
		len = buf_len(p->row);
		buf_put(p->rows, &len, sizeof(len));
		buf_put(p->rows, buf_data(p->row), len);
		p->n++;
		if (strcmp(s.state, "locked") == 0) {
			p->locked++;
			memcpy(p->kid,
			    ve->kid[0] != '\0' ? ve->kid : ve->message->kid,
			    sizeof(p->kid));
		}
	}
	sight_clear(&s);
}

static bool
end(void *ctx, void *part)
{
	struct list *l = ctx;
	struct part *p = part;
	const uint8_t *at = buf_data(p->rows), *last = at + buf_len(p->rows);
	size_t len;

	for (; at < last; at += sizeof(len) + len) {
		memcpy(&len, at, sizeof(len));
		(void)out_record(l->t->out, at + sizeof(len), len);
	}
	l->n += p->n;
	l->locked += p->locked;
	if (p->kid[0] != '\0')
		memcpy(l->kid, p->kid, sizeof(l->kid));
	buf_free(p->rows);
	buf_free(p->row);
	free(p);
	return ferror(stdout) == 0;
}

int
list_run(struct qtool *t, int argc, char *argv[])
{
	struct list l = { .t = t };
	struct view_visitor to = {
		.begin = begin, .envelope = on_envelope, .end = end, .ctx = &l
	};
	int opt, code;

	while ((opt = qtool_getopt(t, argc, argv, "", NULL)) != -1)
		return EXIT_USAGE;
	code = qtool_open(t);
	if (code != EXIT_DONE)
		return code;
	qtool_begin(t, OUT_LIST);
	(void)view_walk(t->view, &to, VIEW_TEXTS | VIEW_HEADS);
	(void)qtool_end(t, EXIT_DONE, l.n, 0, "");
	if (l.locked > 0)
		qtool_note(t,
		    "%llu envelopes are locked: the key %s is not at "
		    "hand",
		    (unsigned long long)l.locked, l.kid);
	return EXIT_DONE;
}
