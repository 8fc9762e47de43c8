/* One transaction as hosts of different kinds want it: recipients a few at a
 * time, in chunks, by LMTP; and when the owner has had enough. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/mta/dialogue.h"

#define RCPTS 4 /* a, b, c, d */
#define MAIL "C:MAIL|"
#define OK "S:250 ok"
#define NO "S:550 no"
#define LATER "S:451 no"
#define MANY "S:452 4.5.3 many"

static const struct {
	const char *name;
	const char *can; /* p pipelining, c chunking, l by LMTP */
	unsigned window, stop; /* after so many that were not done; 0: never */
	/* "C:" the commands since the last reply (their first words, and who,
	 * | ends each), "S:" a reply, "B:n" and "L:n" so many chunks have been
	 * put (L: the last too); and what comes next. */
	const char *script[32];
	const char *outcomes; /* DLN, and at which phase; - open */
	const char *phases; /* mrdbx */
} cases[] = {
	{ "two at a time", "p", 2, 0,
	    { "C:MAIL|RCPT a|RCPT b|", OK, "go", "C:", OK, "go", "C:", OK, "go",
		"C:RCPT c|RCPT d|DATA|", OK, "go", OK, "go", "S:354 go", "body",
		OK, "done" },
	    "DDDD", "bbbb" },
	{ "three at a time", "p", 3, 0,
	    { "C:MAIL|RCPT a|RCPT b|RCPT c|", OK, "go", OK, "go", OK, "go", NO,
		"go", "C:RCPT d|DATA|", OK, "go", "S:354 go", "body", OK,
		"done" },
	    "DDND", "bbrb" },
	{ "four at a time", "p", 4, 0,
	    { "C:MAIL|RCPT a|RCPT b|RCPT c|RCPT d|DATA|", OK, "go", OK, "go",
		OK, "go", OK, "go", OK, "go", "S:354 go", "body", NO, "reset" },
	    "NNNN", "bbbb" },
	{ "all refused but the last batch", "p", 2, 0,
	    { OK, "go", NO, "go", LATER, "go", "C:RCPT c|RCPT d|DATA|", NO,
		"go", NO, "go", "S:503 who", "reset" },
	    "NLNN", "rrrr" },
	{ "MAIL refused, two at a time", "p", 2, 0,
	    { "C:MAIL|RCPT a|RCPT b|", LATER, "go", "C:", NO, "go", NO,
		"reset" },
	    "LLLL", "mmmm" },
	{ "DATA refused", "p", 0, 0,
	    { OK, "go", OK, "go", NO, "go", OK, "go", OK, "go", LATER,
		"reset" },
	    "LNLL", "drdd" },

	{ "stop, two at a time", "p", 2, 2,
	    { "C:MAIL|RCPT a|RCPT b|", OK, "go", LATER, "go", LATER, "reset" },
	    "LL--", "rr" },
	{ "stop, the batch is read", "p", 3, 2,
	    { OK, "go", LATER, "go", LATER, "go", "C:", LATER, "reset" },
	    "LLL-", "rrr" },
	{ "stop, one by one", "", 0, 1,
	    { MAIL, OK, "go", "C:RCPT a|", LATER, "reset" }, "L---", "r" },
	{ "stop, DATA is out, 354", "p", 0, 2,
	    { OK, "go", OK, "go", LATER, "go", LATER, "go", OK, "go",
		"S:354 go", "close" },
	    "-LL-", "-rr-" },
	{ "stop, DATA is out, refused", "p", 0, 2,
	    { OK, "go", OK, "go", LATER, "go", LATER, "go", OK, "go",
		"S:503 no", "reset" },
	    "-LL-", "-rr-" },
	{ "stop, nobody, DATA is out", "p", 0, 4,
	    { OK, "go", LATER, "go", LATER, "go", LATER, "go", LATER, "go",
		"S:354 go", "nobody", OK, "done" },
	    "LLLL", "rrrr" },
	{ "stop, 421 afterwards", "p", 0, 1,
	    { OK, "go", LATER, "go", "S:421 bye", "close" }, "L---", "r" },

	{ "too many, the rest is not put", "p", 2, 0,
	    { OK, "go", OK, "go", MANY, "go", "C:DATA|", "S:354 go", "body", OK,
		"done" },
	    "D---", "b" },
	{ "too many, one by one", "", 0, 0,
	    { OK, "go", OK, "go", OK, "go", MANY, "go", "C:DATA|", "S:354 go",
		"body", OK, "done" },
	    "DD--", "bb" },
	{ "too many in words alone", "p", 0, 0,
	    { OK, "go", OK, "go", "S:452 too many", "go", OK, "go",
		"S:552 too many", "go", "S:354 go", "body", OK, "done" },
	    "D-D-", "b-b" },
	{ "a full mailbox", "p", 0, 0,
	    { OK, "go", OK, "go", "S:452 4.2.2 full", "go", "S:552 5.2.2 full",
		"go", OK, "go", "S:354 go", "body", OK, "done" },
	    "DLND", "brrb" },
	{ "another fault of the protocol", "p", 0, 0,
	    { OK, "go", OK, "go", "S:452 4.5.1 odd", "go", OK, "go", OK, "go",
		"S:354 go", "body", OK, "done" },
	    "DLDD", "brbb" },
	{ "too many for the first", "p", 0, 0,
	    { OK, "go", MANY, "go", OK, "go", OK, "go", OK, "go", "S:354 go",
		"body", OK, "done" },
	    "LDDD", "rbbb" },
	{ "too many, then refused", "p", 0, 0,
	    { OK, "go", OK, "go", MANY, "go", MANY, "go", MANY, "go",
		"S:354 go", "body", LATER, "reset" },
	    "L---", "b" },
	{ "too many, then 421", "p", 0, 0,
	    { OK, "go", OK, "go", MANY, "go", "S:421 bye", "close" }, "L-LL",
	    "r-rr" },

	{ "chunks", "pc", 0, 0,
	    { "C:MAIL|RCPT a|RCPT b|RCPT c|RCPT d|", OK, "go", OK, "go", OK,
		"go", NO, "go", OK, "body", "B:1", OK, "go", "L:3", OK, "go",
		OK, "done" },
	    "DDND", "bbrb" },
	{ "chunks, one by one", "c", 0, 0,
	    { OK, "go", OK, "go", OK, "go", OK, "go", OK, "body", "L:1", OK,
		"done" },
	    "DDDD", "bbbb" },
	{ "chunks, nobody", "pc", 0, 0,
	    { OK, "go", NO, "go", NO, "go", NO, "go", NO, "reset" }, "NNNN",
	    "rrrr" },
	{ "a chunk refused", "pc", 0, 0,
	    { OK, "go", OK, "go", OK, "go", OK, "go", OK, "body", "B:3", LATER,
		"go", OK, "go", "S:503 what", "reset" },
	    "LLLL", "bbbb" },
	{ "the only chunk under way refused", "c", 0, 0,
	    { OK, "go", OK, "go", OK, "go", OK, "go", OK, "body", "B:1", NO,
		"reset" },
	    "NNNN", "bbbb" },
	{ "the last chunk refused", "pc", 0, 0,
	    { OK, "go", OK, "go", OK, "go", OK, "go", OK, "body", "L:2", OK,
		"go", NO, "reset" },
	    "NNNN", "bbbb" },
	{ "a reply to no chunk", "pc", 0, 0,
	    { OK, "go", OK, "go", OK, "go", OK, "go", OK, "body", "B:1", OK,
		"go", OK, "close" },
	    "LLLL", "xxxx" },
	{ "stop, chunks", "pc", 2, 1, { OK, "go", OK, "go", LATER, "reset" },
	    "-L--", "-r" },

	{ "lmtp", "pl", 0, 0,
	    { "C:MAIL|RCPT a|RCPT b|RCPT c|RCPT d|", OK, "go", OK, "go", NO,
		"go", OK, "go", OK, "go", "C:DATA|", "S:354 go", "body", OK,
		"go", LATER, "go", "C:", NO, "done" },
	    "DNLN", "brbb" },
	{ "lmtp, no chunks", "pcl", 0, 0,
	    { OK, "go", OK, "go", OK, "go", OK, "go", OK, "go", "C:DATA|",
		"S:354 go", "body", OK, "go", OK, "go", OK, "go", OK, "done" },
	    "DDDD", "bbbb" },
	{ "lmtp, nobody", "pl", 0, 0,
	    { OK, "go", NO, "go", NO, "go", NO, "go", NO, "reset" }, "NNNN",
	    "rrrr" },
	{ "lmtp, 421 in the middle", "pl", 0, 0,
	    { OK, "go", OK, "go", OK, "go", OK, "go", OK, "go", "S:354 go",
		"body", OK, "go", "S:421 bye", "close" },
	    "DLLL", "bbbb" },
	{ "lmtp, too many", "pl", 0, 0,
	    { OK, "go", OK, "go", OK, "go", MANY, "go", MANY, "go", "S:354 go",
		"body", OK, "go", NO, "done" },
	    "DN--", "bb" },
};

