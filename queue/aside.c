/*
 * aside - files go to corrupt/ with their reason, and come back
 *
 * A worker moves them. What comes back must read well, belong to its id and
 * find its place in the bucket free; a message is moved before its envelopes.
 * Envelopes that are missing then are made of its record.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "queue/envfile.h"
#include "queue/inside.h"

#define COUNT_MS 5000 /* how old the number of files may be */
#define RECORD_MAX (64u * 1024 * 1024)

struct aside {
	struct job job;
	char name[LAYOUT_NAME_MAX];
	const char *reason;
	int error;
};

struct count {
	struct job job;
	uint64_t files;
};

/* One request to bring something back. */
struct comeback {
	struct job job;
	struct form form;
	uint64_t id; /* recipient number 0: all of the message */
	struct queue_back *back;
	size_t n, room;
	struct finished *finished;
	bool message; /* it was brought back */
	char why[256]; /* why something was not */
	void (*cb)(void *, enum queue_status, const struct queue_back *, size_t,
	    const char *);
	void *ctx;
};

void
aside_anomaly(struct queue *q, const char *name, const char *reason)
{
	char safe[512];

	q->stats.anomalies++;
	log_warn("event=anomaly file=%s reason=\"%s\"",
	    text_quote(safe, sizeof(safe), name), reason);
	if (q->has_loader && q->loader.anomaly != NULL)
		q->loader.anomaly(q->loader.ctx, name, reason);
}

static void
run_aside(struct job *j)
{
	struct aside *a = (struct aside *)(void *)j;

	if (layout_set_aside(&j->q->layout, a->name, a->reason) == -1 &&
	    errno != ENOENT)
		a->error = errno;
}

static void
finish_aside(struct job *j)
{
	struct aside *a = (struct aside *)(void *)j;

	(void)trouble_part(j->q->trouble, TROUBLE_CORRUPT, a->error, j->q->now);
	j->q->aside_counted = 0;
	free(a);
}

void
aside_file(struct queue *q, uint64_t id, const char *reason)
{
	struct aside *a = mem_zalloc(sizeof(*a));

	if (ident_rcpt(id) == 0)
		layout_message(a->name, ident_msgid(id));
	else
		layout_envelope(a->name, id);
	a->reason = reason;
	a->job.q = q;
	a->job.run = run_aside;
	a->job.finish = finish_aside;
	aside_anomaly(q, a->name, reason);
	crew_submit(q->crew, &a->job, false);
}

static bool
is_why(const char *name)
{
	size_t len = strlen(name);

	return len > 4 && strcmp(name + len - 4, ".why") == 0;
}

