/*
 * qsync - the queue library under steady load, for the tests of sync and load
 *
 *   qsync SPOOL load N     N messages, 20 at a time; whenever 200 more are
 *                          taken, a fifth of all is changed and a sync asked
 *                          for, whose files are compared when it answers
 *                          (CHANGES times)
 *   qsync SPOOL early N    N messages before the tree is walked
 *
 * Lines on stdout: SYNCED status, envelopes, how many of them were not as they
 * should be, ms; EARLY taken, refused; LOADED envelopes; STATS.
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/crc32c.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "queue/queue.h"

#define SIZE 3000
#define WIDE 20
#define EVERY 200
#define TEXT_MAX 512
#define SEND_MS 120000 /* on whatever machine */

struct mail {
	uint64_t evpid;
	unsigned generation;
};

struct drive {
	struct queue *q;
	const char *path;
	struct mail *mail;
	unsigned todo, open, taken, refused, loaded;
	unsigned changes; /* of one envelope, one behind the other */
	unsigned asked, due; /* mails when the sync was asked for */
	uint64_t since;
	bool syncing, walked;
};

struct sending {
	struct drive *d;
	uint64_t msgid;
};

static size_t
make_text(char *text, const struct mail *m)
{
	char id[IDENT_TEXT_MAX];
	int n;

	n = snprintf(text, TEXT_MAX,
	    "spool-envelope: 1\nid: %s\nstate: queued\nkind: relay\n"
	    "action: relay\nsender: a@example.org\nrecipient: b@example.net\n"
	    "destination: b@example.net\nfrom: smtp [192.0.2.1]:25\n"
	    "arrived: 2026-11-22T13:21:09Z\nexpires: 2026-11-26T13:21:09Z\n"
	    "generation: %u\n",
	    ident_evpid_text(id, m->evpid), m->generation);
	n += snprintf(text + n, TEXT_MAX - (size_t)n, "check: crc32c=%08x\n",
	    (unsigned)crc32c(0, text, (size_t)n));
	return (size_t)n;
}

static void
on_taken(void *ctx, enum queue_status status)
{
	struct sending *s = ctx;
	struct drive *d = s->d;

	d->open--;
	if (status == QUEUE_OK) {
		d->mail[d->taken].evpid = ident_evpid(s->msgid, 1);
		d->mail[d->taken++].generation = 1;
	} else {
		/* It comes again. */
		d->refused++;
		d->todo++;
	}
	free(s);
}

static bool
send_one(struct drive *d)
{
	struct sending *s;
	enum queue_status why;
	struct queue_txn *t = queue_begin(d->q, &why);
	char text[TEXT_MAX], body[SIZE];
	struct queue_text one;
	struct mail m;

	if (t == NULL)
		return false;
	s = mem_zalloc(sizeof(*s));
	s->d = d;
	s->msgid = queue_txn_id(t);
	m.evpid = one.evpid = ident_evpid(s->msgid, 1);
	m.generation = 1;
	memset(body, 'x', sizeof(body));
	(void)queue_write(t, body, sizeof(body));
	one.text = text;
	one.len = make_text(text, &m);
	d->open++;
	queue_commit(t, &one, 1, NULL, 0, on_taken, s);
	return true;
}

static bool
is_right(const struct drive *d, const struct mail *m)
{
	char path[PATH_MAX], id[IDENT_TEXT_MAX], want[TEXT_MAX],
	    got[TEXT_MAX + 1];
	struct stat st;
	ssize_t n;
	int fd;

	ident_evpid_text(id, m->evpid);
	snprintf(path, sizeof(path), "%s/queue/%.2s/%s", d->path, id, id);
	if ((fd = open(path, O_RDONLY)) == -1)
		return false;
	n = read(fd, got, sizeof(got));
	close(fd);
	if (n != (ssize_t)make_text(want, m) ||
	    memcmp(got, want, (size_t)n) != 0)
		return false;
	path[strlen(path) - 4] = '\0'; /* the message's */
	return stat(path, &st) == 0 && st.st_size > SIZE;
}

