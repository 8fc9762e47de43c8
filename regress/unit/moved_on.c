/*
 * moved_on - what cannot become files, while the ring goes round
 *
 * A bucket is no directory: its message waits in the journal and is moved on in
 * it, by the others' records and not by its own. Others come and go so fast
 * that this happens more often than it would be tried: when the bucket is back
 * it is filed all the same.
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/crc32c.h"
#include "lib/base/ident.h"
#include "lib/base/mono.h"
#include "queue/queue.h"
#include "regress/unit/folder.h"

#define SIZE 3000
#define WIDE 16 /* messages at a time */
#define BURST 80 /* messages: more than a third of the ring */
#define STUCK 60 /* the same of these */
#define MOST_MS 60000
#define LAZY_MS 2500 /* what nobody waits for is flushed, and marked */
#define MOST_GROUPS (4 * (BURST + STUCK)) /* with some that are moved */

struct traffic {
	struct queue *q;
	unsigned open;
	unsigned begun;
	bool keep; /* until all of a burst are taken */
	uint64_t kept[BURST + WIDE];
	unsigned count;
};

struct sending {
	struct traffic *t;
	uint64_t evpid;
};

static void
on_loaded(void *ctx)
{
	*(bool *)ctx = true;
}

static void
on_stays(void *ctx, enum queue_status status)
{
	assert_int_equal(status, QUEUE_OK);
	*(bool *)ctx = true;
}

static void
on_goes(void *ctx, enum queue_status status)
{
	struct sending *s = ctx;

	s->t->open--;
	if (status == QUEUE_OK && s->t->keep)
		s->t->kept[s->t->count++] = s->evpid;
	else if (status == QUEUE_OK)
		queue_done(s->t->q, s->evpid, "sent", NULL, NULL);
	free(s);
}

static void
turn(struct queue *q)
{
	struct pollfd p = { queue_fd(q), POLLIN, 0 };

	(void)poll(&p, 1, 20);
	queue_turn(q);
}

static size_t
make_text(char *text, size_t size, uint64_t evpid)
{
	char id[IDENT_TEXT_MAX];
	int n;

	n = snprintf(text, size,
	    "spool-envelope: 1\nid: %s\nstate: queued\nkind: relay\n"
	    "action: relay\nsender: a@example.org\nrecipient: b@example.net\n"
	    "destination: b@example.net\nfrom: smtp [192.0.2.1]:25\n"
	    "arrived: 2026-11-22T13:21:09Z\nexpires: 2026-11-26T13:21:09Z\n"
	    "tries: 0\ngeneration: 1\n",
	    ident_evpid_text(id, evpid));
	n += snprintf(text + n, size - (size_t)n, "check: crc32c=%08x\n",
	    (unsigned)crc32c(0, text, (size_t)n));
	return (size_t)n;
}

static void
commit(struct queue_txn *t, uint64_t evpid,
    void (*cb)(void *, enum queue_status), void *ctx)
{
	char body[SIZE], image[512];
	struct queue_text text = { .evpid = evpid, .text = image };

	memset(body, 'x', sizeof(body));
	text.len = make_text(image, sizeof(image), evpid);
	(void)queue_write(t, body, sizeof(body));
	queue_commit(t, &text, 1, NULL, 0, cb, ctx);
}

static void
send_others(struct traffic *tr)
{
	enum queue_status why;
	struct queue_txn *t;
	struct sending *s;

	while (tr->open < WIDE && (t = queue_begin(tr->q, &why)) != NULL) {
		s = calloc(1, sizeof(*s));
		assert_non_null(s);
		s->t = tr;
		s->evpid = ident_evpid(queue_txn_id(t), 1);
		tr->open++;
		tr->begun++;
		commit(t, s->evpid, on_goes, s);
	}
}

/* A message of the bucket that is away. */
static uint64_t
put_stuck(struct queue *q, const char *bucket)
{
	char id[IDENT_TEXT_MAX];
	enum queue_status why;
	struct queue_txn *t;
	bool taken = false;
	uint64_t msgid;

	for (;;) {
		t = queue_begin(q, &why);
		assert_non_null(t);
		msgid = queue_txn_id(t);
		if (strncmp(ident_msgid_text(id, msgid), bucket, 2) == 0)
			break;
		queue_abort(t);
	}
	commit(t, ident_evpid(msgid, 1), on_stays, &taken);
	while (!taken)
		turn(q);
	return msgid;
}

