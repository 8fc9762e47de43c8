/*
 * view_journal - the journal laid out by message, in memory
 *
 * A running daemon appends while this reads, and takes segments that have come
 * free: when a segment's head changes meanwhile, or a record seems to be
 * missing in the middle, it reads again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "queue/envfile.h"
#include "queue/replay.h"
#include "queue/view_inside.h"

#define TRIES 5
#define PAUSE_NS (20L * 1000 * 1000)
#define PARTS_MOST 65536 /* of one verb */

static struct view_entry *
entry_make(struct view *v, uint64_t msgid)
{
	struct view_entry *e = hmap_get(v->entries, msgid);

	if (e != NULL)
		return e;
	e = mem_zalloc(sizeof(*e));
	e->msgid = msgid;
	(void)hmap_put(v->entries, msgid, e);
	return e;
}

struct view_leaf *
view_entry_leaf(const struct view_entry *e, unsigned rcpt)
{
	unsigned i;

	for (i = 0; i < e->leaves; i++)
		if (e->leaf[i].rcpt == rcpt)
			return &e->leaf[i];
	return NULL;
}

static struct view_leaf *
leaf_make(struct view_entry *e, unsigned rcpt)
{
	struct view_leaf *l;

	/* Records name recipients in order: mostly it is the next one. */
	l = e->leaves > 0 && e->leaf[e->leaves - 1].rcpt < rcpt
	    ? NULL
	    : view_entry_leaf(e, rcpt);
	if (l != NULL)
		return l;
	if (e->leaves == e->room) {
		e->room = e->room == 0 ? 1 : e->room * 2;
		e->leaf = mem_rearray(e->leaf, e->room, sizeof(*e->leaf));
	}
	/* In their order. */
	for (l = e->leaf + e->leaves; l > e->leaf && l[-1].rcpt > rcpt; l--)
		*l = l[-1];
	memset(l, 0, sizeof(*l));
	l->rcpt = (uint16_t)rcpt;
	e->leaves++;
	return l;
}

static void
leaf_text(struct view_leaf *l, const char *text, size_t len)
{
	free(l->text);
	l->text = mem_zalloc(len + 1);
	memcpy(l->text, text, len);
	l->len = len;
}

static void
leaf_end(struct view_entry *e, unsigned rcpt)
{
	struct view_leaf *l = leaf_make(e, rcpt);

	free(l->text);
	l->text = NULL;
	l->done = true;
}

/* False: an envelope of it does not fit its check line. */
static bool
take_record(struct view_entry *e, const char *record, size_t len)
{
	struct view_leaf *l;
	uint64_t id;
	size_t at, n;

	for (at = 0; (n = envfile_first(record + at, len - at)) > 0; at += n)
		if (envfile_check(record + at, n) != ENVFILE_WHOLE)
			return false;
	for (at = 0; (n = envfile_first(record + at, len - at)) > 0; at += n) {
		id = envfile_id(record + at, n);
		if (ident_msgid(id) != e->msgid)
			continue;
		l = leaf_make(e, ident_rcpt(id));
		/* A put that was carried on comes after its changes. */
		if (l->done || l->image || l->text != NULL)
			continue;
		leaf_text(l, record + at, n);
	}
	return true;
}

/* What a reader of the put tells. */
static void
take_reader(struct view_entry *e, struct codec_reader *r)
{
	size_t len;
	char *record;

	e->stored = codec_stored(r);
	e->status = view_codec_status(r);
	record = e->status == VIEW_WHOLE ? view_codec_record(r, &len) : NULL;
	if (e->status == VIEW_WHOLE && record == NULL)
		e->status = view_codec_status(r);
	snprintf(e->why, sizeof(e->why), "%s", codec_why(r));
	if (record != NULL && !take_record(e, record, len)) {
		e->status = VIEW_BROKEN;
		snprintf(e->why, sizeof(e->why), "its record is damaged");
	}
	snprintf(e->kid, sizeof(e->kid), "%s", codec_kid(r, 0));
	free(record);
}