static const char *const next_names[] = {
	[DIALOGUE_GO_ON] = "go",
	[DIALOGUE_BODY] = "body",
	[DIALOGUE_NO_BODY] = "nobody",
	[DIALOGUE_DONE] = "done",
	[DIALOGUE_RESET] = "reset",
	[DIALOGUE_CLOSE] = "close",
};

struct got {
	char outcomes[RCPTS + 1], phases[RCPTS + 1];
	unsigned not_done, accepted, stop;
};

static void
on_accepted(void *arg, unsigned i)
{
	struct got *got = arg;

	assert_int_equal(got->outcomes[i], '-');
	got->accepted++;
}

static bool
on_settle(void *arg, unsigned i, enum carry_result result,
    enum conn_phase phase, const char *status)
{
	struct got *got = arg;

	assert_int_equal(got->outcomes[i], '-'); /* once each */
	assert_true(strlen(status) > 5);
	got->outcomes[i] = "DLUN"[result];
	got->phases[i] = "mrdbx"[phase];
	if (result != CARRY_DONE)
		got->not_done++;
	return got->stop == 0 || got->not_done < got->stop;
}

static const struct dialogue_ops ops = { on_accepted, on_settle };

/* MAIL FROM:<s@x> SIZE=.. -> MAIL, RCPT TO:<a@y> -> RCPT a */
static void
shorten(char *dst, const char *out)
{
	const char *end;

	for (; (end = strstr(out, "\r\n")) != NULL; out = end + 2) {
		memcpy(dst, out, 4);
		dst += 4;
		if (strncmp(out, "RCPT", 4) == 0) {
			*dst++ = ' ';
			*dst++ = out[9];
		}
		*dst++ = '|';
	}
	*dst = '\0';
}

