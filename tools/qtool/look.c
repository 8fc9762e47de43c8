#include "tools/qtool/look.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "queue/codec.h"
#include "queue/envfile.h"

#define CHUNK 262144u
#define RECORD_MAX (64u * 1024 * 1024)

struct looker {
	const struct survey_options *o;
	uint8_t *chunk;
	char *stored; /* of an envelope */
	struct buf *clear;
	struct problems found; /* in the file at hand */
	uint64_t octets, covered;
};

struct looker *
looker_new(const struct survey_options *o)
{
	struct looker *k = mem_zalloc(sizeof(*k));

	k->o = o;
	k->chunk = mem_zarray(CHUNK, 1);
	k->stored = mem_zarray(ENVFILE_STORED_MAX, 1);
	k->clear = buf_new(ENVFILE_MAX * 2);
	return k;
}

void
looker_free(struct looker *k)
{
	if (k == NULL)
		return;
	problems_clear(&k->found);
	buf_free(k->clear);
	free(k->stored);
	free(k->chunk);
	free(k);
}

void
looker_count(struct looker *k, struct survey_stats *s)
{
	s->octets += k->octets;
	s->covered += k->covered;
	k->octets = k->covered = 0;
}

/* -1: it is gone, or a problem was found. */
static int
open_item(struct looker *k, const struct tree_item *it)
{
	int fd = openat(k->o->layout->root, it->file,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

	if (fd == -1 && errno != ENOENT)
		problems_add(&k->found, PROBLEM_PERMISSIONS, it->file,
		    "cannot be opened: %s", strerror(errno));
	return fd;
}

/* A file that says it is another: a copy where that one is there. */
static void
other_id(struct looker *k, const struct tree_item *it, uint64_t said)
{
	char home[LAYOUT_NAME_MAX], id[IDENT_TEXT_MAX];
	struct stat st;

	if (ident_rcpt(said) == 0) {
		layout_message(home, ident_msgid(said));
		ident_msgid_text(id, ident_msgid(said));
	} else {
		layout_envelope(home, said);
		ident_evpid_text(id, said);
	}
	if (fstatat(k->o->layout->root, home, &st, AT_SYMLINK_NOFOLLOW) == 0)
		problems_add(&k->found, PROBLEM_DUPLICATE_ID, it->file,
		    "it says it is %s, which has a file of its own", id);
	else
		problems_add(&k->found, PROBLEM_BAD_FIELD, it->file,
		    "it says it is %s", id);
}

static void
look_at_envelope(struct looker *k, const struct tree_item *it)
{
	char kid[KEYRING_KID + 1] = "";
	enum envfile_state state;
	uint64_t said = 0;
	ssize_t n;
	int fd;

	if ((fd = open_item(k, it)) == -1)
		return;
	n = pread(fd, k->stored, ENVFILE_STORED_MAX, 0);
	close(fd);
	if (n == -1) {
		problems_add(&k->found, PROBLEM_TRUNCATED, it->file,
		    "cannot be read: %s", strerror(errno));
		return;
	}
	k->octets += (uint64_t)n;
	if (it->st.st_size > ENVFILE_STORED_MAX) {
		problems_add(&k->found, PROBLEM_BAD_FIELD, it->file,
		    "too long for an envelope");
		return;
	}
	if (!envfile_is_sealed(k->stored, (size_t)n)) {
		(void)inspect_envelope(&k->o->known, it->id, k->stored,
		    (size_t)n, it->file, &said, &k->found);
		if (said != 0)
			other_id(k, it, said);
		return;
	}
	buf_reset(k->clear);
	state = envfile_unwrap(
	    k->o->keys, k->stored, (size_t)n, k->clear, &said, kid);
	switch (state) {
	case ENVFILE_NO_KEY:
		problems_add_kid(&k->found, it->file, kid);
		break;
	case ENVFILE_WRONG_KEY:
		problems_add_wrong(&k->found, it->file, kid);
		break;
	case ENVFILE_TORN:
		problems_add(&k->found, PROBLEM_TRUNCATED, it->file,
		    "cut short: no check line");
		break;
	case ENVFILE_EDITED:
		problems_add(&k->found, PROBLEM_BAD_TAG, it->file,
		    "sealed text that was damaged");
		break;
	case ENVFILE_WHOLE:
		if (said != 0 && said != it->id) {
			other_id(k, it, said);
			break;
		}
		(void)inspect_envelope(&k->o->known, it->id, buf_text(k->clear),
		    buf_len(k->clear), it->file, &said, &k->found);
		if (said != 0)
			other_id(k, it, said);
		break;
	}
}

/* Which class the codec's word belongs to. */
static void
damaged(
    struct looker *k, const struct tree_item *it, const struct codec_reader *r)
{
	const char *why = codec_why(r);
	enum problem_class c = PROBLEM_BAD_TAG;

	if (strstr(why, "short") != NULL)
		c = PROBLEM_TRUNCATED;
	else if (codec_head(r) == 0 || strstr(why, "longer") != NULL)
		c = PROBLEM_BAD_FIELD;
	problems_add(&k->found, c, it->file, "%s", why);
}

static void
complain(struct looker *k, const struct tree_item *it, enum codec_result rc,
    const struct codec_reader *r)
{
	switch (rc) {
	case CODEC_OK:
		break;
	case CODEC_DAMAGED:
		damaged(k, it, r);
		break;
	case CODEC_NO_KEY:
		problems_add_kid(&k->found, it->file, codec_kid(r, 0));
		break;
	case CODEC_WRONG_KEY:
		problems_add_wrong(&k->found, it->file, codec_kid(r, 0));
		break;
	case CODEC_FAILED:
		problems_add(&k->found, PROBLEM_TRUNCATED, it->file,
		    "cannot be read: %s", strerror(errno));
		break;
	}
}

/* The envelopes in their first form. */
static void
look_at_record(struct looker *k, const struct tree_item *it, const char *record,
    size_t len)
{
	uint64_t id;
	size_t at, n;

	for (at = 0; (n = envfile_first(record + at, len - at)) > 0; at += n) {
		id = envfile_id(record + at, n);
		if (ident_msgid(id) == ident_msgid(it->id))
			return;
	}
	problems_add(&k->found, PROBLEM_BAD_FIELD, it->file,
	    "its record has no envelope of it");
}

/* What of the stream has come, up to at. */
struct stream {
	const struct message *m;
	uint64_t at;
	char *record;
	struct message_hash *hash; /* NULL: sealed, its tags do this work */
	struct inspect_body body;
	bool parted; /* the empty line is where it should be */
};

static void
take_piece(struct stream *s, const uint8_t *data, size_t len)
{
	size_t before = 0;

	if (s->at < s->m->record) {
		before = s->m->record - s->at < len
		    ? (size_t)(s->m->record - s->at)
		    : len;
		memcpy(s->record + s->at, data, before);
	}
	if (before < len && s->at + before == s->m->record)
		s->parted = data[before++] == '\n';
	inspect_body_feed(&s->body, data + before, len - before);
	if (s->hash != NULL)
		message_hash_add(s->hash, data + before, len - before);
	s->at += len;
}

/* The digest is of the body first, then of the record. */
static bool
digest_fits(struct stream *s)
{
	uint8_t digest[MESSAGE_DIGEST];

	if (s->hash == NULL)
		return true;
	message_hash_add(s->hash, s->record, (size_t)s->m->record);
	message_hash_end(s->hash, digest);
	return memcmp(digest, s->m->digest, sizeof(digest)) == 0;
}

/* Record, empty line and body in one go; what follows damage is not read. */
static enum codec_result
read_stream(
    struct looker *k, const struct tree_item *it, struct codec_reader *r)
{
	struct stream s = { .m = codec_message(r) };
	uint64_t end = message_clear(s.m);
	enum codec_result rc = CODEC_OK;
	size_t got = 0;

	if (s.m->record > RECORD_MAX) {
		problems_add(&k->found, PROBLEM_BAD_FIELD, it->file,
		    "a record too long to be true");
		return CODEC_OK;
	}
	s.record = mem_zarray((size_t)s.m->record + 1, 1);
	if ((s.m->codec & MESSAGE_SEALED) == 0)
		s.hash = message_hash_new();
	inspect_body_begin(&s.body);
	while (s.at < end && rc == CODEC_OK) {
		rc = codec_read(r, s.at, k->chunk, CHUNK, &got);
		if (rc == CODEC_OK && got == 0)
			break;
		if (rc == CODEC_OK)
			take_piece(&s, k->chunk, got);
	}
	if (rc != CODEC_OK)
		goto out;
	if (!digest_fits(&s)) {
		problems_add(&k->found, PROBLEM_BAD_TAG, it->file,
		    "its digest does not fit");
		goto out;
	}
	if (!s.parted)
		problems_add(&k->found, PROBLEM_BAD_FIELD, it->file,
		    "no empty line before its body");
	inspect_body_end(&s.body, it->file, &k->found);
	look_at_record(k, it, s.record, (size_t)s.m->record);
out:
	message_hash_free(s.hash);
	free(s.record);
	return rc;
}

static void
look_at_message(struct looker *k, const struct tree_item *it)
{
	struct codec_reader *r;
	enum codec_result rc;
	int fd;

	if ((fd = open_item(k, it)) == -1)
		return;
	r = codec_open(fd, 0, (uint64_t)it->st.st_size, k->o->keys);
	rc = codec_state(r);
	if (codec_head(r) > 0 &&
	    codec_message(r)->msgid != ident_msgid(it->id)) {
		other_id(k, it, ident_evpid(codec_message(r)->msgid, 0));
		rc = CODEC_OK;
	} else if (rc == CODEC_OK && k->o->level == SURVEY_DEEP) {
		rc = read_stream(k, it, r);
		k->octets += (uint64_t)it->st.st_size;
	}
	complain(k, it, rc, r);
	codec_close(r);
	close(fd);
}

void
look_at(struct looker *k, const struct tree_item *it, struct problems *p)
{
	size_t i = 0;

	if (it->kind == INSPECT_MESSAGE)
		look_at_message(k, it);
	else
		look_at_envelope(k, it);
	if (k->found.n > 0 && !it->stray && k->o->covers(k->o->ctx, it->id)) {
		k->covered++;
		/* A key that is missing is missed all the same. */
		while (i < k->found.n)
			if (k->found.at[i].class == PROBLEM_WRONG_KEY)
				i++;
			else
				problems_drop(&k->found, i);
	}
	problems_join(p, &k->found);
}