static void
on_synced(void *ctx, enum queue_status status)
{
	struct drive *d = ctx;
	unsigned i, wrong = 0;

	for (i = 0; i < d->due; i++)
		wrong += !is_right(d, &d->mail[i]);
	printf("SYNCED status=%d n=%u wrong=%u ms=%llu\n", (int)status, d->due,
	    wrong, (unsigned long long)(mono_ms() - d->since));
	d->syncing = false;
}

/* Some are changed, then all that was taken must be in files. */
static void
ask(struct drive *d)
{
	char text[TEXT_MAX];
	unsigned i, first = d->asked++ % 5, times;

	for (times = 0; times < d->changes; times++) {
		for (i = first; i < d->taken; i += 5) {
			d->mail[i].generation++;
			queue_image(d->q, d->mail[i].evpid, text,
			    make_text(text, &d->mail[i]), NULL, NULL);
		}
	}
	d->due = d->taken;
	d->since = mono_ms();
	d->syncing = true;
	queue_sync(d->q, on_synced, d);
}

static void
turn(struct drive *d)
{
	struct pollfd p = { queue_fd(d->q), POLLIN, 0 };

	(void)poll(&p, 1, 20);
	queue_turn(d->q);
}

static void
send_all(struct drive *d, bool syncs)
{
	uint64_t until = mono_ms() + SEND_MS;

	while (
	    (d->todo > 0 || d->open > 0 || d->syncing) && mono_ms() < until) {
		while (d->todo > 0 && d->open < WIDE) {
			if (!send_one(d)) {
				d->refused++;
				break;
			}
			d->todo--;
		}
		if (syncs && !d->syncing && d->taken >= d->due + EVERY)
			ask(d);
		turn(d);
	}
}

static void
on_envelope(void *ctx, uint64_t evpid, enum queue_status status,
    const char *text, size_t len, uint64_t size, const char *reason)
{
	(void)evpid;
	(void)text;
	(void)len;
	(void)size;
	(void)reason;
	if (status == QUEUE_OK)
		((struct drive *)ctx)->loaded++;
}

static void
on_loaded(void *ctx)
{
	((struct drive *)ctx)->walked = true;
}

static void
load(struct drive *d)
{
	struct queue_loader loader = {
		.envelope = on_envelope, .loaded = on_loaded, .ctx = d
	};

	queue_load(d->q, &loader);
	while (!d->walked)
		turn(d);
	printf("LOADED n=%u\n", d->loaded);
}

int
main(int argc, char **argv)
{
	struct queue_options o = { .journal_size = 4 * 65536,
		.segments = 4,
		.reserve_percent = UINT_MAX };
	struct drive d = { 0 };
	struct queue_stats st;
	char why[256];

	if (argc != 4)
		return 2;
	log_open("qsync", true);
	o.path = d.path = argv[1];
	o.settle_ms =
	    getenv("SETTLE") == NULL ? 0 : (unsigned)atoi(getenv("SETTLE"));
	if (getenv("SEGMENT") != NULL)
		o.journal_size = 4 * (uint64_t)atoi(getenv("SEGMENT"));
	d.changes =
	    getenv("CHANGES") == NULL ? 1 : (unsigned)atoi(getenv("CHANGES"));
	d.todo = (unsigned)atoi(argv[3]);
	d.mail = mem_zarray(d.todo, sizeof(*d.mail));
	if ((d.q = queue_open(&o, why, sizeof(why))) == NULL) {
		fprintf(stderr, "qsync: %s\n", why);
		return 1;
	}
	if (strcmp(argv[2], "early") == 0) {
		send_all(&d, false);
		printf("EARLY taken=%u refused=%u\n", d.taken, d.refused);
		load(&d);
	} else {
		load(&d);
		send_all(&d, true);
	}
	queue_stats(d.q, &st);
	printf("STATS commits=%llu messages=%llu alarm=%s\n",
	    (unsigned long long)st.commits, (unsigned long long)st.messages,
	    st.alarm);
	queue_close(d.q, 4000);
	free(d.mail);
	return 0;
}
