/*
 * The scheduler as a process of its own, between a spooler, a control and a
 * parent that are played here.
 */
#include "daemon/scheduler/scheduler.h"

#include <sys/wait.h>

#include <event2/event.h>
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/edge/plan.h"
#include "daemon/edge/query.h"
#include "daemon/edge/start.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/base/unixsock.h"
#include "lib/cli/exitcode.h"

#define NOBODY 65534
#define MOST 8192

struct rig {
	struct event_base *base;
	pid_t pid;
	struct peer *parent, *control, *spooler;
	unsigned ready;
	/* What came. */
	struct plan_due dues[256];
	unsigned ndues;
	unsigned taken; /* ids of all of them */
	struct plan_verb verb; /* the last one */
	unsigned verbs;
	struct query_end end;
	char end_text[256];
	unsigned ends, asks;
};

static int
on_ready(void *arg, struct message *m)
{
	struct rig *r = arg;

	r->ready++;
	return unpack_done(&m->body);
}

static int
on_due(void *arg, struct message *m)
{
	struct rig *r = arg;
	struct plan_due *d = &r->dues[r->ndues++ % 256];

	if (plan_due_get(&m->body, d) == -1)
		return -1;
	r->taken += d->n;
	return 0;
}

static int
on_verb(void *arg, struct message *m)
{
	struct rig *r = arg;

	r->verbs++;
	return plan_verb_get(&m->body, &r->verb);
}

static int
on_end(void *arg, struct message *m)
{
	struct rig *r = arg;

	if (query_end_get(&m->body, &r->end) == -1)
		return -1;
	snprintf(r->end_text, sizeof(r->end_text), "%s", r->end.text);
	r->ends++;
	return 0;
}

static const struct handler at_parent[] = {
	{ START_READY, "ready", on_ready },
};
static const struct handler at_spooler[] = {
	{ PLAN_DUE, "due", on_due },
	{ PLAN_VERB, "verb", on_verb },
};
static const struct handler at_control[] = {
	{ QUERY_END, "end", on_end },
};

static void
on_late(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	*(bool *)arg = true;
}

/* Runs the loop until *counter is want, or fails. */
static void
until(struct rig *r, const unsigned *counter, unsigned want)
{
	struct timeval tv = { 10, 0 };
	bool late = false;
	struct event *e = evtimer_new(r->base, on_late, &late);

	event_add(e, &tv);
	while (*counter < want && !late)
		event_base_loop(r->base, EVLOOP_ONCE);
	event_free(e);
	if (*counter < want)
		fail_msg("%u came, %u were awaited", *counter, want);
}

static void
become_scheduler(int fd)
{
	if (fd != PROC_PARENT_FD && dup2(fd, PROC_PARENT_FD) == -1)
		_exit(1);
	if (geteuid() == 0 &&
	    (setgroups(0, NULL) == -1 || setgid(NOBODY) == -1 ||
		setuid(NOBODY) == -1))
		_exit(1);
	log_open("scheduler", true);
	log_set_level(LOG_LEVEL_ERR);
	proc_main(&scheduler_role);
}

static struct peer *
introduce(struct rig *r, enum role who, const struct handler *h, size_t n)
{
	struct start_peer m = { .role = (uint8_t)who };
	struct peer *p;
	int pair[2];

	assert_int_equal(unixsock_pair(pair), 0);
	start_peer_put(peer_begin(r->parent), &m);
	peer_send_fd(r->parent, START_PEER, pair[1]);
	p = peer_new(r->base, pair[0], ROLE_SCHEDULER, NULL, NULL);
	peer_handlers(p, h, n, r);
	return p;
}

static struct rig *
rig_new(const char *conf)
{
	struct rig *r = mem_zalloc(sizeof(*r));
	struct start_conf m = { (const uint8_t *)conf, strlen(conf), true };
	int pair[2];

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(unixsock_pair(pair), 0);
	fflush(NULL);
	r->pid = fork();
	assert_int_not_equal(r->pid, -1);
	if (r->pid == 0)
		become_scheduler(pair[1]);
	close(pair[1]);
	r->base = event_base_new();
	r->parent = peer_new(r->base, pair[0], ROLE_SCHEDULER, NULL, NULL);
	peer_handlers(r->parent, at_parent, 1, r);
	start_conf_put(peer_begin(r->parent), &m);
	peer_send(r->parent, START_CONF);
	r->spooler = introduce(r, ROLE_SPOOLER, at_spooler, 2);
	r->control = introduce(r, ROLE_CONTROL, at_control, 1);
	peer_begin(r->parent);
	peer_send(r->parent, START_GO);
	until(r, &r->ready, 1);
	return r;
}

