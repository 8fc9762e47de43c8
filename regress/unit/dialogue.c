/* One transaction against every kind of answer, with and without pipelining. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/mta/dialogue.h"

static const struct {
	const char *name;
	bool pipelining;
	/* "C:" what must have been sent since the last reply (| ends lines),
	 * "S:" a reply; then what the dialogue wants next. */
	const char *script[16];
	const char *outcomes; /* DLUN, one letter a recipient, - open */
} cases[] = {
	{ "pipelined", true,
	    { "C:MAIL FROM:<s@x>|RCPT TO:<a@y>|RCPT TO:<b@y>|DATA|", "S:250 ok",
		"go", "S:250 ok", "go", "S:250 ok", "go", "S:354 go", "body",
		"S:250 ok", "done" },
	    "DD" },
	{ "one by one", false,
	    { "C:MAIL FROM:<s@x>|", "S:250 ok", "go", "C:RCPT TO:<a@y>|",
		"S:250 ok", "go", "C:RCPT TO:<b@y>|", "S:550 no", "go",
		"C:DATA|", "S:354 go", "body", "S:250 ok", "done" },
	    "DN" },
	{ "nobody accepted, no DATA", false,
	    { "C:MAIL FROM:<s@x>|", "S:250 ok", "go", "C:RCPT TO:<a@y>|",
		"S:450 no", "go", "C:RCPT TO:<b@y>|", "S:550 no", "reset" },
	    "LN" },
	{ "nobody accepted, 354 all the same", true,
	    { "S:250 ok", "go", "S:451 no", "go", "S:550 no", "go", "S:354 go",
		"nobody", "S:554 none", "reset" },
	    "LN" },
	{ "nobody accepted, DATA refused", true,
	    { "S:250 ok", "go", "S:451 no", "go", "S:550 no", "go", "S:503 no",
		"reset" },
	    "LN" },
	{ "MAIL refused, pipelined", true,
	    { "S:451 wait", "go", "S:503 no", "go", "S:503 no", "go",
		"S:503 no", "reset" },
	    "LL" },
	{ "MAIL refused for good", true,
	    { "S:550 no", "go", "S:503 no", "go", "S:503 no", "go", "S:354 odd",
		"nobody", "S:554 no", "reset" },
	    "NN" },
	{ "MAIL refused, one by one", false, { "S:550 no", "reset" }, "NN" },
	{ "DATA refused", true,
	    { "S:250 ok", "go", "S:250 ok", "go", "S:550 no", "go", "S:451 no",
		"reset" },
	    "LN" },
	{ "body refused", true,
	    { "S:250 ok", "go", "S:250 ok", "go", "S:450 no", "go", "S:354 go",
		"body", "S:554 spam", "reset" },
	    "NL" },
	{ "421 at RCPT", true,
	    { "S:250 ok", "go", "S:550 no", "go", "S:421 bye", "close" },
	    "NL" },
	{ "421 at the end", true,
	    { "S:250 ok", "go", "S:250 ok", "go", "S:250 ok", "go", "S:354 go",
		"body", "S:421 bye", "close" },
	    "LL" },
	{ "too many recipients", true,
	    { "S:250 ok", "go", "S:250 ok", "go", "S:452 4.5.3 too many", "go",
		"S:354 go", "body", "S:250 ok", "done" },
	    "D-" },
	{ "too many, the first already", true,
	    { "S:250 ok", "go", "S:452 4.5.3 too many", "go", "S:250 ok", "go",
		"S:354 go", "body", "S:250 ok", "done" },
	    "LD" },
	{ "354 to MAIL", true, { "S:354 go", "close" }, "LL" },
	{ "250 to DATA", true,
	    { "S:250 ok", "go", "S:250 ok", "go", "S:250 ok", "go", "S:250 ok",
		"close" },
	    "LL" },
	{ "a reply nobody asked for", false,
	    { "S:250 ok", "S:250 ok", "close" }, "LL" },
};

static const char *const next_names[] = {
	[DIALOGUE_GO_ON] = "go",
	[DIALOGUE_BODY] = "body",
	[DIALOGUE_NO_BODY] = "nobody",
	[DIALOGUE_DONE] = "done",
	[DIALOGUE_RESET] = "reset",
	[DIALOGUE_CLOSE] = "close",
};