static enum dialogue_next
hear(struct dialogue *d, const char *text)
{
	static struct reply r;
	char line[64];
	size_t used;

	snprintf(line, sizeof(line), "%s\r\n", text);
	reply_init(&r);
	assert_int_equal(
	    reply_feed(&r, line, strlen(line), &used), REPLY_WHOLE);
	return dialogue_take(d, &r);
}

static void
run(size_t k, struct dialogue *d, struct buf *out)
{
	const char *const *step = cases[k].script;
	enum dialogue_next next = DIALOGUE_GO_ON;
	char line[256];

	dialogue_put(d, out);
	for (; *step != NULL; step++) {
		if (strncmp(*step, "C:", 2) == 0) {
			shorten(line, buf_text(out));
			if (strcmp(line, *step + 2) != 0)
				fail_msg("%s: %s, not %s", cases[k].name, line,
				    *step);
		} else if (strncmp(*step, "S:", 2) == 0) {
			buf_reset(out);
			next = hear(d, *step + 2);
		} else if ((*step)[1] == ':') {
			dialogue_chunks(
			    d, (unsigned)((*step)[2] - '0'), (*step)[0] == 'L');
		} else if (strcmp(next_names[next], *step) != 0) {
			fail_msg("%s: step %d: %s, not %s", cases[k].name,
			    (int)(step - cases[k].script), next_names[next],
			    *step);
		} else if (next == DIALOGUE_GO_ON) {
			dialogue_put(d, out);
		}
	}
}

static struct transaction *
four_recipients(void)
{
	struct transaction *t = transaction_new(1, 1000, "s@x");
	char address[] = "a@y";
	unsigned i;

	for (i = 0; i < RCPTS; i++, address[0]++)
		transaction_add(t, 0x10001 + i, address, 0);
	return t;
}