/* It ends cleanly when it is told to. */
static void
rig_free(struct rig *r)
{
	int status;

	peer_begin(r->parent);
	peer_send(r->parent, START_STOP);
	peer_flush(r->parent, 1000);
	assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	peer_free(r->parent);
	peer_free(r->control);
	peer_free(r->spooler);
	event_base_free(r->base);
	free(r);
}

/* Messages of the numbers from..to, one recipient each. */
static void
known(struct rig *r, unsigned from, unsigned to, uint32_t key, int64_t due)
{
	struct plan_row row = { .kind = PLAN_RELAY, .key = key, .due = due };
	unsigned i;

	while (from <= to) {
		struct buf *b = peer_begin(r->spooler);

		for (i = 0; from <= to && i < PLAN_ROWS; i++, from++) {
			row.evpid = ident_evpid(from, 1);
			plan_row_put(b, &row);
		}
		peer_send(r->spooler, PLAN_KNOWN);
	}
}

static void
settled(struct rig *r, uint64_t evpid, enum plan_result result, int64_t due)
{
	struct plan_settled m = { evpid, result, due, false };

	plan_settled_put(peer_begin(r->spooler), &m);
	peer_send(r->spooler, PLAN_SETTLED);
}

/* What the spooler sent so far was read: one more came and went. */
static void
read_by_now(struct rig *r)
{
	static unsigned number = 100000;
	unsigned before = r->taken;

	number++;
	known(r, number, number, number, mono_wall());
	until(r, &r->taken, before + 1);
	settled(r, ident_evpid(number, 1), PLAN_GONE, 0);
	r->taken = before;
	r->ndues--;
}

static void
ended(struct rig *r, uint8_t status, uint32_t done, uint32_t skipped,
    const char *text)
{
	struct plan_ended m = { .ticket = r->verb.ticket,
		.status = status,
		.done = done,
		.skipped = skipped,
		.text = text };

	plan_ended_put(peer_begin(r->spooler), &m);
	peer_send(r->spooler, PLAN_ENDED);
}

static void
ask(struct rig *r, enum query_what what, const char *const *args, uint16_t n)
{
	struct query_ask q = { .ticket = ++r->asks,
		.what = what,
		.uid = 42,
		.reason = "test",
		.n = n };
	struct buf *b = peer_begin(r->control);
	uint16_t i;

	query_ask_put(b, &q);
	for (i = 0; i < n; i++)
		pack_str(b, args[i]);
	peer_send(r->control, QUERY_ASK);
}

static void
ask_one(struct rig *r, enum query_what what, const char *arg)
{
	ask(r, what, &arg, 1);
}

#define ID1 "0000000000010001"
#define ID2 "0000000000020001"
#define EV1 ident_evpid(1, 1)
#define EV2 ident_evpid(2, 1)

static void
what_is_due_goes_out_in_batches(void **state)
{
	struct rig *r = rig_new("queue inflight relay 200\n");
	int64_t now = mono_wall();
	unsigned i;

	(void)state;
	known(r, 1, 300, 7, now);
	known(r, 1001, 1010, 8, now + 3600);
	until(r, &r->taken, 120); /* the rest is kept for other keys */
	for (i = 0; i < r->ndues; i++) {
		assert_true(r->dues[i].n <= PLAN_BATCH);
		assert_int_equal(r->dues[i].key, 7);
	}
	known(r, 2001, 2001, 9, now);
	until(r, &r->taken, 121);
	assert_int_equal(r->dues[r->ndues - 1].key, 9);
	/* What ends makes room for the rest. */
	settled(r, r->dues[0].evpids[0], PLAN_GONE, 0);
	settled(r, r->dues[0].evpids[1], PLAN_AGAIN, now + 400);
	settled(r, r->dues[0].evpids[2], PLAN_HELD, 0);
	until(r, &r->taken, 124);
	rig_free(r);
}

static void
a_time_that_comes_is_seen(void **state)
{
	struct rig *r = rig_new("");

	(void)state;
	known(r, 1, 1, 7, mono_wall() + 1);
	until(r, &r->taken, 1);
	settled(r, EV1, PLAN_AGAIN, mono_wall() + 1);
	until(r, &r->taken, 2);
	rig_free(r);
}

