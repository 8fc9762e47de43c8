/*
 * view_stream - a message's record and body, wherever they stand
 *
 * The digest is computed on the way, so damage is known at the end of the
 * reading at the latest.
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
	struct message m;
	int fd; /* lent when it is the journal's */
	bool lent;
	uint64_t base, offset;
	struct message_hash *hash;
	char *record;
	bool ended;
	const char *why;
};

char *
view_record_read(struct view *v, int fd, uint64_t base, const struct message *m)
{
	char *record;

	(void)v;
	if (m->record > RECORD_MAX)
		return NULL;
	record = mem_zalloc((size_t)m->record + 1);
	if (message_read_record(fd, base, m, record, (size_t)m->record) >= 0)
		return record;
	free(record);
	return NULL;
}

static void
fail(struct view_message *m, enum view_status status, const char *reason)
{
	m->status = status;
	m->reason = reason;
}

/* The head of it at base; false with status and reason. */
static bool
take_head(struct view_stream *s, uint64_t msgid, struct view_message *m)
{
	char head[MESSAGE_HEAD];
	const char *why;
	ssize_t n = pread(s->fd, head, sizeof(head), (off_t)s->base);

	if (n == -1) {
		fail(m, VIEW_UNAVAILABLE, layout_reason(errno));
		return false;
	}
	why = message_parse(&s->m, head, (size_t)n);
	if (why == NULL && s->m.msgid != msgid)
		why = "its head belongs to another message";
	if (why != NULL)
		fail(m, n < MESSAGE_HEAD ? VIEW_TORN : VIEW_BROKEN, why);
	return why == NULL;
}

static bool
open_journal(struct view *v, struct view_stream *s, uint64_t msgid,
    struct view_message *m)
{
	const struct view_entry *e = hmap_get(v->entries, msgid);

	if (e == NULL || !e->put || e->where != VIEW_JOURNAL)
		return false;
	s->fd = ring_fd(v->ring, e->slot);
	s->lent = true;
	s->base = e->at;
	m->where = VIEW_JOURNAL;
	m->stored = e->stored;
	/* A daemon may have taken the segment for other mail since: then the
	 * message has become a file. */
	return take_head(s, msgid, m) &&
	    memcmp(s->m.digest, e->m.digest, sizeof(s->m.digest)) == 0;
}

static bool
open_file(struct view *v, struct view_stream *s, uint64_t msgid,
    struct view_message *m)
{
	const struct view_entry *e = hmap_get(v->entries, msgid);
	char name[LAYOUT_NAME_MAX];
	off_t size;

	s->lent = false;
	s->base = 0;
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
		fail(m, errno == ENOENT ? VIEW_GONE : VIEW_UNAVAILABLE,
		    layout_reason(errno));
		return false;
	}
	m->stored = (uint64_t)size;
	if (!take_head(s, msgid, m))
		return false;
	if ((uint64_t)size < message_end(&s->m)) {
		fail(m, VIEW_TORN, "cut short");
		return false;
	}
	return true;
}

struct view_stream *
view_stream_open(struct view *v, uint64_t msgid, struct view_message *m)
{
	struct view_stream *s = mem_zalloc(sizeof(*s));

	memset(m, 0, sizeof(*m));
	m->msgid = msgid;
	s->fd = -1;
	if (!open_journal(v, s, msgid, m) && !open_file(v, s, msgid, m)) {
		view_stream_close(s);
		return NULL;
	}
	m->status = VIEW_WHOLE;
	m->reason = NULL;
	m->codec = "plain";
	m->arrived = s->m.arrived;
	m->size = s->m.size;
	m->record = s->m.record;
	s->record = view_record_read(v, s->fd, s->base, &s->m);
	if (s->record == NULL) {
		fail(m, VIEW_BROKEN, "its record cannot be read");
		view_stream_close(s);
		return NULL;
	}
	s->hash = message_hash_new();
	return s;
}

const char *
view_stream_record(const struct view_stream *s, size_t *len)
{
	*len = (size_t)s->m.record;
	return s->record;
}

static ssize_t
end(struct view_stream *s)
{
	uint8_t digest[MESSAGE_DIGEST];

	if (!s->ended) {
		s->ended = true;
		message_hash_add(s->hash, s->record, (size_t)s->m.record);
		message_hash_end(s->hash, digest);
		if (memcmp(digest, s->m.digest, sizeof(digest)) != 0)
			s->why = "its digest does not fit";
	}
	return s->why == NULL ? 0 : -1;
}

ssize_t
view_stream_read(struct view_stream *s, void *data, size_t len)
{
	ssize_t n;

	if (s->why != NULL)
		return -1;
	if (s->offset >= s->m.size)
		return end(s);
	n = message_read_body(s->fd, s->base, &s->m, s->offset, data, len);
	if (n <= 0) {
		s->why = n == 0 || errno == EBADMSG ? "cut short"
						    : layout_reason(errno);
		return -1;
	}
	message_hash_add(s->hash, data, (size_t)n);
	s->offset += (uint64_t)n;
	return n;
}

const char *
view_stream_why(const struct view_stream *s)
{
	return s->why;
}

void
view_stream_close(struct view_stream *s)
{
	if (s == NULL)
		return;
	if (s->fd != -1 && !s->lent)
		close(s->fd);
	message_hash_free(s->hash);
	free(s->record);
	free(s);
}
