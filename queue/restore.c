/*
 * restore - the index as the journal left it
 *
 * Every record at or above the last mark becomes an entry: put, image and done
 * in their order, bulk verbs apart. Entries wait, by bucket, for the walk.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "queue/envfile.h"
#include "queue/inside.h"
#include "queue/replay.h"

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
	l->dirty = l->locked = false;
	blob_unref(l->blob);
	l->blob = NULL;
	entry_pin(q, e, slot);
}

bool
restore_record_fits(const char *record, size_t len)
{
	size_t at, n;

	for (at = 0; (n = envfile_first(record + at, len - at)) > 0; at += n)
		if (envfile_check(record + at, n) != ENVFILE_WHOLE)
			return false;
	/* Behind the last there may be empty lines. */
	while (at < len && record[at] == '\n')
		at++;
	return at == len && len > 0;
}

bool
restore_record(struct entry *e, const char *record, size_t len)
{
	struct blob *b;
	struct leaf *l;
	uint64_t id;
	size_t at, n;

	if (!restore_record_fits(record, len))
		return false;
	b = blob_new(len);
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
	return true;
}

/* The envelopes of a put, as far as the keys reach. */
static void
replay_record(struct queue *q, struct entry *e, struct codec_reader *r)
{
	size_t len = (size_t)codec_message(r)->record, got;
	char *record = mem_zalloc(len + 1), id[IDENT_TEXT_MAX];
	enum codec_result rc = codec_state(r);

	e->stored = codec_stored(r);
	if (rc == CODEC_OK)
		rc = codec_read(r, 0, record, len, &got);
	if (rc == CODEC_OK && restore_record(e, record, len)) {
		free(record);
		return;
	}
	/* Also where it is damaged: it stays where it is. */
	e->locked = true;
	if (rc == CODEC_NO_KEY || rc == CODEC_WRONG_KEY)
		snprintf(e->kid, sizeof(e->kid), "%s", codec_kid(r, 0));
	if (rc != CODEC_NO_KEY) {
		q->stats.anomalies++;
		log_warn("event=put-unreadable msgid=%s reason=\"%s\"",
		    ident_msgid_text(id, e->m.msgid),
		    rc == CODEC_OK ? "its record is damaged" : codec_why(r));
	}
	free(record);
}

/* The record of a large message stands in its file, moved or not. */
static void
replay_reference(struct queue *q, struct entry *e)
{
	char name[LAYOUT_NAME_MAX];
	struct codec_reader *r;
	int fd;

	fd = layout_open_read(
	    &q->layout, layout_incoming(name, e->m.msgid), NULL);
	if (fd == -1)
		fd = layout_open_read(
		    &q->layout, layout_message(name, e->m.msgid), NULL);
	if (fd == -1)
		return;
	r = codec_open(fd, 0, CODEC_TO_END, q->keys);
	/* A damaged head leaves the message's id, which the journal knows. */
	replay_record(q, e, r);
	codec_close(r);
	close(fd);
}

/* Its checksum fits, and yet it is no message: none of ours wrote it. */
static void
keep_put(struct queue *q, const struct replay_record *rec, const char *why)
{
	char name[LAYOUT_NAME_MAX];

	q->stats.anomalies++;
	log_warn("event=put-unreadable seq=%" PRIu64 " reason=\"%s\"", rec->seq,
	    why);
	snprintf(name, sizeof(name), "put-%016" PRIx64, rec->seq);
	(void)layout_keep(&q->layout, name, rec->payload, rec->len, why);
}

static void
take_put(struct queue *q, const struct replay_record *rec)
{
	struct codec_reader *r;
	struct replay_put p;
	struct entry *e;
	bool fits = replay_put(rec, &p);
	uint64_t id;

	while (replay_put_ends(&p, &id))
		replay_done(q, id, rec->slot);
	if (!fits)
		return;
	r = codec_open_data(p.message, p.len, q->keys);
	if (codec_head(r) == 0) {
		keep_put(q, rec, codec_why(r));
		codec_close(r);
		return;
	}
	e = replayed(q, codec_message(r)->msgid);
	e->m = *codec_message(r);
	e->put = true;
	entry_pin(q, e, rec->slot);
	e->seq = p.seq;
	bulk_replayed_put(q, e->m.msgid, p.seq);
	if (p.large) {
		e->source = IN_INCOMING;
		e->head = blob_new(p.len);
		memcpy(e->head->data, p.message, p.len);
		replay_reference(q, e);
	} else {
		e->source = IN_JOURNAL;
		e->slot = rec->slot;
		e->at = p.at;
		replay_record(q, e, r);
	}
	codec_close(r);
}

