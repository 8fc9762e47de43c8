#include "queue/walk.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "queue/envfile.h"
#include "queue/inside.h"

#define ODD_MAX 65536

static struct found *
add(struct walk *w, uint64_t id, uint64_t inode)
{
	struct found *f;

	if (w->count == w->room) {
		w->room = w->room == 0 ? 64 : w->room * 2;
		w->found = mem_rearray(w->found, w->room, sizeof(*w->found));
	}
	f = &w->found[w->count++];
	memset(f, 0, sizeof(*f));
	f->id = id;
	f->inode = inode;
	return f;
}

static void
add_odd(struct walk *w, const char *name)
{
	size_t len = strlen(name) + 1;

	if (w->only != 0 || w->odd_len + len > ODD_MAX)
		return;
	w->odd = mem_rearray(w->odd, w->odd_len + len, 1);
	memcpy(w->odd + w->odd_len, name, len);
	w->odd_len += len;
}

static char *
text_room(struct walk *w, size_t len)
{
	while (w->text_room < w->text_len + len + 1) {
		w->text_room = w->text_room == 0 ? 65536 : w->text_room * 2;
		w->text = mem_rearray(w->text, w->text_room, 1);
	}
	return w->text + w->text_len;
}

static void
keep_text(struct walk *w, struct found *f, size_t len)
{
	f->at = (uint32_t)w->text_len;
	f->len = (uint32_t)len;
	w->text_len += len;
	w->text[w->text_len++] = '\0';
}

static enum queue_status
status_of(int error)
{
	return error == ENOENT ? QUEUE_GONE : QUEUE_UNAVAILABLE;
}

/* Whether one of the slots opens. */
static void
try_slots(struct walk *w, struct found *f, const char *head)
{
	enum seal_result rc;
	uint8_t data_key[SEAL_DATA_KEY];
	char slot[SEAL_SLOT + 1], kid[KEYRING_KID + 1];
	unsigned i;

	f->status = QUEUE_DAMAGED;
	f->reason = "its key slots are damaged";
	for (i = 0; i < MESSAGE_SLOTS; i++) {
		if (!message_slot_parse(head + MESSAGE_SLOT_AT(i), slot))
			continue;
		rc = seal_unwrap(
		    w->keys, ident_msgid(f->id), slot, data_key, kid);
		seal_wipe(data_key, sizeof(data_key));
		if (rc == SEAL_OK) {
			f->status = QUEUE_OK;
			f->reason = NULL;
			return;
		}
		if (rc != SEAL_NO_KEY)
			continue;
		f->status = QUEUE_LOCKED;
		f->reason = envfile_reason(keyring_find(w->keys, kid) == NULL
			? ENVFILE_NO_KEY
			: ENVFILE_WRONG_KEY);
		memcpy(f->kid, kid, sizeof(kid));
	}
}

static void
judge_message(
    struct walk *w, struct found *f, const char *head, size_t n, uint64_t size)
{
	struct message m;
	const char *why = message_parse(&m, head, n);
	uint64_t stored;

	if (why == NULL && m.msgid != ident_msgid(f->id))
		why = "its head belongs to another message";
	if (why != NULL) {
		f->status = QUEUE_DAMAGED;
		f->reason = why;
		return;
	}
	/* Of a compressed one the length shows when it is read. */
	stored = message_stored(&m);
	if (stored != 0 && size != stored) {
		f->status = QUEUE_DAMAGED;
		f->reason =
		    size < stored ? "cut short" : "longer than its head says";
		return;
	}
	f->size = m.size;
	f->arrived = m.arrived;
	if (m.codec & MESSAGE_SEALED)
		try_slots(w, f, head);
}

static void
look_at_message(struct walk *w, struct found *f)
{
	char name[IDENT_TEXT_MAX], head[MESSAGE_HEAD_MAX];
	off_t size;
	ssize_t n;
	int fd;

	fd = layout_open_in(&w->job.q->layout, w->dir,
	    ident_msgid_text(name, ident_msgid(f->id)), &size);
	if (fd == -1) {
		f->status = status_of(errno);
		f->reason = layout_reason(errno);
		return;
	}
	n = pread(fd, head, sizeof(head), 0);
	if (n == -1) {
		f->status = QUEUE_UNAVAILABLE;
		f->reason = layout_reason(errno);
	} else {
		judge_message(w, f, head, (size_t)n, (uint64_t)size);
	}
	close(fd);
}

/* The envelope in its first form, from the message's record. */
static bool
rebuild(struct walk *w, struct found *f)
{
	char name[LAYOUT_NAME_MAX], *record = NULL;
	struct codec_reader *r = NULL;
	const char *at, *end;
	bool found = false;
	size_t n, len, got;
	int fd;

	fd = layout_open_read(
	    &w->job.q->layout, layout_message(name, ident_msgid(f->id)), NULL);
	if (fd == -1)
		return false;
	r = codec_open(fd, 0, CODEC_TO_END, w->keys);
	if (codec_message(r)->record > 64u * 1024 * 1024 ||
	    codec_verify(r) != CODEC_OK)
		goto out;
	len = (size_t)codec_message(r)->record;
	record = mem_zalloc(len + 1);
	if (codec_read(r, 0, record, len, &got) != CODEC_OK || got != len)
		goto out;
	for (at = record, end = record + len;
	     (n = envfile_first(at, (size_t)(end - at))) > 0; at += n) {
		if (envfile_id(at, n) != f->id)
			continue;
		memcpy(text_room(w, n), at, n);
		keep_text(w, f, n);
		found = true;
		break;
	}
out:
	codec_close(r);
	free(record);
	close(fd);
	return found;
}