/* The record of a large message stands in its file, moved or not. */
static void
take_reference(struct view *v, struct view_entry *e)
{
	char name[LAYOUT_NAME_MAX];
	struct codec_reader *r;
	off_t size;
	int fd;

	e->where = VIEW_INCOMING;
	fd = view_open_file(
	    v, v->layout.root, layout_incoming(name, e->msgid), &size);
	if (fd == -1) {
		e->where = VIEW_FILE;
		fd = view_open_file(
		    v, v->layout.root, layout_message(name, e->msgid), &size);
	}
	if (fd == -1) {
		e->where = VIEW_NOWHERE;
		e->status = VIEW_UNAVAILABLE;
		snprintf(e->why, sizeof(e->why), "%s", layout_reason(errno));
		return;
	}
	r = codec_open(fd, 0, (uint64_t)size, v->keys);
	if (codec_head(r) != 0 && codec_message(r)->msgid == e->msgid) {
		take_reader(e, r);
	} else {
		e->status = VIEW_BROKEN;
		snprintf(e->why, sizeof(e->why), "%s", codec_why(r));
	}
	codec_close(r);
	close(fd);
}

static void
take_put(struct view *v, const struct replay_record *rec)
{
	bool fits;
	struct codec_reader *r;
	struct view_entry *e;
	struct replay_put p;
	uint64_t id;

	fits = replay_put(rec, &p);
	while (replay_put_ends(&p, &id))
		leaf_end(entry_make(v, ident_msgid(id)), ident_rcpt(id));
	if (!fits)
		return;
	r = codec_open_data(p.message, p.len, v->keys);
	if (codec_head(r) != 0) {
		e = entry_make(v, codec_message(r)->msgid);
		e->m = *codec_message(r);
		e->put = true;
		e->seq = p.seq;
		if (p.large) {
			take_reference(v, e);
		} else {
			e->where = VIEW_JOURNAL;
			e->slot = rec->slot;
			e->at = p.at;
			take_reader(e, r);
		}
	}
	codec_close(r);
}

static void
take_image(struct view *v, uint64_t evpid, const char *text, size_t len)
{
	struct view_leaf *l =
	    leaf_make(entry_make(v, ident_msgid(evpid)), ident_rcpt(evpid));
	enum envfile_state state;
	struct buf *clear;

	l->done = false; /* it was brought back from corrupt/ after that */
	clear = buf_new(ENVFILE_STORED_MAX);
	state = envfile_unwrap(v->keys, text, len, clear, NULL, l->kid);
	l->status = state == ENVFILE_NO_KEY || state == ENVFILE_WRONG_KEY
	    ? VIEW_LOCKED
	    : state == ENVFILE_WHOLE ? VIEW_WHOLE
				     : VIEW_EDITED;
	l->reason = envfile_reason(state);
	free(l->text);
	l->text = NULL;
	if (state == ENVFILE_WHOLE)
		leaf_text(l, buf_text(clear), buf_len(clear));
	l->image = true;
	buf_free(clear);
}

