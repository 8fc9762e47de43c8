#include "regress/qcrash/works.h"

#include <limits.h>

#include "regress/qcrash/actor.h"

#define LITTLE 1400
#define PAGE 3500

/* Nothing but the tree. */
static void
empty(struct work *w)
{
	(void)w;
}

/* The very first message of a spool, three recipients. */
static void
run_birth(struct work *w)
{
	(void)act_send(w, 3, LITTLE);
	act_wait(w);
	act_done(w, act_evpid(w, 0, 2), true);
	act_wait(w);
}

/* Three recipients end one after the other, with deferrals between. */
static void
run_partial(struct work *w)
{
	(void)act_send(w, 3, LITTLE);
	act_wait(w);
	act_turns(w, 20);
	act_done(w, act_evpid(w, 0, 1), true);
	act_change(w, act_evpid(w, 0, 2), 2, true);
	act_wait(w);
	act_sync(w, true);
	(void)act_send(w, 2, LITTLE);
	act_done(w, act_evpid(w, 0, 3), false);
	act_wait(w);
	act_change(w, act_evpid(w, 0, 2), 3, false);
	act_turns(w, 20);
	act_done(w, act_evpid(w, 0, 2), true);
	act_wait(w);
	act_turns(w, 20);
	act_done(w, act_evpid(w, 1, 2), true);
	act_done(w, act_evpid(w, 1, 1), true);
	act_wait(w);
}

/* Mail that comes in groups and goes before it becomes files. */
static void
run_fleeting(struct work *w)
{
	unsigned round, i, at;

	for (round = 0; round < 6; round++) {
		at = w->count;
		for (i = 0; i < 5; i++)
			(void)act_send(w, 1 + i % 2, 300 + 400 * i);
		act_wait(w);
		for (i = 0; i < 5; i++) {
			if (i == round % 5)
				act_change(
				    w, act_evpid(w, at + i, 1), 2, false);
			else
				act_done(w, act_evpid(w, at + i, 1),
				    (i + round) % 3 == 0);
		}
		if (round == 3)
			act_wait(w);
	}
	act_wait(w);
	act_turns(w, 30);
}

static void
before_files(struct work *w)
{
	unsigned i;

	for (i = 0; i < 6; i++)
		(void)act_send(w, 1 + i % 3, 500 + 900 * i);
	act_wait(w);
	act_sync(w, true);
}

/* What is in files changes, and changes again while it is written. */
static void
run_deferred(struct work *w)
{
	unsigned g, i;

	for (g = 2; g < 6; g++) {
		for (i = 0; i < 6; i++)
			act_change(w, act_evpid(w, i, 1), g, (g + i) % 2 == 0);
		if (g == 3)
			act_sync(w, true);
		else
			act_turns(w, 8);
		act_wait(w);
	}
	act_done(w, act_evpid(w, 0, 1), true);
	act_done(w, act_evpid(w, 2, 3), false);
	act_wait(w);
	act_turns(w, 10);
	act_sync(w, true);
}

/* Failures end by the act that makes their bounce. */
static void
run_bounced(struct work *w)
{
	uint64_t ends[3];
	unsigned b, c;

	ends[0] = act_evpid(w, 1, 1);
	ends[1] = act_evpid(w, 1, 2);
	b = act_bounce(w, ends, 2, 900);
	act_wait(w);
	act_turns(w, 10);
	(void)act_send(w, 2, PAGE);
	act_wait(w);
	ends[0] = act_evpid(w, w->count - 1, 2);
	ends[1] = act_evpid(w, 3, 1);
	c = act_bounce(w, ends, 2, PAGE);
	ends[0] = act_evpid(w, 2, 2);
	(void)act_bounce(w, ends, 1, 100);
	act_wait(w);
	act_done(w, act_evpid(w, b, 1), false);
	act_sync(w, true);
	act_done(w, act_evpid(w, c, 1), true);
	act_wait(w);
	act_turns(w, 10);
}

/* Verbs for many, carried out afterwards. */
static void
run_verbs(struct work *w)
{
	uint64_t ids[4];
	unsigned v, i;

	v = act_bulk(w, true, NULL, 0);
	(void)act_send(w, 2, 700);
	act_wait(w);
	for (i = 0; i < 6; i++)
		act_change(w, act_evpid(w, i, 1), 2, false);
	(void)act_send(w, 1, 700);
	act_wait(w);
	act_bulk_end(w, v);
	act_turns(w, 10);
	for (i = 0; i < 4; i++)
		ids[i] = act_evpid(w, i, 1);
	v = act_bulk(w, false, ids, 4);
	act_wait(w);
	for (i = 0; i < 4; i++)
		act_done(w, ids[i], i % 2 == 0);
	act_wait(w);
	act_bulk_end(w, v);
	v = act_bulk(w, true, NULL, 0);
	act_wait(w);
	(void)act_send(w, 1, 700);
	act_wait(w);
	act_turns(w, 10);
}

