/*
 * qdrive - the queue library without a daemon, for the tests of the spool
 *
 *   qdrive SPOOL list             what loading reports, then settles and stops
 *   qdrive SPOOL put N SIZE RCPTS G   commits N messages, G at a time
 *   qdrive SPOOL storm SIZE G     for ever: commits, and ends or defers some
 *   qdrive SPOOL cycle N SIZE     N messages, each ended as soon as it is taken
 *   qdrive SPOOL drain            marks everything done
 *   qdrive SPOOL bulk VERB [MSG]  a bulk verb for all or for one message, as
 *                                 recipient 0000; then _exit at once
 *   qdrive SPOOL defer            a new image for everything
 *   qdrive SPOOL read N           reads every envelope, N times over
 *   qdrive SPOOL crash ...        put, defer or drain without settling: _exit
 *   qdrive KID newkey STATE       a line for a key ring
 *
 * Lines on stdout: ACK, DONE, ENV, LOCKED, ANOMALY, BULK, STATS. A body is made of its
 * message id, so that a torn or a strange one is seen. The environment sets
 * options: SEGMENT, SEGMENTS, SETTLE, LARGE, CAP, CACHE, SYNC, RESERVE, QUIET (no lines
 * for single envelopes), CALM (ms before LOADED), REST (ms before the end),
 * OWNER (a uid to become after opening), ZSTD (level), KEYS (a ring's file),
 * SEAL, REKEY (a ring's file that comes when all is loaded).
 */
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/crc32c.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "queue/keyring.h"
#include "queue/queue.h"

#define TEXT_MAX 512

struct drive {
	struct queue *q;
	size_t size;
	unsigned rcpts, open, todo, wide;
	unsigned acks, refused, checks;
	bool storm, loaded, quiet, crash, starved;
	uint64_t *live;
	size_t count, room;
};

struct sending {
	struct drive *d;
	uint64_t msgid;
	unsigned rcpts;
};

struct checking {
	struct drive *d;
	uint64_t msgid, size, at;
};

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void
say(const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (write(STDOUT_FILENO, line, (size_t)n) != n)
		_exit(3);
}

static size_t
make_text(char *text, uint64_t evpid, unsigned generation)
{
	char id[IDENT_TEXT_MAX];
	int n;

	n = snprintf(text, TEXT_MAX,
	    "spool-envelope: 1\nid: %s\nstate: queued\nkind: relay\n"
	    "action: relay\nsender: a@example.org\nrecipient: b@example.net\n"
	    "destination: b@example.net\nfrom: smtp [192.0.2.1]:25\n"
	    "arrived: 2026-11-22T13:21:09Z\nexpires: 2026-11-26T13:21:09Z\n"
	    "tries: %u\ngeneration: %u\n",
	    ident_evpid_text(id, evpid), generation - 1, generation);
	n += snprintf(text + n, TEXT_MAX - (size_t)n, "check: crc32c=%08x\n",
	    (unsigned)crc32c(0, text, (size_t)n));
	return (size_t)n;
}

/* Octet i of a message's body. */
static void
fill(uint8_t *data, uint64_t msgid, uint64_t at, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++, at++)
		data[i] = at % 64 == 62 ? '\r'
		    : at % 64 == 63
		    ? '\n'
		    : (uint8_t)('!' + ((msgid >> at % 40) + at / 64) % 90);
}

static void
keep(struct drive *d, uint64_t evpid)
{
	if (d->count == d->room) {
		d->room = d->room == 0 ? 1024 : d->room * 2;
		d->live = mem_rearray(d->live, d->room, sizeof(*d->live));
	}
	d->live[d->count++] = evpid;
}

