/*
 * flushed_first - files follow a change when it is flushed, not before
 *
 * A message that is due to be settled is changed without a callback, which may
 * take a second to be flushed: until then its files stay as they are.
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
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/crc32c.h"
#include "lib/base/ident.h"
#include "lib/base/mono.h"
#include "queue/queue.h"
#include "regress/unit/folder.h"

#define SIZE 3000

static void
on_loaded(void *ctx)
{
	*(bool *)ctx = true;
}

static void
on_taken(void *ctx, enum queue_status status)
{
	assert_int_equal(status, QUEUE_OK);
	*(bool *)ctx = true;
}

static void
turn(struct queue *q)
{
	struct pollfd p = { queue_fd(q), POLLIN, 0 };

	(void)poll(&p, 1, 100);
	queue_turn(q);
}

static size_t
make_text(char *text, size_t size, uint64_t evpid, unsigned tries)
{
	char id[IDENT_TEXT_MAX];
	int n;

	n = snprintf(text, size,
	    "spool-envelope: 1\nid: %s\nstate: queued\nkind: relay\n"
	    "action: relay\nsender: a@example.org\nrecipient: b@example.net\n"
	    "destination: b@example.net\nfrom: smtp [192.0.2.1]:25\n"
	    "arrived: 2026-11-22T13:21:09Z\nexpires: 2026-11-26T13:21:09Z\n"
	    "tries: %u\ngeneration: %u\n",
	    ident_evpid_text(id, evpid), tries, tries + 1);
	n += snprintf(text + n, size - (size_t)n, "check: crc32c=%08x\n",
	    (unsigned)crc32c(0, text, (size_t)n));
	return (size_t)n;
}

/* One message, taken and not settled, whose time to be settled has come when
 * the next turn looks. */
static uint64_t
put(struct queue *q)
{
	bool taken = false;
	struct queue_text text;
	enum queue_status why;
	struct queue_txn *t;
	char body[SIZE], image[512];

	memset(body, 'x', sizeof(body));
	memcpy(body + sizeof(body) - 2, "\r\n", 2);
	t = queue_begin(q, &why);
	assert_non_null(t);
	text.evpid = ident_evpid(queue_txn_id(t), 1);
	text.text = image;
	text.len = make_text(image, sizeof(image), text.evpid, 0);
	(void)queue_write(t, body, sizeof(body));
	queue_commit(t, &text, 1, NULL, 0, on_taken, &taken);
	while (!taken)
		turn(q);
	return text.evpid;
}

static struct queue *
open_spool(const char *path, unsigned large, bool *loaded)
{
	struct queue_loader loader = { .loaded = on_loaded, .ctx = loaded };
	struct queue_options o = { .path = path,
		.large = large,
		.settle_ms = 200,
		.journal_size = 8 * 1024 * 1024,
		.reserve_percent = UINT_MAX };
	struct queue *q;
	char err[256];

	q = queue_open(&o, err, sizeof(err));
	if (q == NULL)
		fail_msg("%s", err);
	*loaded = false;
	queue_load(q, &loader);
	while (!*loaded)
		turn(q);
	return q;
}

/* By reference: its only octets are in incoming/. */
static void
test_done(void **state)
{
	struct queue_stats before, now;
	bool loaded;
	struct queue *q = open_spool(*state, 1000, &loaded);
	uint64_t evpid = put(q);

	queue_stats(q, &before);
	assert_int_equal(before.settled, 0);
	(void)poll(NULL, 0, 250); /* its time has come, and nobody looked */
	queue_done(q, evpid, "sent", NULL, NULL);
	do {
		turn(q);
		queue_stats(q, &now);
	} while (now.unlinked == 0);
	assert_true(now.flushes > before.flushes);
	queue_close(q, 1000);
}

static void
test_image(void **state)
{
	struct queue_stats before, now;
	bool loaded;
	struct queue *q = open_spool(*state, 0, &loaded);
	uint64_t evpid = put(q);
	char text[512];
	size_t len = make_text(text, sizeof(text), evpid, 1);

	queue_stats(q, &before);
	assert_int_equal(before.settled, 0);
	(void)poll(NULL, 0, 250);
	queue_image(q, evpid, text, len, NULL, NULL);
	do {
		turn(q);
		queue_stats(q, &now);
	} while (now.settled == 0);
	assert_true(now.flushes > before.flushes);
	queue_done(q, evpid, "sent", NULL, NULL);
	queue_close(q, 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_done, folder_make, folder_remove),
		cmocka_unit_test_setup_teardown(
		    test_image, folder_make, folder_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
