#include "queue/replay.h"

#include <errno.h>
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

#define AGAIN 23 /* octets of "again SEQ\n" */

struct found {
	struct journal_record r;
	uint64_t at; /* of the payload */
};

/* One segment as it was read. */
struct scan {
	unsigned slot;
	struct journal_segment head;
	char *data;
	size_t len;
	struct found *found;
	size_t count, room;
	uint64_t flushed; /* the highest any group names */
	size_t torn_at; /* where the first odd group stands; 0: none */
	size_t torn_len;
	bool cut;
	uint64_t valid; /* when cut */
};

struct replayer {
	struct scan scans[RING_SLOTS];
	unsigned count;
	struct journal_key *key;
	uint64_t low;
	uint64_t last; /* highest seq seen or claimed */
};

static int
newest_first(const void *a, const void *b)
{
	const struct scan *x = a, *y = b;

	return x->head.number < y->head.number ? 1
	    : x->head.number > y->head.number  ? -1
					       : 0;
}

static void
keep_record(struct scan *s, const struct journal_record *r, size_t at)
{
	if (s->count == s->room) {
		s->room = s->room == 0 ? 256 : s->room * 2;
		s->found = mem_rearray(s->found, s->room, sizeof(*s->found));
	}
	s->found[s->count].r = *r;
	s->found[s->count++].at = at + JOURNAL_RECORD_HEAD;
}

/* All records of a group; past a bad one, whatever can still be read. */
static bool
scan_records(struct replayer *p, struct scan *s, size_t at, size_t end,
    uint64_t *expected)
{
	struct journal_record r;
	const char *next;
	bool good = true;

	while (at < end) {
		if (journal_record_parse(p->key, &r, s->data + at, end - at) &&
		    r.seq >= *expected) {
			keep_record(s, &r, at);
			*expected = r.seq + 1;
			at += journal_record_size(r.length);
			continue;
		}
		good = false;
		next = memmem(s->data + at + 1, end - at - 1, "\nj1 ", 4);
		if (next == NULL)
			break;
		at = (size_t)(next - s->data) + 1;
	}
	return good;
}

/* How far a group of this run reaches whose head was damaged and whose number
 * still tells; 0 for zeros and what an earlier lap left. */
static size_t
claims(const char *data, size_t len, uint64_t expected)
{
	char digits[17];
	size_t n;

	if (len < JOURNAL_GROUP_HEAD || memcmp(data, "g1 ", 3) != 0)
		return 0;
	memcpy(digits, data + 3, 16);
	digits[16] = '\0';
	if (strtoull(digits, NULL, 16) != expected)
		return 0;
	memcpy(digits, data + 37, 8);
	digits[8] = '\0';
	n = journal_group_size(strtoul(digits, NULL, 16));
	return n < len ? n : len;
}

/* The same by a record of this run that begins in the block: whatever became
 * of the group's head, something was written here. */
static size_t
records_reach(
    struct replayer *p, const char *data, size_t len, uint64_t expected)
{
	const char *at = data,
		   *end = data + (len < JOURNAL_BLOCK ? len : JOURNAL_BLOCK);
	struct journal_record r;
	size_t reach = 0, next;
	char digits[17];

	while ((at = memmem(at, (size_t)(end - at), "j1 ", 3)) != NULL) {
		next = (size_t)(at - data);
		if (len - next < JOURNAL_RECORD_HEAD)
			break;
		memcpy(digits, at + 3, 16);
		digits[16] = '\0';
		/* Those of earlier laps are told by their numbers already. */
		if (strtoull(digits, NULL, 16) >= expected &&
		    journal_record_parse(p->key, &r, at, len - next))
			reach = next + journal_record_size(r.length);
		at++;
	}
	return (reach + JOURNAL_BLOCK - 1) / JOURNAL_BLOCK * JOURNAL_BLOCK;
}

static void
note_torn(struct scan *s, size_t at, size_t len)
{
	if (s->torn_at != 0 || len == 0)
		return;
	s->torn_at = at;
	s->torn_len = len < s->len - at ? len : s->len - at;
}