static void
on_acked(void *ctx, enum queue_status status)
{
	struct sending *s = ctx;
	struct drive *d = s->d;
	char id[IDENT_TEXT_MAX];
	unsigned i;

	d->open--;
	if (status == QUEUE_OK) {
		d->acks++;
		for (i = 1; i <= s->rcpts; i++) {
			keep(d, ident_evpid(s->msgid, i));
			if (!d->quiet)
				say("ACK %s\n",
				    ident_evpid_text(
					id, ident_evpid(s->msgid, i)));
		}
	} else {
		d->refused++;
		if (!d->quiet)
			say("REFUSED %s %d\n", ident_msgid_text(id, s->msgid),
			    (int)status);
	}
	free(s);
}

static void
send_one(struct drive *d)
{
	struct sending *s = mem_zalloc(sizeof(*s));
	struct queue_text *texts;
	struct queue_txn *t;
	enum queue_status why;
	uint8_t piece[65536];
	size_t at, n;
	unsigned i;
	char *room;

	if ((t = queue_begin(d->q, &why)) == NULL) {
		d->refused++;
		free(s);
		return;
	}
	s->d = d;
	s->msgid = queue_txn_id(t);
	s->rcpts = d->rcpts;
	for (at = 0; at < d->size; at += n) {
		n = d->size - at < sizeof(piece) ? d->size - at : sizeof(piece);
		fill(piece, s->msgid, at, n);
		(void)queue_write(t, piece, n);
	}
	texts = mem_zarray(d->rcpts, sizeof(*texts));
	room = mem_zalloc(d->rcpts * TEXT_MAX);
	for (i = 0; i < d->rcpts; i++) {
		texts[i].evpid = ident_evpid(s->msgid, i + 1);
		texts[i].text = room + i * TEXT_MAX;
		texts[i].len =
		    make_text(room + i * TEXT_MAX, texts[i].evpid, 1);
	}
	d->open++;
	queue_commit(t, texts, d->rcpts, NULL, 0, on_acked, s);
	free(texts);
	free(room);
}

static void
turn(struct drive *d, int ms)
{
	struct pollfd p = { queue_fd(d->q), POLLIN, 0 };

	(void)poll(&p, 1, ms);
	queue_turn(d->q);
}

static void
on_checked(void *ctx, enum queue_status status, const uint8_t *data, size_t len,
    uint64_t total)
{
	struct checking *c = ctx;
	uint8_t want[65536];
	char id[IDENT_TEXT_MAX];

	ident_msgid_text(id, c->msgid);
	fill(want, c->msgid, c->at, len);
	if (status != QUEUE_OK)
		say("BODY %s status %d\n", id, (int)status);
	else if (total != c->size || (len > 0 && memcmp(want, data, len) != 0))
		say("BODY %s differs\n", id);
	else if (c->at + len < total) {
		c->at += len;
		queue_body(c->d->q, c->msgid, c->at, 65536, on_checked, c);
		return;
	}
	c->d->checks--;
	free(c);
}

static void
on_envelope(void *ctx, uint64_t evpid, enum queue_status status,
    const char *text, size_t len, uint64_t size, const char *reason)
{
	static const char *const names[] = { "ok", "gone", "full",
		"unavailable", "damaged", "failed", "locked" };
	struct drive *d = ctx;
	const char *g;
	char id[IDENT_TEXT_MAX];

	g = text == NULL ? NULL : memmem(text, len, "\ngeneration: ", 13);
	keep(d, evpid);
	if (!d->quiet)
		say("ENV %s %s size=%llu generation=%d%s%s\n",
		    ident_evpid_text(id, evpid), names[status],
		    (unsigned long long)size, g == NULL ? 0 : atoi(g + 13),
		    reason == NULL ? "" : " reason=",
		    reason == NULL ? "" : reason);
}

static void
on_locked(void *ctx, uint64_t evpid, uint64_t size, int64_t arrived,
    const char *reason)
{
	struct drive *d = ctx;
	char id[IDENT_TEXT_MAX];

	if (!d->quiet)
		say("LOCKED %s size=%llu arrived=%lld reason=%s\n",
		    ident_evpid_text(id, evpid), (unsigned long long)size,
		    (long long)arrived, reason);
}