static void
replay_image(struct queue *q, const struct replay_record *rec, uint64_t evpid)
{
	struct entry *e = replayed(q, ident_msgid(evpid));
	struct leaf *l = entry_leaf_make(e, ident_rcpt(evpid));
	const char *stored = rec->payload + IDENT_TEXT_MAX;
	size_t len = rec->len - IDENT_TEXT_MAX;
	struct buf *text;
	struct blob *b;

	if (l->done) {
		/* It was brought back from corrupt/ after that. */
		l->done = false;
		change_back(q, evpid);
	}
	text = buf_new(ENVFILE_STORED_MAX);
	l->locked = envfile_unwrap(q->keys, stored, len, text, NULL, NULL) !=
		ENVFILE_WHOLE &&
	    envfile_is_sealed(stored, len);
	if (!l->locked) {
		stored = buf_text(text);
		len = buf_len(text);
	}
	b = blob_new(len);
	memcpy(b->data, stored, len);
	leaf_text(l, b, 0, b->len);
	blob_unref(b);
	buf_free(text);
	l->dirty = l->image = true;
	entry_pin(q, e, rec->slot);
}

static void
replay_one(void *ctx, const struct replay_record *rec)
{
	struct queue *q = ctx;
	char digits[IDENT_TEXT_MAX];
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
		take_put(q, rec);
		break;
	case JOURNAL_DONE:
		replay_done(q, id, rec->slot);
		/* A crash may have kept it from state/finished. */
		change_replayed(q, id, rec->payload + IDENT_TEXT_MAX,
		    rec->len - IDENT_TEXT_MAX);
		break;
	case JOURNAL_IMAGE:
		replay_image(q, rec, id);
		break;
	case JOURNAL_BULK:
		bulk_replay(q, rec->payload, rec->len, rec->seq, rec->slot);
		break;
	case JOURNAL_MARK:
	case JOURNAL_KINDS:
		break;
	}
}

/* Shows the names in a directory to fn, but those that begin with a dot. */
static void
each_name(struct queue *q, const char *dir,
    void (*fn)(struct queue *q, const char *name, const char *path))
{
	char path[LAYOUT_NAME_MAX + 256];
	struct dirent *entry;
	DIR *at;
	int fd = layout_open_dir(&q->layout, dir);

	if (fd == -1 || (at = fdopendir(fd)) == NULL) {
		if (fd != -1)
			close(fd);
		return;
	}
	while ((entry = readdir(at)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		fn(q, entry->d_name, path);
	}
	closedir(at);
}

/* A power cut may keep both names of a file that was being moved into its
 * bucket. The new one stays: a file with two is trusted by nobody. */
static void
drop_moved(struct queue *q, const char *name, const char *path)
{
	char moved[LAYOUT_NAME_MAX];
	struct stat old, new;
	uint64_t msgid;

	if (ident_msgid_parse(name, &msgid) &&
	    fstatat(q->layout.root, path, &old, AT_SYMLINK_NOFOLLOW) == 0 &&
	    fstatat(q->layout.root, layout_message(moved, msgid), &new,
		AT_SYMLINK_NOFOLLOW) == 0 &&
	    old.st_ino == new.st_ino && old.st_dev == new.st_dev)
		(void)unlinkat(q->layout.root, path, 0);
}

/* What no put refers to was never acknowledged. */
static void
sweep_incoming(struct queue *q, const char *name, const char *path)
{
	struct entry *e;
	uint64_t msgid;

	e = ident_msgid_parse(name, &msgid) ? entry_get(q, msgid) : NULL;
	if (e == NULL || e->source != IN_INCOMING)
		(void)unlinkat(q->layout.root, path, 0);
}

/* The new form of a file whose writer did not get as far as its name. */
static void
sweep_state(struct queue *q, const char *name, const char *path)
{
	size_t len = strlen(name);

	if (len > 4 && strcmp(name + len - 4, ".new") == 0)
		(void)unlinkat(q->layout.root, path, 0);
}

int
restore(struct queue *q, char *err, size_t errlen)
{
	struct replay_result result;
	unsigned i;

	for (i = 0; i < LAYOUT_BUCKETS; i++)
		TAILQ_INIT(&q->replayed[i]);
	load_new(q);
	each_name(q, "incoming", drop_moved);
	if (replay(q->ring, &q->layout, replay_one, q, &result, err, errlen) ==
	    -1)
		return -1;
	q->last_seq = result.next_seq - 1;
	q->low = result.low;
	snprintf(q->open_alarm, sizeof(q->open_alarm), "%s", result.alarm);
	snprintf(q->open_note, sizeof(q->open_note), "%s", result.note);
	each_name(q, "incoming", sweep_incoming);
	each_name(q, "state", sweep_state);
	return 0;
}