static void
a_held_one_waits_for_its_release(void **state)
{
	struct rig *r = rig_new("");

	(void)state;
	known(r, 1, 1, 7, mono_wall() + 3600);
	read_by_now(r);
	ask_one(r, QUERY_HOLD, ID1);
	until(r, &r->verbs, 1);
	assert_int_equal(r->verb.verb, PLAN_HOLD);
	assert_int_equal(r->verb.uid, 42);
	assert_int_equal(r->verb.n, 1);
	assert_true(r->verb.evpids[0] == EV1);
	assert_int_equal(r->ends, 0); /* the spool must know first */
	ended(r, EXIT_DONE, 1, 0, "");
	until(r, &r->ends, 1);
	assert_int_equal(r->end.status, EXIT_DONE);
	assert_int_equal(r->end.done, 1);

	ask_one(r, QUERY_SCHEDULE, ID1);
	until(r, &r->verbs, 2);
	ended(r, EXIT_DONE, 1, 0, "");
	until(r, &r->ends, 2);
	assert_int_equal(r->taken, 0);

	ask_one(r, QUERY_RELEASE, ID1);
	until(r, &r->verbs, 3);
	assert_int_equal(r->verb.verb, PLAN_RELEASE);
	assert_int_equal(r->taken, 0);
	ended(r, EXIT_DONE, 1, 0, "");
	until(r, &r->taken, 1);
	rig_free(r);
}

static void
nothing_goes_out_while_a_verb_is_made_durable(void **state)
{
	struct rig *r = rig_new("");

	(void)state;
	known(r, 1, 2, 7, mono_wall() + 3600);
	read_by_now(r);
	ask_one(r, QUERY_REMOVE, ID1);
	until(r, &r->verbs, 1);
	known(r, 3, 3, 7, mono_wall());
	/* Answered after the row was read: a word that is no ID. */
	ask_one(r, QUERY_HOLD, "nonsense");
	until(r, &r->ends, 1);
	assert_int_equal(r->end.status, EXIT_USAGE);
	assert_int_equal(r->taken, 0);
	ended(r, EXIT_DONE, 1, 0, "");
	until(r, &r->taken, 1);
	assert_true(r->dues[0].evpids[0] == ident_evpid(3, 1));
	rig_free(r);
}

static void
what_is_in_flight_is_not_removed(void **state)
{
	static const char *const both[] = { ID1, ID2 };
	struct rig *r = rig_new("");

	(void)state;
	known(r, 1, 1, 7, mono_wall());
	until(r, &r->taken, 1);
	known(r, 2, 2, 7, mono_wall() + 3600);
	ask(r, QUERY_REMOVE, both, 2);
	until(r, &r->verbs, 1);
	assert_int_equal(r->verb.n, 1);
	assert_true(r->verb.evpids[0] == EV2);
	ended(r, EXIT_DONE, 1, 0, "");
	until(r, &r->ends, 1);
	assert_int_equal(r->end.status, EXIT_PARTIAL);
	assert_int_equal(r->end.done, 1);
	assert_int_equal(r->end.skipped, 1);
	ask_one(r, QUERY_REMOVE, ID1); /* none but that */
	until(r, &r->ends, 2);
	assert_int_equal(r->end.status, EXIT_PARTIAL);
	assert_int_equal(r->end.done, 0);
	assert_int_equal(r->verbs, 1);
	rig_free(r);
}

static void
a_hold_in_flight_is_the_spoolers(void **state)
{
	struct rig *r = rig_new("");

	(void)state;
	known(r, 1, 1, 7, mono_wall());
	until(r, &r->taken, 1);
	ask_one(r, QUERY_HOLD, ID1);
	until(r, &r->verbs, 1);
	assert_int_equal(r->verb.n, 1);
	ended(r, EXIT_DONE, 1, 0, "");
	until(r, &r->ends, 1);
	assert_int_equal(r->end.status, EXIT_DONE);
	settled(r, EV1, PLAN_HELD, mono_wall());
	read_by_now(r);
	ask_one(r, QUERY_RELEASE, ID1);
	until(r, &r->verbs, 2);
	assert_int_equal(r->taken, 1);
	ended(r, EXIT_DONE, 1, 0, "");
	until(r, &r->taken, 2);
	rig_free(r);
}