static void
run_count(struct job *j)
{
	struct count *c = (struct count *)(void *)j;
	int fd = layout_open_dir(&j->q->layout, "corrupt");
	struct dirent *entry;
	DIR *dir;

	if (fd == -1 || (dir = fdopendir(fd)) == NULL) {
		if (fd != -1)
			close(fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL)
		c->files += entry->d_name[0] != '.' && !is_why(entry->d_name);
	closedir(dir);
}

static void
finish_count(struct job *j)
{
	struct count *c = (struct count *)(void *)j;

	j->q->stats.corrupt = c->files;
	j->q->aside_counting = false;
	free(c);
}

void
aside_count(struct queue *q)
{
	uint64_t now = q->now;
	struct count *c;

	if (q->aside_counting || q->closing ||
	    (q->aside_counted != 0 && now < q->aside_counted + COUNT_MS))
		return;
	q->aside_counting = true;
	q->aside_counted = now;
	c = mem_zalloc(sizeof(*c));
	c->job.q = q;
	c->job.run = run_count;
	c->job.finish = finish_count;
	crew_submit(q->crew, &c->job, false);
}

static void
refuse(struct comeback *c, const char *name, const char *why)
{
	snprintf(c->why, sizeof(c->why), "corrupt/%.64s: %s", name, why);
}

static bool
message_reads(struct comeback *c, const char *name, uint64_t msgid)
{
	struct codec_reader *r;
	const char *why = NULL;
	int fd = layout_open_read(&c->job.q->layout, name, NULL);

	if (fd == -1) {
		refuse(c, strchr(name, '/') + 1, layout_reason(errno));
		return false;
	}
	r = codec_open(fd, 0, CODEC_TO_END, c->form.keys);
	if (codec_verify(r) != CODEC_OK)
		why = codec_why(r);
	else if (codec_message(r)->msgid != msgid)
		why = "its head belongs to another message";
	if (why != NULL)
		refuse(c, strchr(name, '/') + 1, why);
	codec_close(r);
	close(fd);
	return why == NULL;
}

static bool
envelope_reads(struct comeback *c, const char *name, uint64_t evpid, bool *torn)
{
	struct buf *text = buf_new(ENVFILE_STORED_MAX);
	enum envfile_state state;
	const char *why = NULL;
	size_t len;
	char *data;

	data =
	    layout_read_all(&c->job.q->layout, name, ENVFILE_STORED_MAX, &len);
	if (data == NULL) {
		why = layout_reason(errno);
	} else {
		state =
		    envfile_unwrap(c->form.keys, data, len, text, NULL, NULL);
		*torn = state == ENVFILE_TORN;
		/* One without its end is made anew of the record. */
		if (state != ENVFILE_WHOLE && state != ENVFILE_TORN)
			why = envfile_reason(state);
		else if (state != ENVFILE_TORN &&
		    envfile_id(buf_text(text), buf_len(text)) != evpid)
			why = "its id line names another envelope";
	}
	if (why != NULL)
		refuse(c, strchr(name, '/') + 1, why);
	free(data);
	buf_free(text);
	return why == NULL;
}

static bool
exists(const struct layout *l, const char *name)
{
	struct stat st;

	return fstatat(l->root, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* From the first of NAME, NAME.1, ... that reads well. */
static bool
bring(struct comeback *c, uint64_t id, bool *torn)
{
	const struct layout *l = &c->job.q->layout;
	char from[LAYOUT_NAME_MAX * 2], why[LAYOUT_NAME_MAX * 2 + 8],
	    to[LAYOUT_NAME_MAX];
	bool message = ident_rcpt(id) == 0;
	const char *base;
	unsigned i;

	if (message)
		layout_message(to, ident_msgid(id));
	else
		layout_envelope(to, id);
	base = strrchr(to, '/') + 1;
	for (i = 0; i < 100; i++) {
		if (i == 0)
			snprintf(from, sizeof(from), "corrupt/%s", base);
		else
			snprintf(from, sizeof(from), "corrupt/%s.%u", base, i);
		if (!exists(l, from)) {
			if (i == 0)
				continue; /* it was brought back before */
			break;
		}
		if (exists(l, to)) {
			refuse(c, base, "the queue has a file of that name");
			return false;
		}
		if (message ? !message_reads(c, from, ident_msgid(id))
			    : !envelope_reads(c, from, id, torn))
			continue;
		if (renameat(l->root, from, l->root, to) == -1) {
			refuse(c, base, layout_reason(errno));
			return false;
		}
		snprintf(why, sizeof(why), "%s.why", from);
		(void)unlinkat(l->root, why, 0);
		return true;
	}
	return false;
}

static void
note_back(struct comeback *c, uint64_t evpid, bool torn)
{
	if (c->n == c->room) {
		c->room = c->room == 0 ? 16 : c->room * 2;
		c->back = mem_rearray(c->back, c->room, sizeof(*c->back));
	}
	c->back[c->n].evpid = evpid;
	c->back[c->n++].hold = torn || finished_has(c->finished, evpid);
}

/* The envelopes of the message that stand in corrupt/: how many there are. */
static size_t
bring_envelopes(struct comeback *c, bool look_only)
{
	int fd = layout_open_dir(&c->job.q->layout, "corrupt");
	uint64_t *ids = NULL, id;
	char digits[IDENT_TEXT_MAX];
	struct dirent *entry;
	size_t n = 0, i;
	bool torn;
	DIR *dir;

	if (fd == -1 || (dir = fdopendir(fd)) == NULL) {
		if (fd != -1)
			close(fd);
		return 0;
	}
	while ((entry = readdir(dir)) != NULL) {
		strlcpy(digits, entry->d_name, IDENT_EVPID_DIGITS + 1);
		if (strlen(entry->d_name) < IDENT_EVPID_DIGITS ||
		    is_why(entry->d_name) || !ident_evpid_parse(digits, &id) ||
		    ident_msgid(id) != ident_msgid(c->id) ||
		    (ident_rcpt(c->id) != 0 && id != c->id))
			continue;
		ids = mem_rearray(ids, n + 1, sizeof(*ids));
		ids[n++] = id;
	}
	closedir(dir);
	for (i = 0; i < n && !look_only; i++) {
		torn = false;
		if (bring(c, ids[i], &torn))
			note_back(c, ids[i], torn);
	}
	free(ids);
	return n;
}

/* A message that came back alone: an empty file for each envelope of its
 * record, which the walk makes anew of it. */
static void
bring_record(struct comeback *c)
{
	const struct layout *l = &c->job.q->layout;
	char name[LAYOUT_NAME_MAX], *record = NULL;
	struct codec_reader *r;
	size_t at, n, len, got;
	uint64_t id;
	int fd, file;

	fd =
	    layout_open_read(l, layout_message(name, ident_msgid(c->id)), NULL);
	if (fd == -1)
		return;
	r = codec_open(fd, 0, CODEC_TO_END, c->form.keys);
	len = (size_t)codec_message(r)->record;
	if (len <= RECORD_MAX)
		record = mem_zalloc(len + 1);
	if (record == NULL || codec_read(r, 0, record, len, &got) != CODEC_OK ||
	    got != len)
		len = 0;
	for (at = 0; at < len && (n = envfile_first(record + at, len - at)) > 0;
	     at += n) {
		id = envfile_id(record + at, n);
		if (ident_msgid(id) != ident_msgid(c->id))
			continue;
		file = layout_open_write(l, layout_envelope(name, id), true);
		if (file == -1)
			continue;
		close(file);
		note_back(c, id, true);
	}
	free(record);
	codec_close(r);
	close(fd);
}

static void
run_comeback(struct job *j)
{
	struct comeback *c = (struct comeback *)(void *)j;
	const struct layout *l = &j->q->layout;
	uint64_t msgid = ident_msgid(c->id);
	char name[LAYOUT_NAME_MAX];
	size_t n;
	bool torn;

	c->finished = finished_read(l, msgid);
	c->message = bring(c, ident_evpid(msgid, 0), &torn);
	if (!exists(l, layout_message(name, msgid))) {
		if (c->why[0] == '\0' && bring_envelopes(c, true) > 0)
			snprintf(
			    c->why, sizeof(c->why), "its message is not there");
		return;
	}
	n = bring_envelopes(c, false);
	if (c->message && n == 0 && ident_rcpt(c->id) == 0)
		bring_record(c);
	else if (c->message && c->n == 0) {
		(void)layout_set_aside(l, name, "none of its envelopes reads");
		c->message = false;
	}
}

static void
on_discovered(void *ctx, enum queue_status status, unsigned found)
{
	struct comeback *c = ctx;

	(void)found;
	c->cb(c->ctx, status, c->back, c->n, c->why);
	finished_free(c->finished);
	free(c->back);
	free(c);
}

static void
finish_comeback(struct job *j)
{
	struct comeback *c = (struct comeback *)(void *)j;
	struct queue *q = j->q;
	size_t i;

	form_drop(&c->form);
	q->aside_counted = 0;
	if (c->n > 0) {
		for (i = 0; i < c->n; i++)
			change_back(q, c->back[i].evpid);
		discover_back(q, ident_msgid(c->id), on_discovered, c);
		return;
	}
	on_discovered(c,
	    c->message           ? QUEUE_OK
		: c->why[0] != 0 ? QUEUE_DAMAGED
				 : QUEUE_GONE,
	    0);
}

void
queue_uncorrupt(struct queue *q, uint64_t id,
    void (*cb)(void *ctx, enum queue_status, const struct queue_back *back,
	size_t n, const char *why),
    void *ctx)
{
	struct comeback *c = mem_zalloc(sizeof(*c));
	const struct entry *e = entry_get(q, ident_msgid(id));

	c->id = id;
	c->cb = cb;
	c->ctx = ctx;
	/* What is still to be removed would take the files with it. */
	if (q->load != NULL || (e != NULL && entry_finished(q, e))) {
		snprintf(c->why, sizeof(c->why), "%s",
		    q->load != NULL ? "the queue is still being read"
				    : "what it was is still being removed");
		on_discovered(c, QUEUE_UNAVAILABLE, 0);
		return;
	}
	form_take(q, &c->form);
	c->job.q = q;
	c->job.run = run_comeback;
	c->job.finish = finish_comeback;
	crew_submit(q->crew, &c->job, true);
}

/* An envelope that lost its message goes to corrupt/, its text from wherever
 * it is now. */
struct loss {
	struct job job;
	uint64_t evpid;
	struct form form;
	char *text; /* in memory; NULL: in its file */
	size_t len;
	int error;
};

#define LOST "an envelope without its message"

/* With the reason of one whose file was moved. */
static int
keep_text(struct loss *s, const char *name)
{
	struct buf *b = buf_new(ENVFILE_STORED_MAX);
	char id[IDENT_TEXT_MAX], why[LAYOUT_NAME_MAX + sizeof(LOST) + 2];
	int rc = envfile_wrap(s->form.codec.key, s->evpid, s->text, s->len, b);

	snprintf(why, sizeof(why), "%s: %s", name, LOST);
	if (rc == 0)
		rc = layout_keep(&s->job.q->layout,
		    ident_evpid_text(id, s->evpid), buf_data(b), buf_len(b),
		    why);
	buf_free(b);
	return rc;
}

static void
run_loss(struct job *j)
{
	struct loss *s = (struct loss *)(void *)j;
	char name[LAYOUT_NAME_MAX];

	layout_envelope(name, s->evpid);
	if (s->text != NULL ? keep_text(s, name) == -1
			    : layout_set_aside(&j->q->layout, name, LOST) == -1)
		s->error = errno;
}

/* Somebody waits, so that it is flushed at once: only then can the envelope be
 * brought back. */
static void
on_done(void *ctx, enum queue_status status)
{
	(void)ctx;
	(void)status;
}

static void
finish_loss(struct job *j)
{
	struct loss *s = (struct loss *)(void *)j;

	(void)trouble_part(j->q->trouble, TROUBLE_CORRUPT,
	    s->error == ENOENT ? 0 : s->error, j->q->now);
	j->q->aside_counted = 0;
	/* If it could not be kept, it stays what it was until a start. */
	if (s->error == 0 || s->error == ENOENT)
		queue_done(j->q, s->evpid, "aside " LOST, on_done, NULL);
	form_drop(&s->form);
	free(s->text);
	free(s);
}

void
queue_lost(struct queue *q, uint64_t evpid)
{
	struct entry *e = entry_get(q, ident_msgid(evpid));
	struct leaf *l = e == NULL ? NULL : entry_leaf(e, ident_rcpt(evpid));
	struct loss *s = mem_zalloc(sizeof(*s));
	char name[LAYOUT_NAME_MAX];

	s->evpid = evpid;
	form_take(q, &s->form);
	if (l != NULL && l->blob != NULL && !l->locked) {
		s->len = l->len;
		s->text = mem_strndup(l->blob->data + l->off, l->len);
	}
	s->job.q = q;
	s->job.run = run_loss;
	s->job.finish = finish_loss;
	aside_anomaly(q, layout_envelope(name, evpid), LOST);
	crew_submit(q->crew, &s->job, false);
}