/* Bodies that go through incoming/. */
static void
run_large(struct work *w)
{
	(void)act_send(w, 2, 9000);
	act_abort(w, 12000);
	act_wait(w);
	act_turns(w, 10);
	(void)act_send(w, 1, 21000);
	(void)act_send(w, 1, 300);
	act_wait(w);
	act_done(w, act_evpid(w, 1, 1), true);
	act_sync(w, true);
	act_change(w, act_evpid(w, 0, 1), 2, true);
	(void)act_send(w, 3, 7000);
	act_wait(w);
	act_done(w, act_evpid(w, 0, 1), false);
	act_done(w, act_evpid(w, 0, 2), false);
	act_wait(w);
	act_turns(w, 20);
	act_sync(w, true);
}

/* So many recipients that the record needs a file of its own making, or is
 * too long for a segment. */
static void
run_wide(struct work *w)
{
	(void)act_send(w, 60, 2000);
	act_wait(w);
	act_turns(w, 20);
	(void)act_send(w, 210, 7000);
	act_wait(w);
	act_sync(w, true);
}

/* Around the ring, with checkpoints behind it. */
static void
run_lap(struct work *w)
{
	unsigned i;

	for (i = 0; i < 110; i++) {
		act_persist(w, 1 + i % 7 / 6, i % 3 == 0 ? PAGE : 600);
		if (i % 9 == 4)
			act_change(w, act_evpid(w, w->count - 1, 1), 2, false);
		else if (i % 4 != 3)
			act_done(w, act_evpid(w, w->count - 1, 1), i % 8 == 0);
		/* One of long ago. */
		if (i >= 50 && w->sent[w->count - 40].acked)
			act_done(w, act_evpid(w, w->count - 40, 1), false);
	}
	act_wait(w);
}

/* A few laps of one message at a time: marks, and segments that come back. */
static void
run_files(struct work *w)
{
	unsigned i;

	for (i = 0; i < 44; i++) {
		act_persist(w, 1, PAGE);
		if (i >= 3)
			act_done(w, act_evpid(w, w->count - 4, 1), i % 2 == 0);
		if (i % 12 == 11)
			act_sync(w, true);
	}
	act_wait(w);
}

/* A flush fails: the spare segment says how far the old one is good. */
static void
run_spare(struct work *w)
{
	static const struct qtrace_fault fault = { "fdatasync", "journal/", 0,
		1, 5 };
	unsigned i;

	(void)act_send(w, 2, 700);
	act_wait(w);
	act_done(w, act_evpid(w, 0, 1), false);
	act_change(w, act_evpid(w, 0, 2), 2, false);
	act_turns(w, 3);
	qtrace_fault(0, &fault);
	(void)act_send(w, 2, 800);
	act_done(w, act_evpid(w, 1, 1), false);
	act_wait(w);
	act_persist(w, 1, 600);
	for (i = 0; i < 10; i++)
		act_persist(w, 1, 600);
	act_sync(w, true);
	for (i = 0; i < 25; i++) {
		act_persist(w, 1, PAGE);
		act_done(w, act_evpid(w, w->count - 1, 1), i % 5 == 0);
	}
	act_wait(w);
	act_sync(w, true);
}

/* Writes that end halfway, and one that fails. */
static void
run_halves(struct work *w)
{
	static const struct qtrace_fault half = { "write", "journal/", 1, 3,
		0 };
	static const struct qtrace_fault fails = { "write", "journal/", 0, 1,
		5 };
	unsigned i;

	qtrace_fault(0, &half);
	for (i = 0; i < 4; i++) {
		(void)act_send(w, 2, PAGE);
		act_wait(w);
		act_done(w, act_evpid(w, w->count - 1, 1), false);
	}
	qtrace_fault(1, &fails);
	(void)act_send(w, 2, PAGE);
	act_wait(w);
	act_persist(w, 1, 600);
	act_persist(w, 1, 600);
	act_turns(w, 10);
}