static void
on_accepted(void *arg, unsigned i)
{
	(void)arg;
	(void)i;
}

static bool
on_settle(void *arg, unsigned i, enum carry_result result,
    enum conn_phase phase, const char *status)
{
	char *got = arg;

	(void)phase;
	assert_int_equal(got[i], '-'); /* once each */
	assert_true(strlen(status) > 8);
	got[i] = "DLUN"[result];
	return true;
}

static const struct dialogue_ops ops = { on_accepted, on_settle };

static struct transaction *
two_recipients(void)
{
	struct transaction *t = transaction_new(1, 1000, "s@x");

	transaction_add(t, 0x10001, "a@y", 0);
	transaction_add(t, 0x10002, "b@y", 0);
	return t;
}

static void
run(size_t k, struct dialogue *d, struct buf *out)
{
	const char *const *step = cases[k].script;
	enum dialogue_next next = DIALOGUE_GO_ON;
	static struct reply r;
	char line[128], *c;
	size_t used;

	dialogue_put(d, out);
	for (; *step != NULL; step++) {
		if (strncmp(*step, "C:", 2) == 0) {
			snprintf(line, sizeof(line), "%s", buf_text(out));
			for (c = line; (c = strstr(c, "\r\n")) != NULL;) {
				*c = '|';
				memmove(c + 1, c + 2, strlen(c + 1));
			}
			assert_string_equal(line, *step + 2);
		} else if (strncmp(*step, "S:", 2) == 0) {
			buf_reset(out);
			snprintf(line, sizeof(line), "%s\r\n", *step + 2);
			reply_init(&r);
			assert_int_equal(
			    reply_feed(&r, line, strlen(line), &used),
			    REPLY_WHOLE);
			next = dialogue_take(d, &r);
		} else if (strcmp(next_names[next], *step) != 0) {
			fail_msg("%s: %s, not %s", cases[k].name,
			    next_names[next], *step);
		} else if (next == DIALOGUE_GO_ON) {
			dialogue_put(d, out);
		}
	}
}

static void
test_cases(void **ctx)
{
	struct dialogue_way way = { 0 };
	struct dialogue d;
	struct buf *out = buf_new(1 << 16);
	struct transaction *t;
	char got[3];
	size_t i;

	(void)ctx;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		t = two_recipients();
		way.host.pipelining = cases[i].pipelining;
		memcpy(got, "--", 3);
		assert_true(dialogue_begin(&d, t, &way, &ops, got));
		buf_reset(out);
		run(i, &d, out);
		if (strcmp(got, cases[i].outcomes) != 0)
			fail_msg("%s: %s", cases[i].name, got);
		assert_int_equal(t->open, strchr(got, '-') != NULL);
		transaction_free(t);
	}
	buf_free(out);
}

static void
test_parameters(void **ctx)
{
	struct dialogue_way way = { .host = { .size = true,
					.eightbitmime = true,
					.size_limit = 1000 } };
	struct transaction *t = two_recipients();
	struct buf *out = buf_new(1 << 16);
	char got[] = "--";
	struct dialogue d;

	(void)ctx;
	assert_true(dialogue_begin(&d, t, &way, &ops, got));
	dialogue_put(&d, out);
	assert_string_equal(
	    buf_text(out), "MAIL FROM:<s@x> SIZE=1000 BODY=8BITMIME\r\n");
	way.host.size_limit = 999;
	assert_false(dialogue_begin(&d, t, &way, &ops, got));
	assert_string_equal(got, "NN");
	transaction_free(t);
	buf_free(out);
}

static void
test_full(void **ctx)
{
	struct transaction *t = transaction_new(1, 1000, "");
	unsigned i;

	(void)ctx;
	for (i = 1; i <= TRANSACTION_RCPTS; i++)
		assert_true(transaction_add(t, 0x10000 + i, "a@y", 0));
	assert_false(transaction_add(t, 0x10000 + i, "a@y", 0));
	assert_int_equal(t->open, TRANSACTION_RCPTS);
	transaction_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