static void
judge_envelope(struct walk *w, struct found *f, const char *data, size_t n)
{
	enum envfile_state state;
	uint64_t sealed;

	buf_reset(w->clear);
	state = envfile_unwrap(w->keys, data, n, w->clear, &sealed, f->kid);
	f->reason = envfile_reason(state);
	if (state == ENVFILE_TORN && (f->rebuilt = rebuild(w, f))) {
		f->reason = NULL;
		return;
	}
	if (buf_len(w->clear) > 0) {
		memcpy(text_room(w, buf_len(w->clear)), buf_text(w->clear),
		    buf_len(w->clear));
		keep_text(w, f, buf_len(w->clear));
	}
	switch (state) {
	case ENVFILE_WHOLE:
		if (envfile_id(w->text + f->at, f->len) == f->id)
			return;
		f->status = QUEUE_DAMAGED;
		f->reason = "its id line names another envelope";
		return;
	case ENVFILE_NO_KEY:
	case ENVFILE_WRONG_KEY:
		f->status = sealed == f->id ? QUEUE_LOCKED : QUEUE_DAMAGED;
		return;
	case ENVFILE_TORN:
		f->reason = "cut short, and the record has nothing of it";
		break;
	case ENVFILE_EDITED:
		break;
	}
	f->status = QUEUE_DAMAGED;
}

static void
look_at_envelope(struct walk *w, struct found *f)
{
	char name[IDENT_TEXT_MAX];
	off_t size;
	ssize_t n;
	int fd;

	fd = layout_open_in(
	    &w->job.q->layout, w->dir, ident_evpid_text(name, f->id), &size);
	if (fd != -1 && size > (off_t)ENVFILE_STORED_MAX) {
		close(fd);
		fd = -1;
		errno = EFBIG;
	}
	if (fd == -1) {
		f->status = status_of(errno);
		f->reason = layout_reason(errno);
		return;
	}
	n = pread(fd, w->file, ENVFILE_STORED_MAX, 0);
	if (n == -1) {
		f->status = QUEUE_UNAVAILABLE;
		f->reason = layout_reason(errno);
	} else {
		judge_envelope(w, f, w->file, (size_t)n);
	}
	close(fd);
}

static int
by_id(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static int
by_inode(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return x->inode < y->inode ? -1 : x->inode > y->inode;
}

static void
list(struct walk *w, DIR *dir)
{
	struct dirent *entry;
	uint64_t id;

	errno = 0;
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		if (ident_msgid_parse(entry->d_name, &id))
			id = ident_evpid(id, 0);
		else if (!ident_evpid_parse(entry->d_name, &id))
			id = 0;
		if (id == 0 || layout_bucket(ident_msgid(id)) != w->bucket)
			add_odd(w, entry->d_name);
		else if (w->only == 0 || w->only == ident_msgid(id))
			add(w, id, entry->d_ino);
		errno = 0;
	}
	if (errno != 0)
		w->error = errno;
}

/* In the order of inodes, which is about that of the disk. */
static void
look(struct walk *w)
{
	size_t i;

	if (w->count == 0)
		return;
	if (w->count > 1)
		qsort(w->found, w->count, sizeof(*w->found), by_inode);
	w->file = mem_zalloc(ENVFILE_STORED_MAX);
	w->clear = buf_new(ENVFILE_STORED_MAX);
	for (i = 0; i < w->count; i++) {
		if (ident_rcpt(w->found[i].id) == 0)
			look_at_message(w, &w->found[i]);
		else
			look_at_envelope(w, &w->found[i]);
	}
	free(w->file);
	w->file = NULL;
	buf_free(w->clear);
	w->clear = NULL;
	if (w->count > 1)
		qsort(w->found, w->count, sizeof(*w->found), by_id);
}

static void
run_walk(struct job *j)
{
	struct walk *w = (struct walk *)(void *)j;
	char name[LAYOUT_NAME_MAX];
	DIR *dir = NULL;
	int fd;

	fd =
	    layout_open_dir(&j->q->layout, layout_bucket_name(name, w->bucket));
	if (fd == -1 || (dir = fdopendir(fd)) == NULL) {
		w->error = errno;
		if (fd != -1)
			close(fd);
		return;
	}
	w->dir = fd;
	list(w, dir);
	look(w);
	closedir(dir);
}

struct walk *
walk_new(struct queue *q, unsigned bucket, uint64_t only)
{
	struct walk *w = mem_zalloc(sizeof(*w));

	w->job.q = q;
	w->job.run = run_walk;
	w->job.operation = "walk";
	w->bucket = bucket;
	w->only = only;
	w->keys = q->keys == NULL ? NULL : keyring_ref(q->keys);
	return w;
}

void
walk_free(struct walk *w)
{
	if (w == NULL)
		return;
	free(w->found);
	free(w->odd);
	free(w->text);
	keyring_unref(w->keys);
	free(w);
}