static void
on_anomaly(void *ctx, const char *name, const char *reason)
{
	(void)ctx;
	say("ANOMALY %s: %s\n", name, reason);
}

static void
on_bulk(void *ctx, uint64_t bulk, const char *verb, bool all,
    const uint64_t *evpids, size_t n)
{
	struct drive *d = ctx;
	char id[IDENT_TEXT_MAX];
	size_t i;

	say("BULK %s all=%d n=%zu\n", verb, all, n);
	for (i = 0; i < n; i++)
		say("NAMED %s\n", ident_evpid_text(id, evpids[i]));
	queue_bulk_done(d->q, bulk);
}

static void
on_loaded(void *ctx)
{
	struct drive *d = ctx;

	d->loaded = true;
}

static void
on_plain(void *ctx, enum queue_status status)
{
	struct drive *d = ctx;

	d->open--;
	if (status != QUEUE_OK)
		d->refused++;
}

static void
on_bulked(void *ctx, enum queue_status status, uint64_t bulk)
{
	struct drive *d = ctx;

	(void)bulk;
	say("BULKED %d\n", (int)status);
	d->open--;
}

static void
check_bodies(struct drive *d)
{
	struct checking *c;
	uint64_t last = 0;
	size_t i;

	for (i = 0; i < d->count; i++) {
		if (ident_msgid(d->live[i]) == last)
			continue;
		last = ident_msgid(d->live[i]);
		c = mem_zalloc(sizeof(*c));
		c->d = d;
		c->msgid = last;
		c->size = d->size;
		d->checks++;
		queue_body(d->q, last, 0, 65536, on_checked, c);
		while (d->checks > 16)
			turn(d, 100);
	}
	while (d->checks > 0)
		turn(d, 100);
}

static void
change_all(struct drive *d, bool done)
{
	char text[TEXT_MAX], id[IDENT_TEXT_MAX];
	size_t i, len;

	for (i = 0; i < d->count; i++) {
		d->open++;
		if (done) {
			queue_done(d->q, d->live[i], "sent code=250 text=ok",
			    on_plain, d);
			if (!d->quiet)
				say("DONE %s\n",
				    ident_evpid_text(id, d->live[i]));
		} else {
			len = make_text(text, d->live[i], 2);
			queue_image(d->q, d->live[i], text, len, on_plain, d);
		}
		while (d->open > 64)
			turn(d, 100);
	}
	while (d->open > 0)
		turn(d, 100);
}

static void
on_text(void *ctx, enum queue_status status, const char *text, size_t len)
{
	struct drive *d = ctx;

	(void)text;
	d->open--;
	if (status != QUEUE_OK || len == 0)
		d->refused++;
}

static void
read_all(struct drive *d, int times)
{
	size_t i;

	for (; times > 0; times--) {
		for (i = 0; i < d->count; i++) {
			d->open++;
			queue_envelope(d->q, d->live[i], on_text, d);
			while (d->open > 64)
				turn(d, 100);
		}
		while (d->open > 0)
			turn(d, 100);
	}
}

static unsigned
number(const char *name)
{
	const char *v = getenv(name);

	return v == NULL ? 0 : (unsigned)strtoul(v, NULL, 10);
}

static void
put_all(struct drive *d)
{
	uint64_t until = mono_ms() + number("PATIENCE");
	unsigned refused;

	while (d->todo > 0 || d->open > 0) {
		while (d->todo > 0 && d->open < d->wide) {
			refused = d->refused;
			send_one(d);
			/* As a client would, for so many milliseconds. */
			if (d->refused > refused && mono_ms() < until) {
				d->refused--;
				break;
			}
			d->todo--;
		}
		turn(d, 100);
	}
}