static void
begin(size_t k, struct dialogue *d, struct transaction *t, struct got *got)
{
	struct dialogue_way way = { .lmtp = strchr(cases[k].can, 'l') != NULL,
		.window = cases[k].window };

	way.host.pipelining = strchr(cases[k].can, 'p') != NULL;
	way.host.chunking = strchr(cases[k].can, 'c') != NULL;
	memset(got, 0, sizeof(*got));
	memset(got->outcomes, '-', RCPTS);
	memset(got->phases, '-', RCPTS);
	got->stop = cases[k].stop;
	assert_true(dialogue_begin(d, t, &way, &ops, got));
}

static void
test_cases(void **ctx)
{
	struct buf *out = buf_new(1 << 16);
	struct transaction *t;
	struct dialogue d;
	struct got got;
	unsigned i, open;
	size_t k;

	(void)ctx;
	for (k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		t = four_recipients();
		begin(k, &d, t, &got);
		buf_reset(out);
		run(k, &d, out);
		if (strcmp(got.outcomes, cases[k].outcomes) != 0)
			fail_msg("%s: %s", cases[k].name, got.outcomes);
		if (strncmp(got.phases, cases[k].phases,
			strlen(cases[k].phases)) != 0)
			fail_msg("%s: %s", cases[k].name, got.phases);
		/* What was not settled is said so. */
		for (i = open = 0; i < RCPTS; i++) {
			open += got.outcomes[i] == '-';
			if ((t->rcpts[i].state == TRANSACTION_SETTLED) ==
			    (got.outcomes[i] == '-'))
				fail_msg("%s: state of %u", cases[k].name, i);
		}
		assert_int_equal(t->open, open);
		transaction_free(t);
	}
	buf_free(out);
}

/* A connection that is lost settles what was under way, and nothing else. */
static void
test_lost(void **ctx)
{
	static const struct {
		const char *name;
		size_t steps; /* replies of the case below */
		const char *outcomes;
		unsigned open;
	} losses[] = {
		{ "at MAIL", 0, "LLLL", 4 },
		{ "at RCPT", 3, "LLLL", 4 },
		{ "after one too many", 4, "LL-L", 3 },
	};
	static const char *const replies[] = { "250 ok", "250 ok", "250 ok",
		"452 4.5.3 many" };
	struct buf *out = buf_new(1 << 16);
	struct dialogue d;
	struct transaction *t;
	struct got got;
	size_t i, k;

	(void)ctx;
	for (i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
		t = four_recipients();
		begin(2, &d, t, &got);
		dialogue_put(&d, out);
		for (k = 0; k < losses[i].steps; k++)
			hear(&d, replies[k]);
		assert_int_equal(dialogue_open(&d), losses[i].open);
		dialogue_fail(&d, CARRY_LATER, CONN_PHASE_LOST, "451 lost");
		if (strcmp(got.outcomes, losses[i].outcomes) != 0)
			fail_msg("%s: %s", losses[i].name, got.outcomes);
		transaction_free(t);
	}
	buf_free(out);
}

/* When the body may leave, and which reply is the last one. */
static void
test_chunks(void **ctx)
{
	struct buf *out = buf_new(1 << 16);
	struct transaction *t = four_recipients();
	struct dialogue d;
	struct got got;
	unsigned k;

	(void)ctx;
	/* "chunks, one by one" */
	for (k = 0; strcmp(cases[k].name, "chunks, one by one") != 0; k++)
		;
	begin(k, &d, t, &got);
	for (k = 0; k < RCPTS + 1; k++) {
		assert_false(dialogue_body_near(&d));
		dialogue_put(&d, out);
		hear(&d, "250 ok");
	}
	assert_true(dialogue_body_near(&d));
	assert_true(dialogue_may_chunk(&d));
	dialogue_chunks(&d, 1, false);
	assert_false(dialogue_may_chunk(&d)); /* its reply comes first */
	assert_false(dialogue_final(&d));
	hear(&d, "250 ok");
	assert_true(dialogue_may_chunk(&d));
	dialogue_chunks(&d, 2, true);
	assert_true(dialogue_final(&d));
	hear(&d, "451 no");
	assert_false(dialogue_may_chunk(&d));
	transaction_free(t);
	buf_free(out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_chunks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
