/*
 * agenda_bench - what a step of the scheduler costs, at two sizes
 *
 * Keys follow real mail: a few destinations have most of it. Prints one line
 * a size: nanoseconds per operation, octets per envelope, and what the verbs
 * about all take in milliseconds.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/scheduler/agenda.h"
#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"

#define T0 INT64_C(1795353669)
#define SPREAD 3600 /* seconds the due times are spread over */

static uint32_t
key_of(uint32_t i)
{
	uint32_t r = i * 2654435761u;

	return r % 4 != 0 ? r >> 29 : r >> 12; /* 8 big ones, many small */
}

static double
ns(uint64_t since_us, size_t n)
{
	return (double)(mono_us() - since_us) * 1000 / (double)n;
}

static double
ms(uint64_t since_us)
{
	return (double)(mono_us() - since_us) / 1000;
}

static void
fill(struct agenda *a, const uint64_t *ids, size_t n)
{
	struct plan_row row = { .kind = PLAN_RELAY };
	size_t i;

	for (i = 0; i < n; i++) {
		row.evpid = ids[i];
		row.key = key_of((uint32_t)i);
		row.due = T0 + (int64_t)(ids[i] >> 20) % SPREAD;
		agenda_add(a, &row);
	}
}

static void
steps(struct agenda *a, const uint64_t *ids, size_t n, bool print)
{
	struct plan_settled s = { .result = PLAN_AGAIN,
		.due = T0 + 2 * SPREAD,
		.destination = true };
	struct agenda_stats st;
	struct plan_due b;
	uint64_t start;
	size_t taken = 0, i;
	double insert, ripen, attempt;

	start = mono_us();
	fill(a, ids, n);
	insert = ns(start, n);
	agenda_stats(a, &st);
	start = mono_us();
	while (agenda_ripen(a, T0 + SPREAD, 256))
		;
	ripen = ns(start, n);
	start = mono_us();
	while (agenda_take(a, &b)) {
		for (i = 0; i < b.n; i++) {
			s.evpid = b.evpids[i];
			agenda_settle(a, &s);
		}
		taken += b.n;
	}
	attempt = ns(start, taken);
	if (print)
		printf("%8zu %7.0f %6.0f %12.0f %9.1f", n, insert, ripen,
		    attempt, (double)st.bytes / (double)n);
}

/* All wait for their destinations, which take mail again. */
static void
hasten(struct agenda *a, size_t n, bool print)
{
	struct plan_settled s = { .result = PLAN_AGAIN,
		.due = T0 + 3 * SPREAD };
	uint64_t start = mono_us();
	int64_t now = T0 + SPREAD;
	struct plan_due b;
	size_t taken = 0, i;

	for (; taken < n && now < T0 + 2 * SPREAD; now++) {
		agenda_hasten(a);
		while (agenda_ripen(a, now, 256))
			;
		while (agenda_take(a, &b)) {
			for (i = 0; i < b.n; i++) {
				s.evpid = b.evpids[i];
				agenda_settle(a, &s);
			}
			taken += b.n;
		}
	}
	if (print)
		printf(" %7.0f", ns(start, taken));
}

static void
verbs(struct agenda *a, bool print)
{
	double hold, release, schedule, removal;
	uint64_t start;

	start = mono_us();
	agenda_fence(a);
	agenda_hold_all(a);
	hold = ms(start);
	start = mono_us();
	agenda_fence(a);
	agenda_release_all(a);
	release = ms(start);
	start = mono_us();
	agenda_fence(a);
	agenda_schedule_all(a, T0);
	schedule = ms(start);
	start = mono_us();
	agenda_fence(a);
	agenda_remove_all(a);
	removal = ms(start);
	if (print)
		printf(" %7.1f %8.1f %9.1f %7.1f\n", hold, release, schedule,
		    removal);
}

static void
run(size_t n, bool print)
{
	uint64_t *ids = mem_zarray(n, sizeof(*ids));
	struct agenda *a = agenda_new();
	size_t i;

	for (i = 0; i < n; i++)
		ids[i] = ident_evpid(ident_random_msgid(), 1);
	steps(a, ids, n, print);
	hasten(a, n, print);
	verbs(a, print);
	agenda_free(a);
	free(ids);
}

int
main(void)
{
	printf("%8s %7s %6s %12s %9s %7s %7s %8s %9s %7s\n", "n", "insert",
	    "ripen", "take+settle", "octets", "hasten", "hold", "release",
	    "schedule", "remove");
	printf("%8s %7s %6s %12s %9s %7s %7s %8s %9s %7s\n", "", "ns", "ns",
	    "ns", "each", "ns", "all ms", "all ms", "all ms", "all ms");
	run(10000, false); /* warms up the allocator */
	run(10000, true);
	run(100000, true);
	run(1000000, true);
	return 0;
}