/* Until it is killed. */
static void
storm(struct drive *d)
{
	char text[TEXT_MAX], id[IDENT_TEXT_MAX];
	unsigned n = 0;
	uint64_t evpid;
	size_t at;

	for (;;) {
		while (d->open < d->wide) {
			d->rcpts = n % 7 == 0 ? 5 : 1;
			send_one(d);
			n++;
		}
		turn(d, 100);
		while (d->count > 60) {
			at = (size_t)(ident_random64() % d->count);
			evpid = d->live[at];
			if (n++ % 3 == 0) {
				queue_image(d->q, evpid, text,
				    make_text(text, evpid, 2), NULL, NULL);
				d->live[at] = d->live[--d->count];
				continue;
			}
			/* Said first: from here on it may be gone. */
			say("DONE %s\n", ident_evpid_text(id, evpid));
			queue_done(d->q, evpid, "sent", NULL, NULL);
			d->live[at] = d->live[--d->count];
		}
	}
}

static void
show_stats(struct drive *d, uint64_t began)
{
	struct queue_stats s;

	queue_stats(d->q, &s);
	say("STATS ms=%llu messages=%llu commits=%llu groups=%llu "
	    "flushes=%llu settled=%llu unlinked=%llu refused=%u "
	    "anomalies=%llu locked=%llu hits=%llu misses=%llu "
	    "cached=%llu alarm=%s\n",
	    (unsigned long long)(mono_ms() - began),
	    (unsigned long long)s.messages, (unsigned long long)s.commits,
	    (unsigned long long)s.groups, (unsigned long long)s.flushes,
	    (unsigned long long)s.settled, (unsigned long long)s.unlinked,
	    d->refused, (unsigned long long)s.anomalies,
	    (unsigned long long)s.locked, (unsigned long long)s.hits,
	    (unsigned long long)s.misses, (unsigned long long)s.cached_bytes,
	    s.alarm);
}

static void
act(struct drive *d, int argc, char **argv, uint64_t began)
{
	const char *verb = argv[2];
	uint64_t message = 0;

	d->rcpts = 1;
	d->wide = 20;
	if (strcmp(verb, "put") == 0) {
		d->count = 0;
		d->todo = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 1;
		d->rcpts = argc > 5 ? (unsigned)strtoul(argv[5], NULL, 10) : 1;
		d->wide = argc > 6 ? (unsigned)strtoul(argv[6], NULL, 10) : 20;
		put_all(d);
		show_stats(d, began);
	} else if (strcmp(verb, "storm") == 0) {
		d->wide = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 20;
		d->count = 0;
		storm(d);
	} else if (strcmp(verb, "cycle") == 0) {
		d->todo = (unsigned)strtoul(argv[3], NULL, 10);
		for (d->count = 0; d->todo > 0; d->todo -= d->acks) {
			d->acks = 0;
			send_one(d);
			while (d->open > 0)
				turn(d, 100);
			change_all(d, true);
			d->count = 0;
			if (d->refused > 0)
				exit(1);
		}
	} else if (strcmp(verb, "check") == 0)
		check_bodies(d);
	else if (strcmp(verb, "drain") == 0)
		change_all(d, true);
	else if (strcmp(verb, "defer") == 0)
		change_all(d, false);
	else if (strcmp(verb, "read") == 0)
		read_all(d, argc > 3 ? atoi(argv[3]) : 1);
	else if (strcmp(verb, "bulk") == 0) {
		d->open = 1;
		if (argc > 4)
			message = ident_evpid(strtoull(argv[4], NULL, 16), 0);
		queue_bulk(d->q, argc > 3 ? argv[3] : "hold", argc <= 4,
		    &message, argc > 4, on_bulked, d);
		while (d->open > 0)
			turn(d, 100);
	}
}

static int
new_key(const char *kid, const char *state)
{
	struct buf *b = buf_new(4096);
	struct key k;

	if (!key_kid_ok(kid) || key_generate(&k, kid) == -1)
		return 1;
	k.state = strcmp(state, "active") == 0 ? KEY_ACTIVE : KEY_READABLE;
	key_print(&k, b);
	say("%s", buf_text(b));
	buf_free(b);
	return 0;
}

