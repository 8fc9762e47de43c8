#include "daemon/spooler/standing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define T0 INT64_C(1795353669)

struct bad {
	unsigned n, lines[16];
	char last[128];
};

static void
on_bad(void *arg, unsigned line, const char *why)
{
	struct bad *b = arg;

	b->lines[b->n++ % 16] = line;
	snprintf(b->last, sizeof(b->last), "%s", why);
}

static struct carry_steer
steer(enum carry_part part, const char *name, int64_t until, const char *reason)
{
	const struct carry_steer m = { .pause = true,
		.part = part,
		.name = name,
		.until = until,
		.uid = 1000,
		.reason = reason };

	return m;
}

static void
what_is_written_is_read_again(void **state)
{
	static const char *const names[] = { "example.org", "*",
		"* -> mx.example.org [192.0.2.1]:25",
		"odd \"name\" \\ of \xc3\xa9", "\x01\xff", "#" };
	struct standing *st = standing_new(), *again = standing_new();
	struct bad bad = { 0 };
	struct carry_steer m, back;
	char *text, *second;
	size_t i;

	(void)state;
	for (i = 0; i < 6; i++) {
		m = steer((enum carry_part)(i % CARRY_PARTS), names[i],
		    i % 2 ? T0 : 0, names[5 - i]);
		assert_true(standing_steer(st, &m));
	}
	text = standing_text(st);
	standing_read(again, text, on_bad, &bad);
	assert_int_equal(bad.n, 0);
	assert_int_equal(standing_count(again), 6);
	for (i = 0; i < 6; i++) {
		standing_get(again, i, &back);
		assert_true(back.pause);
		assert_int_equal(back.part, i % CARRY_PARTS);
		assert_string_equal(back.name, names[i]);
		assert_string_equal(back.reason, names[5 - i]);
		assert_true(back.until == (i % 2 ? T0 : 0));
		assert_int_equal(back.uid, 1000);
	}
	second = standing_text(again);
	assert_string_equal(text, second);
	free(text);
	free(second);
	standing_free(st);
	standing_free(again);
}

static void
one_of_a_name_and_until_it_ends(void **state)
{
	struct standing *st = standing_new();
	struct carry_steer m = steer(CARRY_RELAY, "a.test", T0, "one"), back;

	(void)state;
	standing_steer(st, &m);
	m = steer(CARRY_SOURCE, "a.test", 0, "two");
	standing_steer(st, &m);
	m = steer(CARRY_RELAY, "a.test", T0 + 1, "three");
	standing_steer(st, &m);
	assert_int_equal(standing_count(st), 2);
	standing_expire(st, T0);
	assert_int_equal(standing_count(st), 2);
	standing_expire(st, T0 + 1);
	assert_int_equal(standing_count(st), 1);
	standing_get(st, 0, &back);
	assert_string_equal(back.reason, "two");
	m.part = CARRY_SOURCE;
	m.pause = false;
	assert_true(standing_steer(st, &m));
	assert_int_equal(standing_count(st), 0);
	assert_true(standing_steer(st, &m));
	standing_free(st);
}

static void
there_is_a_limit(void **state)
{
	struct standing *st = standing_new();
	struct carry_steer m;
	char name[32];
	unsigned i;

	(void)state;
	for (i = 0; i < STANDING_MOST; i++) {
		snprintf(name, sizeof(name), "d%u.test", i);
		m = steer(CARRY_RELAY, name, 0, "");
		assert_true(standing_steer(st, &m));
	}
	assert_true(standing_steer(st, &m)); /* the same again */
	m = steer(CARRY_RELAY, "more.test", 0, "");
	assert_false(standing_steer(st, &m));
	standing_free(st);
}

static void
bad_lines_are_named_and_kept(void **state)
{
	static const char text[] = "# a note of mine\n"
				   "relay \"a.test\" uid 7 reason \"x\"\n"
				   "relay a.test\n"
				   "\n"
				   "relay \"b.test\" until tomorrow\n"
				   "host \"c.test\"\n"
				   "relay \"\"\n"
				   "relay \"d.test\r\n"
				   "relay \"e.test\" uid -1\n"
				   "relay \"f\\x00\"\n"
				   "relay \"g\\xzz\"\n"
				   "relay \"h\" reason \"x\" tail\n"
				   "source \"192.0.2.1\"\r\n"
				   "route \"last\"";
	struct standing *st = standing_new();
	struct bad bad = { 0 };
	struct carry_steer m;
	char *out;

	(void)state;
	standing_read(st, text, on_bad, &bad);
	assert_int_equal(bad.n, 9);
	assert_int_equal(bad.lines[0], 3);
	assert_int_equal(bad.lines[1], 5);
	assert_int_equal(bad.lines[8], 12);
	assert_int_equal(standing_count(st), 3);
	standing_get(st, 0, &m);
	assert_string_equal(m.name, "a.test");
	assert_int_equal(m.uid, 7);
	standing_get(st, 1, &m);
	assert_int_equal(m.part, CARRY_SOURCE);
	standing_get(st, 2, &m);
	assert_string_equal(m.name, "last");
	out = standing_text(st);
	assert_non_null(strstr(out, "\n# a note of mine\n"));
	assert_non_null(strstr(out, "\nrelay a.test\n"));
	assert_non_null(strstr(out, "\nrelay \"b.test\" until tomorrow\n"));
	free(out);
	standing_free(st);
}

/* Nothing that can be in a file ends more than a line. */
static void
any_octets_are_read(void **state)
{
	static const char base[] =
	    "relay \"a.test\" until 2026-12-01T10:00:00Z "
	    "uid 0 reason \"x\\x22y\"\nsource \"*\"\n";
	char text[sizeof(base)];
	struct standing *st;
	struct bad bad;
	uint32_t seed = 1;
	unsigned i, k;

	(void)state;
	for (i = 0; i < 20000; i++) {
		memcpy(text, base, sizeof(base));
		for (k = 0; k < 1 + i % 4; k++) {
			seed = seed * 1664525 + 1013904223;
			text[(seed >> 16) % (sizeof(text) - 1)] =
			    (char)(1 + (seed >> 8) % 255);
		}
		st = standing_new();
		memset(&bad, 0, sizeof(bad));
		standing_read(st, text, on_bad, &bad);
		free(standing_text(st));
		standing_free(st);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(one_of_a_name_and_until_it_ends),
		cmocka_unit_test(there_is_a_limit),
		cmocka_unit_test(bad_lines_are_named_and_kept),
		cmocka_unit_test(any_octets_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