static struct queue *
open_spool(const char *path)
{
	bool loaded = false;
	struct queue_loader loader = { .loaded = on_loaded, .ctx = &loaded };
	struct queue_options o = { .path = path,
		.settle_ms = 1000,
		.journal_size = 8 * 65536,
		.reserve_percent = UINT_MAX };
	struct queue *q;
	char err[256];

	q = queue_open(&o, err, sizeof(err));
	if (q == NULL)
		fail_msg("%s", err);
	queue_load(q, &loader);
	while (!loaded)
		turn(q);
	return q;
}

static void
spoil(const char *bucket)
{
	int fd;

	assert_int_equal(rmdir(bucket), 0);
	fd = open(bucket, O_WRONLY | O_CREAT, 0600);
	assert_int_not_equal(fd, -1);
	close(fd);
}

static void
restore(const char *bucket)
{
	assert_int_equal(unlink(bucket), 0);
	assert_int_equal(mkdir(bucket, 0700), 0);
}

static void
wait_refused(struct queue *q)
{
	uint64_t until = mono_ms() + MOST_MS;
	struct queue_stats s;

	do {
		turn(q);
		queue_stats(q, &s);
	} while (s.anomalies == 0 && mono_ms() < until);
	assert_int_not_equal(s.anomalies, 0);
}

static void
rest(struct queue *q, unsigned ms)
{
	uint64_t until = mono_ms() + ms;

	while (mono_ms() < until)
		turn(q);
}

/* All of it is needed, and then nothing. */
static void
burst(struct traffic *tr)
{
	tr->keep = true;
	for (tr->begun = 0; tr->begun < BURST; turn(tr->q))
		send_others(tr);
	while (tr->open > 0)
		turn(tr->q);
	while (tr->count > 0)
		queue_done(tr->q, tr->kept[--tr->count], "sent", NULL, NULL);
	rest(tr->q, LAZY_MS);
}

static void
test_filed_amid_traffic(void **state)
{
	char bucket[PATH_MAX], file[PATH_MAX + 32], id[IDENT_TEXT_MAX];
	struct traffic tr = { .q = open_spool(*state) };
	struct stat st;
	uint64_t msgid, until;

	snprintf(bucket, sizeof(bucket), "%s/queue/5a", (char *)*state);
	spoil(bucket);
	msgid = put_stuck(tr.q, "5a");
	wait_refused(tr.q);
	restore(bucket);
	snprintf(
	    file, sizeof(file), "%s/%s", bucket, ident_msgid_text(id, msgid));
	until = mono_ms() + MOST_MS;
	do {
		send_others(&tr);
		turn(tr.q);
	} while (stat(file, &st) == -1 && mono_ms() < until);
	assert_int_equal(stat(file, &st), 0);
	while (tr.open > 0)
		turn(tr.q);
	queue_close(tr.q, 1000);
}

/* The ring was well filled before with nothing that anybody needed. */
static void
test_others_move_it(void **state)
{
	char bucket[PATH_MAX];
	struct traffic tr = { .q = open_spool(*state) };
	enum queue_status why;
	struct queue_txn *t;
	struct queue_stats s;
	unsigned i;

	snprintf(bucket, sizeof(bucket), "%s/queue/5a", (char *)*state);
	burst(&tr);
	spoil(bucket);
	for (i = 0; i < STUCK; i++)
		(void)put_stuck(tr.q, "5a");
	wait_refused(tr.q);
	rest(tr.q, LAZY_MS);
	/* Nobody else wrote anything: it stands where it stood. */
	t = queue_begin(tr.q, &why);
	assert_non_null(t);
	queue_abort(t);
	queue_stats(tr.q, &s);
	assert_in_range(s.groups, 1, MOST_GROUPS);
	restore(bucket);
	queue_close(tr.q, 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_filed_amid_traffic, folder_make, folder_remove),
		cmocka_unit_test_setup_teardown(
		    test_others_move_it, folder_make, folder_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