static struct keyring *
ring_from(const char *variable)
{
	const char *path = getenv(variable);
	struct keyring *r;
	char err[256];

	if (path == NULL)
		return NULL;
	r = keyring_load(path, NULL, err, sizeof(err));
	if (r == NULL) {
		fprintf(stderr, "qdrive: %s\n", err);
		exit(1);
	}
	return r;
}

/* Another ring comes; waits until all is open, for a second at most. */
static void
rekey(struct drive *d)
{
	struct keyring *r = ring_from("REKEY");
	uint64_t until = mono_ms() + 1000;
	struct queue_stats s;

	if (r == NULL)
		return;
	queue_rekey(d->q, r);
	keyring_unref(r);
	do {
		turn(d, 10);
		queue_stats(d->q, &s);
	} while (s.locked > 0 && mono_ms() < until);
}

static void
set_form(struct queue_options *o)
{
	o->compression = (int)number("ZSTD");
	o->seal = number("SEAL") != 0;
	o->keys = ring_from("KEYS");
}

int
main(int argc, char **argv)
{
	struct drive d = { 0 };
	struct queue_loader loader = { .envelope = on_envelope,
		.locked = on_locked,
		.anomaly = on_anomaly,
		.bulk = on_bulk,
		.loaded = on_loaded,
		.ctx = &d };
	struct queue_options o = { 0 };
	uint64_t began = mono_ms(), calm;
	const char *verb;
	char err[256];

	if (argc > 2 && strcmp(argv[2], "crash") == 0) {
		d.crash = true;
		argv[2] = argv[1];
		argv++;
		argc--;
	}
	if (argc < 3)
		return 2;
	verb = argv[2];
	if (strcmp(verb, "newkey") == 0 && argc > 3)
		return new_key(argv[1], argv[3]);
	o.path = argv[1];
	set_form(&o);
	o.segments = number("SEGMENTS");
	o.journal_size =
	    (uint64_t)number("SEGMENT") * (o.segments == 0 ? 8 : o.segments);
	o.settle_ms = number("SETTLE");
	o.large = number("LARGE");
	o.body_cap = number("CAP");
	o.cache = number("CACHE");
	o.sync_files = number("SYNC") != 0;
	o.reserve_percent =
	    number("RESERVE") == 0 ? UINT_MAX : number("RESERVE");
	o.owner = number("OWNER");
	o.group = number("OWNER");
	d.quiet = number("QUIET") != 0;
	log_open("qdrive", true);
	if ((d.q = queue_open(&o, err, sizeof(err))) == NULL) {
		fprintf(stderr, "qdrive: %s\n", err);
		return 1;
	}
	keyring_unref(o.keys);
	/* Opened as root, worked as somebody else, from an empty root. */
	if (o.owner != 0 &&
	    (chroot(o.path) == -1 || chdir("/") == -1 ||
		setgid(o.group) == -1 || setuid(o.owner) == -1))
		return 1;
	d.size = argc > 4 && strcmp(verb, "put") == 0
	    ? strtoul(argv[4], NULL, 10)
	    : argc > 3 ? strtoul(argv[3], NULL, 10)
		       : 4096;
	queue_load(d.q, &loader);
	while (!d.loaded)
		turn(&d, 1000);
	/* The first checkpoint may be none of a test's business. */
	for (calm = mono_ms() + number("CALM"); mono_ms() < calm;)
		turn(&d, 10);
	rekey(&d);
	say("LOADED ms=%llu\n", (unsigned long long)(mono_ms() - began));
	began = mono_ms();
	act(&d, argc, argv, began);
	if (d.crash)
		_exit(0);
	if (number("REST") != 0) {
		/* Longer than the delay before settling. */
		uint64_t until = mono_ms() + number("REST");

		while (mono_ms() < until)
			turn(&d, 20);
	}
	show_stats(&d, began);
	queue_close(d.q, 4000);
	free(d.live);
	return 0;
}
