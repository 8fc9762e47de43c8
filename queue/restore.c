/*
 * restore - the index as the journal left it
 *
 * Every record at or above the last mark becomes an entry: put, image and done
 * in their order, bulk verbs apart. Entries wait, by bucket, for the walk.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "queue/envfile.h"
#include "queue/inside.h"
#include "queue/replay.h"

#define AGAIN 23 /* octets of "again SEQ\n" */

static struct entry *
replayed(struct queue *q, uint64_t msgid)
{
	struct entry *e = entry_get(q, msgid);

	if (e != NULL)
		return e;
	e = entry_make(q, msgid);
	e->replayed = e->found = true;
	e->list = &q->replayed[layout_bucket(msgid)];
	TAILQ_INSERT_TAIL(e->list, e, due);
	return e;
}

static void
replay_done(struct queue *q, uint64_t evpid, unsigned slot)
{
	struct entry *e = replayed(q, ident_msgid(evpid));
	struct leaf *l = entry_leaf_make(e, ident_rcpt(evpid));

	l->done = true;
	l->dirty = false;
	blob_unref(l->blob);
	l->blob = NULL;
	entry_pin(q, e, slot);
}

static void
replay_record(struct entry *e, const char *record, size_t len)
{
	struct blob *b = blob_new(len);
	struct leaf *l;
	uint64_t id;
	size_t at, n;

	memcpy(b->data, record, len);
	for (at = 0; (n = envfile_first(record + at, len - at)) > 0; at += n) {
		id = envfile_id(record + at, n);
		if (ident_msgid(id) != e->m.msgid)
			continue;
		l = entry_leaf_make(e, ident_rcpt(id));
		/* A put that was carried on comes after its changes. */
		if (l->done || l->blob != NULL)
			continue;
		leaf_text(l, b, at, n);
		l->dirty = true;
	}
	blob_unref(b);
}

/* The record of a large message stands in its file, moved or not. */
static void
replay_reference(struct queue *q, struct entry *e)
{
	char name[LAYOUT_NAME_MAX], *record;
	int fd;

	fd = layout_open_read(
	    &q->layout, layout_incoming(name, e->m.msgid), NULL);
	if (fd == -1)
		fd = layout_open_read(
		    &q->layout, layout_message(name, e->m.msgid), NULL);
	if (fd == -1)
		return;
	record = mem_zalloc((size_t)e->m.record + 1);
	if (message_read_record(fd, 0, &e->m, record, (size_t)e->m.record) >= 0)
		replay_record(e, record, (size_t)e->m.record);
	free(record);
	close(fd);
}

static void
replay_put(struct queue *q, const struct replay_record *rec)
{
	const char *p = rec->payload, *end = p + rec->len, *line;
	char digits[IDENT_TEXT_MAX];
	uint64_t id, seq = rec->seq;
	bool large = false;
	struct message m;
	struct entry *e;

	if (rec->len > AGAIN && memcmp(p, "again ", 6) == 0) {
		memcpy(digits, p + 6, 16);
		digits[16] = '\0';
		seq = strtoull(digits, NULL, 16);
		p += AGAIN;
	}
	if (end - p > 5 && memcmp(p, "ends ", 5) == 0) {
		line = memchr(p, '\n', (size_t)(end - p));
		if (line == NULL)
			return;
		for (p += 5; line - p >= IDENT_EVPID_DIGITS;
		     p += IDENT_TEXT_MAX) {
			memcpy(digits, p, IDENT_EVPID_DIGITS);
			digits[IDENT_EVPID_DIGITS] = '\0';
			if (ident_evpid_parse(digits, &id))
				replay_done(q, id, rec->slot);
		}
		p = line + 1;
	}
	if (end - p > 9 && memcmp(p, "incoming ", 9) == 0) {
		large = true;
		if ((line = memchr(p, '\n', (size_t)(end - p))) == NULL)
			return;
		p = line + 1;
	}
	if (message_parse(&m, p, (size_t)(end - p)) != NULL ||
	    (!large && (uint64_t)(end - p) < message_end(&m)))
		return;
	e = replayed(q, m.msgid);
	e->m = m;
	e->put = true;
	entry_pin(q, e, rec->slot);
	e->seq = seq;
	bulk_replayed_put(q, m.msgid, seq);
	if (large) {
		e->source = IN_INCOMING;
		replay_reference(q, e);
		return;
	}
	e->source = IN_JOURNAL;
	e->slot = rec->slot;
	e->at = rec->at + (uint64_t)(p - rec->payload);
	replay_record(e, p + MESSAGE_HEAD, (size_t)m.record);
}

static void
replay_one(void *ctx, const struct replay_record *rec)
{
	struct queue *q = ctx;
	char digits[IDENT_TEXT_MAX];
	struct entry *e;
	struct leaf *l;
	struct blob *b;
	uint64_t id = 0;

	q->last_seq = rec->seq;
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
		replay_put(q, rec);
		break;
	case JOURNAL_DONE:
		replay_done(q, id, rec->slot);
		break;
	case JOURNAL_IMAGE:
		e = replayed(q, ident_msgid(id));
		l = entry_leaf_make(e, ident_rcpt(id));
		if (l->done)
			break;
		b = blob_new(rec->len - IDENT_TEXT_MAX);
		memcpy(b->data, rec->payload + IDENT_TEXT_MAX, b->len);
		leaf_text(l, b, 0, b->len);
		blob_unref(b);
		l->dirty = l->image = true;
		entry_pin(q, e, rec->slot);
		break;
	case JOURNAL_BULK:
		bulk_replay(q, rec->payload, rec->len, rec->seq, rec->slot);
		break;
	case JOURNAL_MARK:
	case JOURNAL_KINDS:
		break;
	}
}

/* What no put refers to was never acknowledged. */
static void
sweep_incoming(struct queue *q)
{
	char name[LAYOUT_NAME_MAX + 256];
	struct dirent *entry;
	struct entry *e;
	uint64_t msgid;
	DIR *dir;
	int fd = layout_open_dir(&q->layout, "incoming");

	if (fd == -1 || (dir = fdopendir(fd)) == NULL) {
		if (fd != -1)
			close(fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		e = ident_msgid_parse(entry->d_name, &msgid)
		    ? entry_get(q, msgid)
		    : NULL;
		if (e != NULL && e->source == IN_INCOMING)
			continue;
		snprintf(name, sizeof(name), "incoming/%s", entry->d_name);
		(void)unlinkat(q->layout.root, name, 0);
	}
	closedir(dir);
}

int
restore(struct queue *q, char *err, size_t errlen)
{
	struct replay_result result;
	unsigned i;

	for (i = 0; i < LAYOUT_BUCKETS; i++)
		TAILQ_INIT(&q->replayed[i]);
	load_new(q);
	if (replay(q->ring, &q->layout, replay_one, q, &result, err, errlen) ==
	    -1)
		return -1;
	q->last_seq = result.next_seq - 1;
	q->low = result.low;
	snprintf(q->open_alarm, sizeof(q->open_alarm), "%s", result.alarm);
	sweep_incoming(q);
	return 0;
}