static void
an_unknown_id_is_the_spoolers_to_know(void **state)
{
	struct rig *r = rig_new("");

	(void)state;
	ask_one(r, QUERY_REMOVE, "00000000abcd0007");
	until(r, &r->verbs, 1);
	assert_true(r->verb.evpids[0] == ident_evpid(0xabcd, 7));
	ended(r, EXIT_NOMATCH, 0, 1, "waits for its bounce");
	until(r, &r->ends, 1);
	assert_int_equal(r->end.status, EXIT_NOMATCH);
	assert_string_equal(r->end_text, "waits for its bounce");
	ask_one(r, QUERY_REMOVE, "00000000abcd0007");
	until(r, &r->verbs, 2);
	ended(r, EXIT_TEMPFAIL, 0, 1, "still loading");
	until(r, &r->ends, 2);
	assert_int_equal(r->end.status, EXIT_TEMPFAIL);
	assert_string_equal(r->end_text, "still loading");
	rig_free(r);
}

static void
a_message_means_all_its_envelopes(void **state)
{
	struct rig *r = rig_new("");
	struct plan_row row = {
		.kind = PLAN_LOCAL, .key = 1, .due = mono_wall() + 3600
	};
	struct buf *b = peer_begin(r->spooler);
	unsigned i;

	(void)state;
	for (i = 1; i <= 5; i++) {
		row.evpid = ident_evpid(9, i);
		plan_row_put(b, &row);
	}
	peer_send(r->spooler, PLAN_KNOWN);
	read_by_now(r);
	ask_one(r, QUERY_SCHEDULE, "000000000009");
	until(r, &r->verbs, 1);
	assert_int_equal(r->verb.n, 1);
	assert_true(r->verb.evpids[0] == ident_evpid(9, PLAN_WHOLE));
	ended(r, EXIT_DONE, 5, 0, "");
	until(r, &r->taken, 5);
	for (i = 1; i <= 4; i++)
		settled(r, ident_evpid(9, i), PLAN_AGAIN, mono_wall() + 3600);
	read_by_now(r);
	ask_one(r, QUERY_REMOVE, "000000000009"); /* the fifth still flies */
	until(r, &r->verbs, 2);
	ended(r, EXIT_DONE, 4, 1, "");
	until(r, &r->ends, 2);
	assert_int_equal(r->end.status, EXIT_PARTIAL);
	settled(r, ident_evpid(9, 5), PLAN_AGAIN, mono_wall());
	until(r, &r->taken, 6);
	rig_free(r);
}

/* "all" of nothing is no match, but for what the spooler has yet to read. */
static void
all_holds_for_what_is_yet_read(void **state)
{
	struct rig *r = rig_new("");

	(void)state;
	ask_one(r, QUERY_HOLD, "all");
	until(r, &r->verbs, 1);
	ended(r, EXIT_DONE, 0, 0, "and what is still being read");
	until(r, &r->ends, 1);
	assert_int_equal(r->end.status, EXIT_DONE);
	ask_one(r, QUERY_HOLD, "all");
	until(r, &r->verbs, 2);
	ended(r, EXIT_DONE, 0, 0, "");
	until(r, &r->ends, 2);
	assert_int_equal(r->end.status, EXIT_NOMATCH);
	rig_free(r);
}

static void
a_message_unknown_here_is_the_spoolers_to_know(void **state)
{
	struct rig *r = rig_new("");

	(void)state;
	ask_one(r, QUERY_HOLD, "000000000009");
	until(r, &r->verbs, 1);
	assert_true(r->verb.evpids[0] == ident_evpid(9, PLAN_WHOLE));
	ended(r, EXIT_NOMATCH, 0, 1, "no such envelope, or nothing to do");
	until(r, &r->ends, 1);
	assert_int_equal(r->end.status, EXIT_NOMATCH);
	rig_free(r);
}