static struct view_bulk **
bulk_find(struct view *v, uint64_t id)
{
	struct view_bulk **at = &v->bulks;

	while (*at != NULL && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

static void
bulk_drop(struct view_bulk **at)
{
	struct view_bulk *b = *at;

	*at = b->next;
	free(b->ids);
	free(b->seen);
	free(b);
}

static void
bulk_add(struct view_bulk *b, uint64_t id)
{
	if (b->n == b->room) {
		b->room = b->room == 0 ? 64 : b->room * 2;
		b->ids = mem_rearray(b->ids, b->room, sizeof(*b->ids));
	}
	b->ids[b->n++] = id;
}

/* An id, of a whole message with recipient number 0. */
static uint64_t
bulk_id(const char *at)
{
	char digits[IDENT_TEXT_MAX];
	uint64_t id;

	memcpy(digits, at, IDENT_EVPID_DIGITS);
	digits[IDENT_EVPID_DIGITS] = '\0';
	if (ident_evpid_parse(digits, &id))
		return id;
	if (strcmp(digits + IDENT_MSGID_DIGITS, "0000") != 0)
		return 0;
	digits[IDENT_MSGID_DIGITS] = '\0';
	return ident_msgid_parse(digits, &id) ? ident_evpid(id, 0) : 0;
}

/* A bulk may stand in the journal twice, the copy cut short: what is whole
 * stays so, and each part is taken once. */
static bool
fresh_part(struct view_bulk *b, unsigned part, unsigned parts)
{
	if (b->whole || part == 0 || part > parts || parts > PARTS_MOST)
		return false;
	if (parts != b->parts) {
		free(b->seen);
		b->seen = mem_zarray(parts + 1, sizeof(*b->seen));
		b->parts = parts;
		b->here = 0;
		if (!b->all)
			b->n = 0;
	}
	if (b->seen[part])
		return false;
	b->seen[part] = true;
	b->whole = ++b->here == parts;
	return true;
}

static void
take_bulk(struct view *v, const char *text, size_t len, uint64_t seq)
{
	const char *end = text + len, *line = memchr(text, '\n', len);
	struct view_bulk **at, *b;
	unsigned all, part, parts;
	char head[160], verb[32];
	uint64_t id;
	bool fresh;

	if (line == NULL || (size_t)(line - text) >= sizeof(head))
		return;
	memcpy(head, text, (size_t)(line - text));
	head[line - text] = '\0';
	if (sscanf(head, "id=%16" SCNx64, &id) != 1)
		return;
	at = bulk_find(v, id);
	if (strstr(head, " finished") != NULL) {
		if (*at != NULL)
			bulk_drop(at);
		return;
	}
	if (sscanf(head, "id=%*16s verb=%31s all=%u part=%u/%u", verb, &all,
		&part, &parts) != 4)
		return;
	if (*at == NULL) {
		*at = mem_zalloc(sizeof(**at));
		(*at)->id = id;
	}
	b = *at;
	memcpy(b->verb, verb, sizeof(b->verb));
	b->all = all != 0;
	b->seq = seq;
	fresh = fresh_part(b, part, parts);
	for (line++; end - line >= IDENT_TEXT_MAX; line += IDENT_TEXT_MAX) {
		if ((id = bulk_id(line)) == 0)
			break;
		if (b->all || fresh)
			bulk_add(b, id);
	}
}

static void
take(void *ctx, const struct replay_record *rec)
{
	struct view *v = ctx;
	char digits[IDENT_TEXT_MAX];
	uint64_t id = 0;

	if (rec->kind == JOURNAL_IMAGE || rec->kind == JOURNAL_DONE) {
		if (rec->len < IDENT_TEXT_MAX)
			return;
		memcpy(digits, rec->payload, IDENT_EVPID_DIGITS);
		digits[IDENT_EVPID_DIGITS] = '\0';
		if (!ident_evpid_parse(digits, &id))
			return;
	}
	switch (rec->kind) {
	case JOURNAL_PUT:
		v->journal.puts++;
		take_put(v, rec);
		break;
	case JOURNAL_DONE:
		v->journal.dones++;
		leaf_end(entry_make(v, ident_msgid(id)), ident_rcpt(id));
		break;
	case JOURNAL_IMAGE:
		v->journal.images++;
		take_image(v, id, rec->payload + IDENT_TEXT_MAX,
		    rec->len - IDENT_TEXT_MAX);
		break;
	case JOURNAL_BULK:
		take_bulk(v, rec->payload, rec->len, rec->seq);
		break;
	case JOURNAL_MARK:
	case JOURNAL_KINDS:
		break;
	}
}

static int
by_msgid(const void *a, const void *b)
{
	const struct view_entry *x = *(struct view_entry *const *)a;
	const struct view_entry *y = *(struct view_entry *const *)b;

	return x->msgid < y->msgid ? -1 : x->msgid > y->msgid;
}

static int
by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* By bucket, and bulks that were answered only. */
static void
put_in_order(struct view *v)
{
	size_t at, room[LAYOUT_BUCKETS] = { 0 };
	struct view_bulk **b;
	struct view_entry *e;
	unsigned i;

	HMAP_FOREACH(e, v->entries, at)
		room[layout_bucket(e->msgid)]++;
	for (i = 0; i < LAYOUT_BUCKETS; i++)
		if (room[i] > 0)
			v->in[i] = mem_zarray(room[i], sizeof(*v->in[i]));
	HMAP_FOREACH(e, v->entries, at) {
		i = layout_bucket(e->msgid);
		v->in[i][v->count[i]++] = e;
	}
	for (i = 0; i < LAYOUT_BUCKETS; i++)
		if (v->count[i] > 1)
			qsort(
			    v->in[i], v->count[i], sizeof(*v->in[i]), by_msgid);
	for (b = &v->bulks; *b != NULL;) {
		if (!(*b)->whole) {
			bulk_drop(b);
			continue;
		}
		if ((*b)->n > 1)
			qsort(
			    (*b)->ids, (*b)->n, sizeof(*(*b)->ids), by_number);
		v->journal.bulks++;
		b = &(*b)->next;
	}
}

static bool
listed(const struct view_bulk *b, uint64_t id)
{
	return b->n > 0 &&
	    bsearch(&id, b->ids, b->n, sizeof(id), by_number) != NULL;
}

/* The latest verb that means it. */
const char *
view_journal_verb(
    const struct view *v, uint64_t evpid, const struct view_entry *e)
{
	const struct view_bulk *b, *last = NULL;
	uint64_t msgid = ident_msgid(evpid);
	bool covers;

	for (b = v->bulks; b != NULL; b = b->next) {
		if (b->all)
			covers = !listed(b, ident_evpid(msgid, 1)) &&
			    !(e != NULL && e->put && e->seq > b->seq);
		else
			covers = listed(b, evpid) ||
			    listed(b, ident_evpid(msgid, 0));
		if (covers && (last == NULL || b->seq > last->seq))
			last = b;
	}
	return last == NULL ? NULL : last->verb;
}

static void
forget(struct view *v)
{
	struct view_entry *e;
	size_t at;
	unsigned i;

	HMAP_FOREACH(e, v->entries, at) {
		for (i = 0; i < e->leaves; i++)
			free(e->leaf[i].text);
		free(e->leaf);
		free(e);
	}
	hmap_free(v->entries);
	v->entries = NULL;
	for (i = 0; i < LAYOUT_BUCKETS; i++) {
		free(v->in[i]);
		v->in[i] = NULL;
		v->count[i] = 0;
	}
	while (v->bulks != NULL)
		bulk_drop(&v->bulks);
}

/* Whether a segment was taken anew since it was opened. */
static bool
changed(const struct ring *r)
{
	struct journal_segment was, is;
	char *block = mem_zalloc(JOURNAL_BLOCK);
	bool headed, moved = false;
	unsigned i;
	ssize_t n;

	for (i = 0; i < ring_slots(r) && !moved; i++) {
		headed = ring_head(r, i, &was);
		n = pread(ring_fd(r, i), block, JOURNAL_BLOCK, 0);
		if (n != JOURNAL_BLOCK ||
		    !journal_segment_parse(&is, block, (size_t)n))
			moved = headed;
		else
			moved = !headed || was.number != is.number;
	}
	free(block);
	return moved;
}

/* Once. True: it holds together. */
static bool
read_once(struct view *v, char *err, size_t errlen, int *rc)
{
	struct replay_result result;
	char odd[160];
	bool whole;

	memset(&v->journal, 0, sizeof(v->journal));
	v->entries = hmap_new();
	v->ring = ring_open_reading(&v->layout, odd, sizeof(odd));
	*rc = replay(v->ring, NULL, take, v, &result, err, errlen);
	whole = *rc == 0 && odd[0] == '\0' && result.alarm[0] == '\0' &&
	    !changed(v->ring);
	v->journal.segments = ring_slots(v->ring);
	ring_use(v->ring, &v->journal.size, &v->journal.used);
	if (odd[0] != '\0')
		snprintf(v->journal.alarm, sizeof(v->journal.alarm),
		    "%s; what it holds is not shown", odd);
	else
		snprintf(v->journal.alarm, sizeof(v->journal.alarm), "%s",
		    *rc == 0 ? result.alarm : err);
	return whole;
}

int
view_journal_read(struct view *v, char *err, size_t errlen)
{
	static const struct timespec pause = { 0, PAUSE_NS };
	int tries, rc = 0;

	for (tries = 0; !read_once(v, err, errlen, &rc); tries++) {
		if (tries == TRIES - 1)
			break;
		ring_close(v->ring);
		forget(v);
		nanosleep(&pause, NULL);
	}
	put_in_order(v);
	return rc;
}

void
view_journal_free(struct view *v)
{
	if (v->entries != NULL)
		forget(v);
	ring_close(v->ring);
	v->ring = NULL;
}
