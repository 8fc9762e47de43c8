/*
 * view_stream - a message's record and body, wherever they stand
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "queue/view_inside.h"

#define RECORD_MAX (64u * 1024 * 1024)

struct view_stream {
	struct codec_reader *reader;
	int fd;
	bool lent; /* the journal's */
	uint64_t offset;
};

enum view_status
view_codec_status(const struct codec_reader *r)
{
	switch (codec_state(r)) {
	case CODEC_OK:
		return VIEW_WHOLE;
	case CODEC_NO_KEY:
	case CODEC_WRONG_KEY:
		return VIEW_LOCKED;
	case CODEC_DAMAGED:
		return VIEW_BROKEN;
	case CODEC_FAILED:
		break;
	}
	return VIEW_UNAVAILABLE;
}

char *
view_codec_record(struct codec_reader *r, size_t *len)
{
	uint64_t size = codec_message(r)->record;
	char *record;
	size_t got;

	if (size > RECORD_MAX)
		return NULL;
	record = mem_zalloc((size_t)size + 1);
	if (codec_read(r, 0, record, (size_t)size, &got) == CODEC_OK &&
	    got == size) {
		*len = got;
		return record;
	}
	free(record);
	return NULL;
}

static void
fill(struct view_message *m, const struct codec_reader *r)
{
	const struct message *head = codec_message(r);

	m->stored = codec_stored(r);
	m->codec = message_codec(head->codec);
	m->arrived = head->arrived;
	m->size = head->size;
	m->record = head->record;
	memcpy(m->kid, codec_kid(r, 0), sizeof(m->kid));
}

static bool
open_journal(struct view *v, struct view_stream *s, uint64_t msgid)
{
	const struct view_entry *e = hmap_get(v->entries, msgid);

	if (e == NULL || !e->put || e->where != VIEW_JOURNAL)
		return false;
	s->fd = ring_fd(v->ring, e->slot);
	s->lent = true;
	s->reader = codec_open(s->fd, e->at, e->stored, v->keys);
	/* A daemon may have taken the segment for other mail since: then the
	 * message has become a file. */
	if (codec_head(s->reader) != 0 &&
	    codec_message(s->reader)->msgid == msgid)
		return true;
	codec_close(s->reader);
	s->reader = NULL;
	return false;
}

static int
open_file(struct view *v, struct view_stream *s, uint64_t msgid,
    struct view_message *m)
{
	const struct view_entry *e = hmap_get(v->entries, msgid);
	char name[LAYOUT_NAME_MAX];
	off_t size;

	s->lent = false;
	s->fd = -1;
	if (e != NULL && e->where == VIEW_INCOMING) {
		m->where = VIEW_INCOMING;
		s->fd = view_open_file(
		    v, v->layout.root, layout_incoming(name, msgid), &size);
	}
	if (s->fd == -1) {
		m->where = VIEW_FILE;
		s->fd = view_open_file(
		    v, v->layout.root, layout_message(name, msgid), &size);
	}
	if (s->fd == -1) {
		m->status = errno == ENOENT ? VIEW_GONE : VIEW_UNAVAILABLE;
		m->reason = layout_reason(errno);
		return -1;
	}
	s->reader = codec_open(s->fd, 0, (uint64_t)size, v->keys);
	return 0;
}

struct view_stream *
view_stream_open(struct view *v, uint64_t msgid, struct view_message *m)
{
	struct view_stream *s = mem_zalloc(sizeof(*s));

	memset(m, 0, sizeof(*m));
	m->msgid = msgid;
	s->fd = -1;
	if (open_journal(v, s, msgid)) {
		m->where = VIEW_JOURNAL;
	} else if (open_file(v, s, msgid, m) == -1) {
		view_stream_close(s);
		return NULL;
	}
	fill(m, s->reader);
	m->status = view_codec_status(s->reader);
	if (m->status == VIEW_WHOLE &&
	    codec_message(s->reader)->msgid != msgid) {
		m->status = VIEW_BROKEN;
		m->reason = "its head belongs to another message";
	} else if (m->status != VIEW_WHOLE) {
		strlcpy(m->why, codec_why(s->reader), sizeof(m->why));
		m->reason = m->why;
	}
	if (m->status == VIEW_WHOLE)
		return s;
	view_stream_close(s);
	return NULL;
}

int
view_raw(struct view *v, uint64_t id, uint64_t *at, uint64_t *len)
{
	const struct view_entry *e = hmap_get(v->entries, ident_msgid(id));
	char name[LAYOUT_NAME_MAX];
	off_t size;
	int fd;

	*at = 0;
	if (ident_rcpt(id) == 0 && e != NULL && e->where == VIEW_JOURNAL) {
		*at = e->at;
		*len = e->stored;
		return dup(ring_fd(v->ring, e->slot));
	}
	if (ident_rcpt(id) != 0)
		layout_envelope(name, id);
	else if (e != NULL && e->where == VIEW_INCOMING)
		layout_incoming(name, e->msgid);
	else
		layout_message(name, ident_msgid(id));
	fd = view_open_file(v, v->layout.root, name, &size);
	if (fd != -1)
		*len = (uint64_t)size;
	return fd;
}

char *
view_stream_record(struct view_stream *s, size_t *len)
{
	return view_codec_record(s->reader, len);
}

ssize_t
view_stream_read(struct view_stream *s, void *data, size_t len)
{
	size_t got;

	if (codec_read_body(s->reader, s->offset, data, len, &got) != CODEC_OK)
		return -1;
	s->offset += got;
	return (ssize_t)got;
}

const char *
view_stream_why(const struct view_stream *s)
{
	return codec_why(s->reader);
}

struct codec_reader *
view_stream_codec(struct view_stream *s)
{
	return s->reader;
}

void
view_stream_close(struct view_stream *s)
{
	if (s == NULL)
		return;
	codec_close(s->reader);
	if (s->fd != -1 && !s->lent)
		close(s->fd);
	free(s);
}