/* The file system refuses files: their records move on around the ring. */
static void
run_unfilable(struct work *w)
{
	static const struct qtrace_fault full = { "creat", "queue/", 2, 100000,
		28 };
	unsigned i;

	qtrace_fault(0, &full);
	for (i = 0; i < 3; i++)
		act_persist(w, 2, 700);
	act_done(w, act_evpid(w, w->count - 1, 1), true);
	act_change(w, act_evpid(w, w->count - 2, 1), 2, true);
	act_wait(w);
	act_turns(w, 20);
	for (i = 0; i < 60; i++) {
		act_persist(w, 1, PAGE);
		act_done(w, act_evpid(w, w->count - 1, 1), false);
	}
	act_wait(w);
}

/* A flush of the files fails: they are made anew from the journal, which is
 * kept until then and comes round after it. */
static void
run_distrust(struct work *w)
{
	static const struct qtrace_fault fault = { "syncfs", "", 0, 1, 5 };
	unsigned i, first = w->count;

	for (i = 0; i < 4; i++)
		act_persist(w, 1 + i % 2, 700);
	act_persist(w, 2, 9000);
	act_change(w, act_evpid(w, 0, 1), 2, true);
	act_done(w, act_evpid(w, 1, 1), true);
	act_done(w, act_evpid(w, 3, 1), true);
	act_done(w, act_evpid(w, first, 1), true);
	act_turns(w, 20);
	qtrace_fault(0, &fault);
	act_sync(w, false);
	act_change(w, act_evpid(w, 2, 1), 2, true);
	act_change(w, act_evpid(w, first + 1, 1), 2, false);
	act_persist(w, 1, 700);
	act_done(w, act_evpid(w, first + 3, 2), true);
	act_wait(w);
	act_trust(w);
	act_done(w, act_evpid(w, first + 4, 1), false);
	for (i = 0; i < 50; i++) {
		act_persist(w, 1, PAGE);
		act_done(w, act_evpid(w, w->count - 1, 1), false);
	}
	act_wait(w);
	act_sync(w, true);
}

/* It fails a second time, when they have been made anew; file by file. */
static void
run_doubt(struct work *w)
{
	static const struct qtrace_fault fault = { "fsync", "queue/", 3, 2, 5 };
	unsigned i;

	act_persist(w, 2, 700);
	act_change(w, act_evpid(w, 0, 1), 2, true);
	act_turns(w, 20);
	qtrace_fault(0, &fault);
	act_sync(w, false);
	for (i = 0; i < 5; i++) {
		act_persist(w, 1, 700);
		act_change(w, act_evpid(w, 1 + i, 1), 2, i % 2 == 0);
	}
	act_persist(w, 1, 9000);
	act_done(w, act_evpid(w, w->count - 1, 1), true);
	act_wait(w);
	act_turns(w, 100);
	act_change(w, act_evpid(w, 0, 1), 3, true);
}

/* A process that was killed in the middle of it all. */
static void
before_restart(struct work *w)
{
	uint64_t ids[2];

	before_files(w);
	(void)act_send(w, 2, 9000);
	(void)act_send(w, 2, 800);
	act_wait(w);
	act_change(w, act_evpid(w, 0, 1), 2, true);
	act_change(w, act_evpid(w, 6, 1), 2, true);
	act_done(w, act_evpid(w, 1, 1), true);
	act_done(w, act_evpid(w, 2, 1), true);
	act_done(w, act_evpid(w, 2, 2), true);
	act_done(w, act_evpid(w, 2, 3), true);
	ids[0] = act_evpid(w, 3, 1);
	(void)act_bounce(w, ids, 1, 400);
	ids[0] = act_evpid(w, 4, 1);
	ids[1] = act_evpid(w, 7, 1);
	(void)act_bulk(w, false, ids, 2);
	act_wait(w);
	(void)act_send(w, 1, 800);
	act_wait(w);
}

/* Recovery, and then some. */
static void
run_restart(struct work *w)
{
	act_turns(w, 20);
	act_bulk_end(w, 0);
	act_done(w, act_evpid(w, 6, 2), true);
	(void)act_send(w, 1, 800);
	act_wait(w);
	act_turns(w, 10);
}

/* Files that the journal covers are torn; the start writes them anew. */
static void
before_torn(struct work *w)
{
	before_restart(w);
	act_turns(w, 30);
}

/* Small state files, and the list of what was finished. */
static void
run_state(struct work *w)
{
	unsigned i;

	for (i = 1; i <= 4; i++) {
		act_state(w, i);
		(void)act_send(w, 1, 500);
		act_wait(w);
		act_done(w, act_evpid(w, w->count - 1, 1), false);
		act_turns(w, i == 2 ? 1200 : 5);
	}
}

static const char *const to_zstd[] = { "convert", "--comp", "zstd", NULL };
static const char *const to_plain[] = { "convert", "--comp", "none", "--enc",
	"none", NULL };