static void
many_ids_go_in_parts(void **state)
{
	struct rig *r = rig_new("");
	static char texts[MOST][IDENT_TEXT_MAX];
	const char *args[MOST];
	unsigned i;

	(void)state;
	for (i = 0; i < MOST; i++)
		args[i] = ident_evpid_text(texts[i], ident_evpid(i + 1, 1));
	ask(r, QUERY_HOLD, args, MOST);
	until(r, &r->verbs, 1);
	assert_int_equal(r->verb.n, PLAN_IDS);
	ended(r, EXIT_DONE, PLAN_IDS, 0, "");
	until(r, &r->verbs, 2);
	assert_int_equal(r->verb.n, MOST - PLAN_IDS);
	assert_int_equal(r->ends, 0);
	ended(r, EXIT_DONE, 1000, MOST - PLAN_IDS - 1000, "");
	until(r, &r->ends, 1);
	assert_int_equal(r->end.done, PLAN_IDS + 1000);
	assert_int_equal(r->end.skipped, MOST - PLAN_IDS - 1000);
	rig_free(r);
}

static void
all_is_what_was_known_before(void **state)
{
	struct rig *r = rig_new("");

	(void)state;
	known(r, 1, 1, 7, mono_wall());
	until(r, &r->taken, 1);
	known(r, 2, 500, 7, mono_wall() + 3600);
	read_by_now(r);
	ask_one(r, QUERY_HOLD, "all");
	until(r, &r->verbs, 1);
	assert_true(r->verb.all);
	assert_int_equal(r->verb.n, 0);
	known(r, 1000, 1000, 7, mono_wall());
	ended(r, EXIT_DONE, 500, 0, "");
	until(r, &r->ends, 1);
	assert_int_equal(r->end.status, EXIT_DONE);
	assert_int_equal(r->end.done, 500);
	until(r, &r->taken, 2);
	assert_true(r->dues[r->ndues - 1].evpids[0] == ident_evpid(1000, 1));

	ask_one(r, QUERY_SCHEDULE, "all"); /* all are held but two */
	until(r, &r->verbs, 2);
	ended(r, EXIT_DONE, 501, 0, "");
	until(r, &r->ends, 2);
	assert_int_equal(r->end.skipped, 2);
	ask_one(r, QUERY_RELEASE, "all");
	until(r, &r->verbs, 3);
	ended(r, EXIT_DONE, 499, 0, "");
	until(r, &r->taken, 501);
	rig_free(r);
}

static void
a_refused_verb_changes_nothing(void **state)
{
	struct rig *r = rig_new("");

	(void)state;
	known(r, 1, 10, 7, mono_wall() + 1);
	ask_one(r, QUERY_REMOVE, "all");
	until(r, &r->verbs, 1);
	ended(r, EXIT_IOERR, 0, 0, "the disk");
	until(r, &r->ends, 1);
	assert_int_equal(r->end.status, EXIT_IOERR);
	until(r, &r->taken, 10);
	rig_free(r);
}

static void
a_paused_kind_waits(void **state)
{
	struct plan_pause on = { PLAN_RELAY, true },
			  off = { PLAN_RELAY, false };
	struct plan_row local = {
		.evpid = EV2, .kind = PLAN_LOCAL, .key = 1, .due = mono_wall()
	};
	struct rig *r = rig_new("");

	(void)state;
	plan_pause_put(peer_begin(r->spooler), &on);
	peer_send(r->spooler, PLAN_PAUSE);
	known(r, 1, 1, 7, mono_wall());
	plan_row_put(peer_begin(r->spooler), &local);
	peer_send(r->spooler, PLAN_KNOWN);
	until(r, &r->taken, 1);
	assert_int_equal(r->dues[0].kind, PLAN_LOCAL);
	plan_pause_put(peer_begin(r->spooler), &off);
	peer_send(r->spooler, PLAN_PAUSE);
	until(r, &r->taken, 2);
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_due_goes_out_in_batches),
		cmocka_unit_test(a_time_that_comes_is_seen),
		cmocka_unit_test(a_held_one_waits_for_its_release),
		cmocka_unit_test(nothing_goes_out_while_a_verb_is_made_durable),
		cmocka_unit_test(what_is_in_flight_is_not_removed),
		cmocka_unit_test(a_hold_in_flight_is_the_spoolers),
		cmocka_unit_test(an_unknown_id_is_the_spoolers_to_know),
		cmocka_unit_test(a_message_means_all_its_envelopes),
		cmocka_unit_test(all_holds_for_what_is_yet_read),
		cmocka_unit_test(
		    a_message_unknown_here_is_the_spoolers_to_know),
		cmocka_unit_test(many_ids_go_in_parts),
		cmocka_unit_test(all_is_what_was_known_before),
		cmocka_unit_test(a_refused_verb_changes_nothing),
		cmocka_unit_test(a_paused_kind_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