static void
scan_segment(struct replayer *p, struct scan *s)
{
	uint64_t expected = s->head.first;
	struct journal_group g;
	size_t at, size, reach, claimed;

	journal_key_set(p->key, s->head.secret);
	for (at = JOURNAL_BLOCK; at < s->len; at += size) {
		size = JOURNAL_BLOCK;
		if (!journal_group_parse(
			p->key, &g, s->data + at, s->len - at) ||
		    g.first < expected) {
			if (s->torn_at != 0)
				continue;
			claimed = claims(s->data + at, s->len - at, expected);
			reach = records_reach(
			    p, s->data + at, s->len - at, expected);
			note_torn(s, at, reach > claimed ? reach : claimed);
			continue;
		}
		if (g.length > s->len - at - JOURNAL_GROUP_HEAD) {
			note_torn(s, at, s->len - at);
			continue;
		}
		size = journal_group_size(g.length);
		if (g.flushed > s->flushed)
			s->flushed = g.flushed;
		expected = g.first;
		if (!scan_records(p, s, at + JOURNAL_GROUP_HEAD,
			at + JOURNAL_GROUP_HEAD + g.length, &expected))
			note_torn(s, at, size);
	}
}

static int
read_segment(struct scan *s, int fd)
{
	struct stat st;
	size_t at = 0;
	ssize_t n;

	if (fstat(fd, &st) == -1)
		return -1;
	/* A file cut short is read as far as it goes, and is zeros then. */
	s->len = ((size_t)st.st_size + JOURNAL_BLOCK - 1) / JOURNAL_BLOCK *
	    JOURNAL_BLOCK;
	s->data = malloc(s->len + 1);
	if (s->data == NULL)
		return -1;
	while (at < s->len) {
		n = pread(fd, s->data + at, s->len - at, (off_t)at);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	/* Blocks that cannot be read stand for blocks that are bad. */
	memset(s->data + at, 0, s->len - at);
	return 0;
}

static void
read_marks(struct replayer *p, const struct scan *s)
{
	unsigned long long low, segment, valid;
	const char *line, *end;
	char text[128];
	unsigned j;
	size_t i, n;

	for (i = 0; i < s->count; i++) {
		if (s->found[i].r.kind != JOURNAL_MARK)
			continue;
		line = s->data + s->found[i].at;
		end = line + s->found[i].r.length;
		for (; line < end; line += n + 1) {
			n = strcspn(line, "\n");
			if (n >= sizeof(text) || n > (size_t)(end - line))
				break;
			memcpy(text, line, n);
			text[n] = '\0';
			if (sscanf(text, "low=%llx", &low) == 1 && low > p->low)
				p->low = low;
			if (sscanf(text, "cut segment=%llx valid=%llx",
				&segment, &valid) != 2)
				continue;
			for (j = 0; j < p->count; j++) {
				if (p->scans[j].head.number != segment)
					continue;
				p->scans[j].cut = true;
				p->scans[j].valid = valid;
			}
		}
	}
}

/* Never acknowledged, as far as anybody can tell; or the last that was written
 * is damaged. What it may have been is told and kept. */
static void
keep_torn(const struct layout *l, const struct scan *s, const char *reason,
    struct replay_result *result)
{
	char name[LAYOUT_NAME_MAX], path[LAYOUT_NAME_MAX + 16];
	struct stat st;

	snprintf(name, sizeof(name), "journal-%016" PRIx64 "-%08" PRIx64,
	    s->head.number, (uint64_t)s->torn_at);
	snprintf(result->note, sizeof(result->note), "corrupt/%s", name);
	if (l == NULL)
		return;
	snprintf(path, sizeof(path), "corrupt/%s", name);
	if (fstatat(l->root, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return; /* kept by a recovery before this one */
	if (layout_keep(l, name, s->data + s->torn_at, s->torn_len, reason) ==
	    -1)
		log_warn(
		    "event=keep name=%s error=\"%s\"", name, strerror(errno));
}

static void
keep_segment(const struct layout *l, const char *name, const struct scan *s,
    const char *reason)
{
	char path[LAYOUT_NAME_MAX + 16];
	struct stat st;

	if (l == NULL)
		return;
	snprintf(path, sizeof(path), "corrupt/%s", name);
	if (fstatat(l->root, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return; /* kept by a recovery before this one */
	if (layout_keep(l, name, s->data, s->len, reason) == -1)
		log_warn(
		    "event=keep name=%s error=\"%s\"", name, strerror(errno));
}

static void
disk_lied(const struct layout *l, const struct scan *s, uint64_t seq,
    struct replay_result *result)
{
	char name[LAYOUT_NAME_MAX];

	snprintf(result->alarm, sizeof(result->alarm),
	    "journal segment %" PRIu64 ": record %" PRIu64
	    " was flushed and is bad: the disk lost data",
	    s->head.number, seq);
	if (l != NULL)
		log_err("event=journal-damaged segment=%" PRIu64 " seq=%" PRIu64
			" reason=\"a flushed record is bad\"",
		    s->head.number, seq);
	snprintf(name, sizeof(name), "journal-%016" PRIx64, s->head.number);
	keep_segment(l, name, s, result->alarm);
}

struct run {
	uint64_t id;
	uint64_t flushed; /* the highest that any group of it names */
	uint64_t expected;
	bool ended;
};

/* Shows what is to be shown of one segment. next is where the following
 * segment of the same run begins, UINT64_MAX when there is none. */
static void
show_segment(struct replayer *p, struct ring *r, const struct layout *l,
    struct scan *s, struct run *run, uint64_t next,
    void (*visit)(void *, const struct replay_record *), void *ctx,
    struct replay_result *result)
{
	uint64_t end = s->cut ? s->valid + 1 : next, bad = UINT64_MAX;
	struct replay_record rec;
	size_t i;

	run->expected = s->head.first;
	for (i = 0; i <= s->count && !run->ended; i++) {
		uint64_t seq = i < s->count ? s->found[i].r.seq : end;

		if (seq > end)
			seq = end;
		if (seq > run->expected && run->expected >= p->low &&
		    run->expected < end) {
			if (run->expected <= run->flushed) {
				if (bad == UINT64_MAX)
					bad = run->expected;
			} else if (end != UINT64_MAX || i < s->count) {
				run->ended = true;
				break;
			}
		}
		if (i == s->count || s->found[i].r.seq >= end)
			break;
		run->expected = seq + 1;
		rec.seq = seq;
		rec.kind = s->found[i].r.kind;
		rec.slot = s->slot;
		rec.at = s->found[i].at;
		rec.payload = s->data + s->found[i].at;
		rec.len = s->found[i].r.length;
		if (seq >= p->low)
			visit(ctx, &rec);
	}
	if (bad != UINT64_MAX)
		disk_lied(l, s, bad, result);
	else if (!s->cut && s->torn_at != 0)
		keep_torn(l, s, "a write to the journal that was not finished",
		    result);
	if (s->count > 0 && s->found[s->count - 1].r.seq >= p->low)
		ring_keep(r, s->slot, s->found[s->count - 1].r.seq);
}

static void
show(struct replayer *p, struct ring *r, const struct layout *l,
    void (*visit)(void *, const struct replay_record *), void *ctx,
    struct replay_result *result)
{
	struct run run = { 0 };
	uint64_t next;
	unsigned i, j;

	for (i = p->count; i-- > 0;) {
		struct scan *s = &p->scans[i];

		if (run.id != s->head.run || i + 1 == p->count) {
			memset(&run, 0, sizeof(run));
			run.id = s->head.run;
			for (j = 0; j <= i; j++)
				if (p->scans[j].head.run == run.id &&
				    p->scans[j].flushed > run.flushed)
					run.flushed = p->scans[j].flushed;
		}
		next = i > 0 && p->scans[i - 1].head.run == run.id
		    ? p->scans[i - 1].head.first
		    : UINT64_MAX;
		show_segment(p, r, l, s, &run, next, visit, ctx, result);
	}
}

/* A file of the journal that is not what was made: what it held is lost or
 * partly lost. */
static void
report_odd(struct ring *r, const struct layout *l, unsigned slot,
    struct replay_result *result)
{
	struct journal_segment head;
	struct scan s = { .slot = slot };
	char name[LAYOUT_NAME_MAX];

	snprintf(result->alarm, sizeof(result->alarm),
	    "journal/%u: %s: the disk lost data", ring_file(r, slot),
	    ring_odd(r, slot));
	if (l != NULL)
		log_err("event=journal-damaged file=%u reason=\"%s\"",
		    ring_file(r, slot), ring_odd(r, slot));
	if (ring_head(r, slot, &head))
		snprintf(
		    name, sizeof(name), "journal-%016" PRIx64, head.number);
	else
		snprintf(
		    name, sizeof(name), "journal-file-%u", ring_file(r, slot));
	if (l != NULL && read_segment(&s, ring_fd(r, slot)) == 0)
		keep_segment(l, name, &s, result->alarm);
	free(s.data);
}

int
replay(struct ring *r, const struct layout *l,
    void (*visit)(void *ctx, const struct replay_record *rec), void *ctx,
    struct replay_result *result, char *err, size_t errlen)
{
	struct replayer *p = mem_zalloc(sizeof(*p));
	unsigned i, n;
	int rc = -1;

	memset(result, 0, sizeof(*result));
	p->key = journal_key_new();
	for (i = 0; i < ring_slots(r); i++) {
		if (ring_odd(r, i) != NULL)
			report_odd(r, l, i, result);
		if (ring_head(r, i, &p->scans[p->count].head))
			p->scans[p->count++].slot = i;
	}
	qsort(p->scans, p->count, sizeof(p->scans[0]), newest_first);
	if (p->count > 0)
		ring_resume(r, p->scans[0].head.number + 1);
	else
		ring_resume(r, 1);
	for (n = p->count, i = 0; i < n; i++) {
		struct scan *s = &p->scans[i];

		/* All that is older ends below this one's first record. */
		if (i > 0 && p->low >= p->scans[i - 1].head.first) {
			p->count = i;
			break;
		}
		if (read_segment(s, ring_fd(r, s->slot)) == -1) {
			snprintf(err, errlen, "journal: %s", strerror(errno));
			goto out;
		}
		scan_segment(p, s);
		read_marks(p, s);
		if (s->count > 0 && s->found[s->count - 1].r.seq > p->last)
			p->last = s->found[s->count - 1].r.seq;
		if (s->head.first - 1 > p->last)
			p->last = s->head.first - 1;
	}
	show(p, r, l, visit, ctx, result);
	/* A torn group may have claimed a few numbers more. */
	result->next_seq = p->last + 1 + 4096;
	result->low = p->low;
	rc = 0;
out:
	for (i = 0; i < n; i++) {
		free(p->scans[i].data);
		free(p->scans[i].found);
	}
	journal_key_free(p->key);
	free(p);
	return rc;
}

bool
replay_put(const struct replay_record *rec, struct replay_put *p)
{
	const char *at = rec->payload, *end = at + rec->len, *line;
	char digits[IDENT_TEXT_MAX];

	memset(p, 0, sizeof(*p));
	p->message = at;
	p->seq = rec->seq;
	p->ends = p->ends_end = at;
	if (rec->len > AGAIN && memcmp(at, "again ", 6) == 0) {
		memcpy(digits, at + 6, 16);
		digits[16] = '\0';
		p->seq = strtoull(digits, NULL, 16);
		at += AGAIN;
	}
	if (end - at > 5 && memcmp(at, "ends ", 5) == 0) {
		line = memchr(at, '\n', (size_t)(end - at));
		if (line == NULL)
			return false;
		p->ends = at + 5;
		p->ends_end = line;
		at = line + 1;
	}
	if (end - at > 9 && memcmp(at, "incoming ", 9) == 0) {
		line = memchr(at, '\n', (size_t)(end - at));
		if (line == NULL)
			return false;
		p->large = true;
		at = line + 1;
	}
	p->message = at;
	p->len = (size_t)(end - at);
	p->at = rec->at + (uint64_t)(at - rec->payload);
	return true;
}

bool
replay_put_ends(struct replay_put *p, uint64_t *evpid)
{
	char digits[IDENT_TEXT_MAX];

	while (p->ends_end - p->ends >= IDENT_EVPID_DIGITS) {
		memcpy(digits, p->ends, IDENT_EVPID_DIGITS);
		digits[IDENT_EVPID_DIGITS] = '\0';
		p->ends += IDENT_TEXT_MAX;
		if (ident_evpid_parse(digits, evpid))
			return true;
	}
	return false;
}