const struct workload workloads[] = {
	{ .name = "birth", .run = run_birth, .segments = 4, .settle_ms = 10 },
	{ .name = "partial",
	    .before = empty,
	    .run = run_partial,
	    .segments = 4,
	    .settle_ms = UINT_MAX,
	    .stop = true },
	{ .name = "fleeting",
	    .before = empty,
	    .run = run_fleeting,
	    .segments = 4,
	    .settle_ms = 15,
	    .stop = true },
	{ .name = "deferred",
	    .before = before_files,
	    .run = run_deferred,
	    .segments = 4,
	    .settle_ms = UINT_MAX,
	    .stop = true },
	{ .name = "bounced",
	    .before = before_files,
	    .run = run_bounced,
	    .segments = 4,
	    .settle_ms = 5,
	    .stop = true },
	{ .name = "verbs",
	    .before = before_files,
	    .run = run_verbs,
	    .segments = 4,
	    .settle_ms = 5 },
	{ .name = "large",
	    .before = empty,
	    .run = run_large,
	    .segments = 4,
	    .large = 6000,
	    .settle_ms = UINT_MAX,
	    .stop = true },
	{ .name = "wide",
	    .before = empty,
	    .run = run_wide,
	    .segments = 4,
	    .large = 6000,
	    .settle_ms = 5 },
	{ .name = "lap",
	    .before = empty,
	    .run = run_lap,
	    .segments = 4,
	    .settle_ms = 20 },
	{ .name = "files",
	    .before = empty,
	    .run = run_files,
	    .segments = 4,
	    .settle_ms = 5,
	    .sync_files = true },
	{ .name = "spare",
	    .before = empty,
	    .run = run_spare,
	    .segments = 4,
	    .settle_ms = 20 },
	{ .name = "halves",
	    .before = empty,
	    .run = run_halves,
	    .segments = 4,
	    .settle_ms = 5 },
	{ .name = "unfilable",
	    .before = empty,
	    .run = run_unfilable,
	    .segments = 4,
	    .settle_ms = 5 },
	{ .name = "distrust",
	    .before = before_files,
	    .run = run_distrust,
	    .segments = 4,
	    .large = 6000,
	    .settle_ms = 5 },
	{ .name = "doubt",
	    .before = before_files,
	    .run = run_doubt,
	    .segments = 4,
	    .large = 6000,
	    .settle_ms = 5,
	    .sync_files = true,
	    .compression = 1,
	    .seal = true },
	{ .name = "restart",
	    .before = before_restart,
	    .run = run_restart,
	    .segments = 4,
	    .large = 6000,
	    .settle_ms = 10000,
	    .cut = true,
	    .stop = true },
	{ .name = "torn",
	    .before = before_torn,
	    .run = run_restart,
	    .segments = 4,
	    .large = 6000,
	    .settle_ms = UINT_MAX,
	    .cut = true },
	{ .name = "state",
	    .before = empty,
	    .run = run_state,
	    .segments = 4,
	    .settle_ms = 5,
	    .stop = true },
	{ .name = "zstd",
	    .before = before_files,
	    .run = run_deferred,
	    .segments = 4,
	    .settle_ms = UINT_MAX,
	    .stop = true,
	    .compression = 1 },
	{ .name = "sealed",
	    .before = empty,
	    .run = run_partial,
	    .segments = 4,
	    .settle_ms = UINT_MAX,
	    .stop = true,
	    .seal = true },
	{ .name = "sealed-large",
	    .before = empty,
	    .run = run_large,
	    .segments = 4,
	    .large = 6000,
	    .settle_ms = UINT_MAX,
	    .stop = true,
	    .compression = 1,
	    .seal = true },
	{ .name = "sealed-restart",
	    .before = before_restart,
	    .run = run_restart,
	    .segments = 4,
	    .large = 6000,
	    .settle_ms = UINT_MAX,
	    .cut = true,
	    .compression = 1,
	    .seal = true },
	{ .name = "sealed-lap",
	    .before = empty,
	    .run = run_lap,
	    .segments = 4,
	    .settle_ms = 20,
	    .seal = true },
	{ .name = "convert",
	    .before = before_files,
	    .segments = 4,
	    .settle_ms = 5,
	    .tool = to_zstd },
	{ .name = "unseal",
	    .before = before_files,
	    .segments = 4,
	    .settle_ms = 5,
	    .compression = 1,
	    .seal = true,
	    .tool = to_plain },
};

const size_t workload_count = sizeof(workloads) / sizeof(workloads[0]);
