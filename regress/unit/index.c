/* index: what is added is found, walked and removed, in any order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/spooler/index.h"
#include "lib/base/ident.h"

static struct entry *
add(struct index *ix, uint64_t msgid, unsigned rcpt, const char *to)
{
	struct envelope e;
	struct entry *en;

	envelope_init(&e);
	e.id = ident_evpid(msgid, rcpt);
	envelope_set(&e.sender, "news@shop.example");
	envelope_set(&e.action, "relay-1");
	envelope_set(&e.recipient, to);
	envelope_set(&e.destination, to);
	e.arrived = 1000;
	e.next_try = 2000;
	e.generation = 1;
	en = index_add(ix, &e, 4096);
	envelope_clear(&e);
	return en;
}

static void
finds_what_was_added(void **state)
{
	struct index *ix = index_new();
	struct entry *en;
	uint64_t m;

	(void)state;
	for (m = 1; m <= 5000; m++)
		add(ix, m * 7919, 1, "ann@example.org");
	assert_int_equal(index_count(ix), 5000);
	for (m = 1; m <= 5000; m++) {
		en = index_find(ix, ident_evpid(m * 7919, 1));
		assert_non_null(en);
		assert_string_equal(en->sender, "news@shop.example");
		assert_string_equal(entry_recipient(en), "ann@example.org");
		assert_string_equal(entry_destination(en), "ann@example.org");
		if (m % 2)
			index_remove(ix, en);
	}
	assert_int_equal(index_count(ix), 2500);
	for (m = 1; m <= 5000; m++)
		assert_true((index_find(ix, ident_evpid(m * 7919, 1)) ==
				NULL) == (m % 2 == 1));
	index_free(ix);
}

static void
destination_apart_from_recipient(void **state)
{
	struct index *ix = index_new();
	struct envelope e;
	struct entry *en;

	(void)state;
	envelope_init(&e);
	e.id = ident_evpid(5, 1);
	envelope_set(&e.recipient, "Ann@Example.Org");
	envelope_set(&e.destination, "ann@example.org");
	envelope_set(&e.sender, "");
	en = index_add(ix, &e, 1);
	envelope_clear(&e);
	assert_string_equal(entry_recipient(en), "Ann@Example.Org");
	assert_string_equal(entry_destination(en), "ann@example.org");
	assert_string_equal(en->sender, "");
	index_free(ix);
}

static void
message_in_order_of_recipients(void **state)
{
	struct index *ix = index_new();
	struct entry *en;
	unsigned from = 0, seen = 0;

	(void)state;
	add(ix, 77, 3, "c@x");
	add(ix, 77, 1, "a@x");
	add(ix, 78, 1, "z@x");
	add(ix, 77, 2, "b@x");
	while ((en = index_of_message(ix, 77, from)) != NULL) {
		from = ident_rcpt(en->evpid) + 1;
		assert_int_equal(ident_rcpt(en->evpid), ++seen);
	}
	assert_int_equal(seen, 3);
	assert_false(index_any(ix, 77, ENTRY_FAILED));
	index_find(ix, ident_evpid(77, 2))->flags |= ENTRY_FAILED;
	assert_true(index_any(ix, 77, ENTRY_FAILED));
	assert_false(index_any(ix, 78, ENTRY_FAILED));
	index_free(ix);
}

/* The next entry of a walk is removed under it; a new one is met. */
static void
walk_survives_removal(void **state)
{
	struct index *ix = index_new();
	struct index_walk w;
	struct entry *en;
	unsigned m, met = 0;

	(void)state;
	for (m = 1; m <= 10; m++)
		add(ix, m, 1, "a@x");
	index_walk_start(ix, &w);
	while ((en = index_walk_next(ix, &w)) != NULL) {
		met++;
		if (met == 3)
			index_remove(ix, index_find(ix, ident_evpid(4, 1)));
		if (met == 5)
			add(ix, 99, 1, "new@x");
		index_remove(ix, en);
	}
	index_walk_end(ix, &w);
	assert_int_equal(met, 10);
	assert_int_equal(index_count(ix), 0);
	index_free(ix);
}

static void
count_match(void *ctx, struct entry *en)
{
	(void)en;
	++*(int *)ctx;
}

static void
matches_ids_and_prefixes(void **state)
{
	static const struct {
		const char *text;
		int want;
	} cases[] = {
		{ "3f9a0c41d7b20001", 1 },
		{ "3f9a0c41d7b2", 2 },
		{ "3f9a0c", 3 },
		{ "3f9a0c41", 2 },
		{ "3f9a0", -1 },
		{ "zz9a0c", -1 },
		{ "3f9a0c41d7b20009", 0 },
		{ "ffffffffffff", 0 },
		{ "", -1 },
	};
	struct index *ix = index_new();
	uint64_t one, two;
	size_t i;
	int n;

	(void)state;
	assert_true(ident_msgid_parse("3f9a0c41d7b2", &one));
	assert_true(ident_msgid_parse("3f9a0c55d7b2", &two));
	add(ix, one, 1, "a@x");
	add(ix, one, 2, "b@x");
	add(ix, two, 1, "c@x");
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		n = 0;
		if (index_match(ix, cases[i].text, 100, count_match, &n) !=
			cases[i].want ||
		    (cases[i].want > 0 && n != cases[i].want))
			fail_msg("'%s': %d", cases[i].text, n);
	}
	index_free(ix);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_was_added),
		cmocka_unit_test(destination_apart_from_recipient),
		cmocka_unit_test(message_in_order_of_recipients),
		cmocka_unit_test(walk_survives_removal),
		cmocka_unit_test(matches_ids_and_prefixes),
	};

	return cmocka_run_group_tests_name("index", tests, NULL, NULL);
}
