/* The language of selectors: what is read, how it is written again, and what
 * is said about what cannot be meant. */
#include "lib/mail/selector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/ident.h"

#define NOW INT64_C(1795353669) /* 2026-11-22T13:21:09Z */

/* What is written for it; NULL: as it was. */
static const struct {
	const char *in, *out;
} forms[] = {
	{ "all", NULL },
	{ " all\n", "all" },
	{ "!all", NULL },
	{ "held", NULL },
	{ "!held", NULL },
	{ "! held", "!held" },
	{ "!!held", "held" },
	{ "!!!held", "!held" },
	{ "held = true", "held" },
	{ "held=yes", "held" },
	{ "held = no", "!held" },
	{ "held != 1", "!held" },
	{ "held != false", "held" },
	{ "held in (true, false)", "all" },
	{ "held != (true, false)", "!all" },
	{ "held && paused || inflight", NULL },
	{ "held&&paused||inflight", "held && paused || inflight" },
	{ "held && (paused || inflight)", NULL },
	{ "(held)", "held" },
	{ "((held && paused) && inflight)", "held && paused && inflight" },
	{ "held || (paused || inflight)", "held || paused || inflight" },
	{ "(held && paused) || inflight", "held && paused || inflight" },
	{ "!(held && paused)", NULL },
	{ "!(held || paused) && inflight", NULL },
	{ "any(held)", NULL },
	{ "all ( held )", "all(held)" },
	{ "none(held || tries > 3)", NULL },
	{ "!any(held) && all(state = ready)", NULL },
	/* addresses and domains */
	{ "sender = Ann@Example.ORG", "sender = Ann@example.org" },
	{ "sender=<Ann@Example.ORG>", "sender = Ann@example.org" },
	{ "sender != <a@b>", "sender != a@b" },
	{ "sender = <>", "sender = \"\"" },
	{ "sender=<>", "sender = \"\"" },
	{ "sender = \"\"", NULL },
	{ "sender ~ *@Example.ORG", NULL },
	{ "sender ~ \"*@shop.example\"", "sender ~ *@shop.example" },
	{ "rcpt in (b@x, a@x, B@x, a@X)", "rcpt in (B@x, a@x, b@x)" },
	{ "rcpt = (a@x)", "rcpt = a@x" },
	{ "rcpt in a@x", "rcpt = a@x" },
	{ "rcpt != (b@x,a@x)", "rcpt != (a@x, b@x)" },
	{ "rcpt ~ (*@x, /^b/)", NULL },
	{ "rcpt = \"\\\"a b\\\"@c\"", NULL },
	{ "rcpt = a!b%c@d", "rcpt = \"a!b%c@d\"" },
	{ "rcpt=a=b@c", "rcpt = \"a=b@c\"" },
	{ "rcpt = a&b@c", "rcpt = \"a&b@c\"" },
	{ "dest = postmaster", NULL },
	{ "rcpt.domain = GMail.com", "rcpt.domain = gmail.com" },
	{ "rcpt.domain ~ *.GOV", "rcpt.domain ~ *.gov" },
	{ "rcpt.local = Ann", NULL },
	{ "sender.domain", NULL },
	{ "sender.null", NULL },
	/* ids */
	{ "id = 3F9A0C41D7B20001", "id = 3f9a0c41d7b20001" },
	{ "id = 3f9a0c41d7b2", NULL },
	{ "id in (3f9a0c41d7b20002, 3f9a0c41d7b2, 3f9a0c41d7b10001)",
	    "id in (3f9a0c41d7b10001, 3f9a0c41d7b2)" },
	{ "msgid = 3f9a0c41d7b2", NULL },
	{ "id ~ 3f9a*", NULL },
	/* words */
	{ "state = deferred", NULL },
	{ "state in (held, deferred)", "state in (deferred, held)" },
	{ "state != (held, ready, held)", "state != (ready, held)" },
	{ "type = mta", NULL },
	{ "comp = zstd && enc != none", NULL },
	{ "enc", NULL },
	{ "error.phase in (rcpt, connect)", "error.phase in (connect, rcpt)" },
	/* numbers, sizes, durations */
	{ "tries > 3", NULL },
	{ "tries>=03", "tries >= 3" },
	{ "tries in (5, 1..3, 5)", "tries in (1..3, 5)" },
	{ "tries = 1..1", "tries = 1" },
	{ "error.code = 400..499", NULL },
	{ "error.class = 4", NULL },
	{ "size > 10K", NULL },
	{ "size > 10240", "size > 10K" },
	{ "size > 1048576k", "size > 1G" },
	{ "size = 1000..2M", NULL },
	{ "stored < 0", NULL },
	{ "age > 3d", NULL },
	{ "age > 36h", "age > 1d12h" },
	{ "age > 1d12h", NULL },
	{ "age > 90m30s", "age > 1h30m30s" },
	{ "age > 14d", "age > 2w" },
	{ "age < 0", "age < 0s" },
	{ "ttl < -2h", NULL },
	{ "age in (1h..2h, 3d)", NULL },
	/* times */
	{ "last > today", "last > 2026-11-22" },
	{ "last = yesterday", "last = 2026-11-21" },
	{ "next < tomorrow", "next < 2026-11-23" },
	{ "next < now", "next < 2026-11-22T13:21:09Z" },
	{ "last > -2h", "last > 2026-11-22T11:21:09Z" },
	{ "next < +1h30m", "next < 2026-11-22T14:51:09Z" },
	{ "next > 14:30", "next > 2026-11-22T14:30Z" },
	{ "next = 14:30", "next = 2026-11-22T14:30Z" },
	{ "last = 2026-11-22", NULL },
	{ "last = 2026-11-22T13:21:09Z", NULL },
	{ "last = 2026-11-22T14:21:09+01:00", "last = 2026-11-22T13:21:09Z" },
	{ "last = 2026-11-22T07:51:09-05:30", "last = 2026-11-22T13:21:09Z" },
	{ "last = 2026-11-20..2026-11-21",
	    "last = 2026-11-20T00:00:00Z..2026-11-21T23:59:59Z" },
	{ "last in (-1h..now)",
	    "last = 2026-11-22T12:21:09Z..2026-11-22T13:21:09Z" },
	{ "arrived > today", "arrived > 2026-11-22" },
	{ "last", NULL },
	/* networks */
	{ "client.ip = 192.0.2.1", NULL },
	{ "client.ip = [192.0.2.1]", "client.ip = 192.0.2.1" },
	{ "client.ip = 192.0.2.0/24", NULL },
	{ "client.ip in (10.0.0.0/8, 2001:DB8::/32)",
	    "client.ip in (10.0.0.0/8, 2001:db8::/32)" },
	{ "client.ip = ::ffff:192.0.2.1", "client.ip = 192.0.2.1" },
	{ "client.ip != 0.0.0.0/0", NULL },
	{ "client.ip = ::/0", NULL },
	{ "client.ip ~ 192.0.2.*", NULL },
	/* texts */
	{ "error ~ \"*user unknown*\"", NULL },
	{ "error ~ /user (un)?known/i", NULL },
	{ "error ~ /a\\/b\\.c/", NULL },
	{ "error ~ /\\\\/", NULL },
	{ "error = \"a\\tb\\x07\"", "error = \"a\\x09b\\x07\"" },
	{ "error = \"\xc3\xa4\"", NULL },
	{ "error = \xc3\xa4", "error = \"\xc3\xa4\"" },
	{ "error = \"\\xff\"", NULL },
	{ "auth", NULL },
	{ "!tls", NULL },
	{ "listener = submission", NULL },
	{ "subject ~ *invoice*", NULL },
	{ "hdr.\"X-Name\" ~ *a*", "hdr.\"x-name\" ~ *a*" },
	{ "hdr.List-Id", "hdr.\"list-id\"" },
	{ "body ~ *lottery*", NULL },
	{ "msg.rcpts > 10 && msg.state = mixed", NULL },
};

static struct selector *
parsed(const char *text)
{
	struct selector_error e;
	struct selector *s = selector_parse(text, NOW, &e);

	if (s == NULL)
		fail_msg("%s: column %zu: %s", text, e.column, e.text);
	return s;
}

static char *
printed(const char *text)
{
	struct selector *s = parsed(text);
	struct buf *b = buf_new(1 << 20);
	char *copy;

	selector_print(s, b);
	selector_free(s);
	copy = strdup(buf_text(b));
	buf_free(b);
	assert_non_null(copy);
	return copy;
}

static void
test_forms(void **state)
{
	const char *want;
	char *once, *twice;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		want = forms[i].out == NULL ? forms[i].in : forms[i].out;
		once = printed(forms[i].in);
		if (strcmp(once, want) != 0)
			fail_msg("%s: %s, wanted %s", forms[i].in, once, want);
		twice = printed(once);
		assert_string_equal(once, twice);
		free(once);
		free(twice);
	}
}

static void
test_every_field(void **state)
{
	struct selector_error e;
	struct selector *s;
	char text[128];
	unsigned f;

	(void)state;
	for (f = 0; f < SELECT_FIELDS; f++) {
		const char *name = selector_field_name((enum selector_field)f);

		assert_non_null(name);
		assert_int_equal(selector_field_of(name), f);
		/* Whatever its kind, something can be asked of it. */
		snprintf(text, sizeof(text), "%s ~ x*", name);
		if (f == SELECT_HDR)
			snprintf(text, sizeof(text), "hdr.x ~ x*");
		s = selector_parse(text, NOW, &e);
		if (s == NULL && strstr(e.text, "compares texts") == NULL)
			fail_msg("%s: %s", text, e.text);
		if (s != NULL)
			assert_true(selector_uses(s, (enum selector_field)f));
		selector_free(s);
	}
	assert_int_equal(selector_field_of("no"), SELECT_FIELDS);
}

static const struct {
	const char *in;
	size_t column;
	const char *says;
} wrongs[] = {
	{ "", 0, "is empty; the word all" },
	{ "  \n", 0, "is empty" },
	{ "held\x01", 4, "a control character" },
	{ "held \xff", 5, "not UTF-8" },
	/* fields */
	{ "rcpt.domian = a", 0,
	    "there is no field rcpt.domian, did you mean rcpt.domain?" },
	{ "held && tris > 3", 8, "no field tris, did you mean tries?" },
	{ "Sender = a@b", 0, "did you mean sender?" },
	{ "from = a@b", 0, "did you mean sender?" },
	{ "to = a@b", 0, "did you mean rcpt?" },
	{ "deferred", 0, "did you mean state = deferred?" },
	{ "xyzzy = 1", 0, "there is no field xyzzy" },
	{ "hdr = a", 0, "hdr wants the name" },
	{ "hdr.\"a b\" = x", 0, "no name of a header field" },
	{ "hdr.\"x = 1", 4, "closing quote" },
	{ "\"held\"", 0, "begins with the name of a field" },
	{ "/x/", 0, "begins with the name of a field" },
	{ "held && ", 8, "here a test is wanted" },
	{ "&& held", 0, "here a test is wanted" },
	{ "held || || paused", 8, "here a test is wanted" },
	{ "3 > tries", 0, "there is no field 3" },
	/* operators */
	{ "tries == 3", 6, "== is no operator, did you mean =?" },
	{ "tries => 3", 6, "did you mean >=?" },
	{ "tries =< 3", 6, "did you mean <=?" },
	{ "tries <> 3", 6, "did you mean !=?" },
	{ "error =~ /x/", 6, "did you mean ~?" },
	{ "rcpt is a@b", 5, "is is no operator, did you mean =?" },
	{ "rcpt like a@b", 5, "did you mean ~?" },
	{ "error contains foo", 6, "did you mean ~ with *" },
	{ "held and paused", 5, "did you mean &&?" },
	{ "held OR paused", 5, "did you mean ||?" },
	{ "held & paused", 5, "did you mean &&?" },
	{ "held | paused", 5, "did you mean ||?" },
	{ "held paused", 5, "paused is no operator: they are" },
	{ "tries 3", 6, "here an operator is wanted" },
	{ "tries > 3 paused", 10, "paused: here && or || is wanted" },
	{ "tries > 3 & held", 10, "did you mean &&?" },
	{ "tries >> 3", 6, ">> is no operator: they are" },
	{ "tries", 0, "tries is a number and needs" },
	{ "age", 0, "as in age > 3d" },
	{ "state", 0, "needs an operator" },
	{ "held && sender", 8, "sender is an address and needs" },
	{ "sender > a@b", 7,
	    "has no order: the operators are = != ~ !~ and in" },
	{ "state < held", 6, "no order: the operators are = != and in" },
	{ "tries ~ 3*", 6, "a number, and ~ compares texts" },
	{ "held ~ t", 5, "true or false, and ~ compares" },
	{ "hdr.x > 3", 6, "a text, which has no order" },
	/* values */
	{ "tries > ", 8, "here a value is wanted" },
	{ "tries > )", 8, "here a value is wanted" },
	{ "tries > x", 8, "x is no number" },
	{ "tries > -1", 8, "-1 is no number" },
	{ "tries > 99999999999999999999", 8, "is no number" },
	{ "tries > \"\"", 9, "the empty text is no number" },
	{ "size > 10KB", 9, "KB is no unit of sizes, did you mean K?" },
	{ "size > 10x", 9, "x is no unit of sizes: they are" },
	{ "size > K", 7, "K is no size" },
	{ "size > 1.5M", 7, "no whole number" },
	{ "size > 99999999999999G", 7, "is too large" },
	{ "age > 3", 6, "3 needs a unit: 3s, 3m, 3h, 3d or 3w" },
	{ "age > 3y", 7, "y is no unit of time: they are" },
	{ "age > 3H", 7, "H is no unit of time, did you mean h?" },
	{ "age > 1d12", 8, "12 needs a unit" },
	{ "age > three", 6, "three is no duration" },
	{ "age > 5000w5000w", 6, "more than 100 years" },
	{ "last > todya", 7, "did you mean today?" },
	{ "last > 25:00", 7, "is no time" },
	{ "last > 2026-02-30", 7, "is no time" },
	{ "last > 2026-11-22T13:21:09", 7, "is no time" },
	{ "last > -2", 8, "2 needs a unit" },
	{ "last > -2x", 9, "x is no unit" },
	{ "client.ip = foo", 12, "is no IP address" },
	{ "client.ip = 192.0.2.1/24", 12, "did you mean 192.0.2.0/24?" },
	{ "client.ip = 2001:db8::1/32", 12, "did you mean 2001:db8::/32?" },
	{ "client.ip = 192.0.2.0/33", 22, "a number up to 32" },
	{ "id = 3f9a", 5, "3f9a is no id" },
	{ "id = 3f9a", 5, "id ~ 3f9a*" },
	{ "id = 000000000000", 5, "is no id" },
	{ "msgid = 3f9a0c41d7b20001", 8,
	    "did you mean id = 3f9a0c41d7b20001?" },
	{ "state = defered", 8, "defered is no state, did you mean deferred?" },
	{ "state = broken", 8, "did you mean corrupt?" },
	{ "state = queued", 8, "did you mean ready or deferred?" },
	{ "state = xyzzy", 8, "it is one of ready, deferred," },
	{ "state in (held, redy)", 16,
	    "redy is no state, did you mean ready?" },
	{ "type = smtp", 7, "did you mean mta?" },
	{ "held = maybe", 7, "maybe is neither true nor false" },
	{ "rcpt = gmail.com", 7, "did you mean rcpt.domain = gmail.com?" },
	{ "dest = gmail.com", 7, "did you mean dest ~ *@gmail.com?" },
	{ "rcpt.domain = @gmail.com", 14, "did you mean gmail.com?" },
	{ "tries > 1..3", 8, "a range goes with = or !=" },
	{ "tries = 3..1", 8, "the range is empty" },
	{ "tries = 3..", 8, "a range has two ends" },
	{ "tries = ..3", 8, "a range has two ends" },
	{ "tries = 1..x", 11, "x is no number" },
	{ "tries > (1, 2)", 8, "a list goes with" },
	{ "tries = (1, 2", 8, "parenthesis of the list is missing" },
	{ "tries = (1 2)", 11, "commas stand between" },
	{ "tries = ()", 9, "here a value is wanted" },
	{ "tries = 1, 2", 9, "a list stands in parentheses" },
	{ "error = \"x", 8, "the closing quote is missing" },
	{ "error = \"x\\q\"", 10, "a backslash stands before" },
	{ "error = \"\\x0\"", 9, "two hexadecimal digits" },
	{ "error = \"\\x00\"", 9, "two hexadecimal digits" },
	{ "rcpt = \"a b\"@c", 12, "put quotes around all" },
	{ "rcpt = a\"b", 8, "put quotes around all" },
	{ "error = foo(bar)", 11, "put quotes around all" },
	{ "error = foo bar", 12, "bar: here && or ||" },
	{ "error = /x/", 8, "goes with ~ or !~" },
	{ "error ~ /x", 8, "the closing / of the" },
	{ "error ~ //", 8, "is empty" },
	{ "error ~ /x/g", 11, "only i may stand" },
	{ "error ~ /(/", 8, "not a regular expression: " },
	{ "error ~ /a[1,94999}/", 8, "not a regular expression: " },
	{ "error ~ /[[:/", 8, "not a regular expression: " },
	{ "error ~ /[/", 8, "not a regular expression: " },
	{ "error ~ /(a)\\1/", 8, "\\1 refers back" },
	{ "error ~ /((a{100}){100}){100}/", 8, "repeats too much" },
	{ "error ~ /a{1,99999}/", 8, "repeats too much" },
	{ "error ~ /((((((((((a+)+)+)+)+)+)+)+)+)+/", 8, "repeats too much" },
	/* parentheses */
	{ "(held", 0, "the closing parenthesis is missing" },
	{ "held)", 4, "without an opening one" },
	{ "(held paused)", 6, "paused is no operator" },
	{ "(tries > 3 paused)", 11, "here && or || or ) is wanted" },
	{ "any held", 0, "any wants a test in parentheses" },
	{ "none", 0, "none wants a test" },
	{ "all held", 0, "all wants a test" },
	{ "any()", 4, "here a test is wanted" },
	{ "any(held && all(paused))", 12, "do not stand within each other" },
};

static void
test_wrongs(void **state)
{
	struct selector_error e;
	struct selector *s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		s = selector_parse(wrongs[i].in, NOW, &e);
		if (s != NULL)
			fail_msg("%s: taken", wrongs[i].in);
		if (strstr(e.text, wrongs[i].says) == NULL)
			fail_msg("%s: says: %s", wrongs[i].in, e.text);
		if (e.column != wrongs[i].column)
			fail_msg("%s: column %zu, wanted %zu", wrongs[i].in,
			    e.column, wrongs[i].column);
	}
}

/* n times what, then tail. */
static char *
repeated(const char *what, size_t n, const char *tail)
{
	size_t len = strlen(what), i;
	char *text = malloc(n * len + strlen(tail) + 1);

	assert_non_null(text);
	for (i = 0; i < n; i++)
		memcpy(text + i * len, what, len);
	memcpy(text + n * len, tail, strlen(tail) + 1);
	return text;
}

static void
refused(const char *what, size_t n, const char *tail, const char *says)
{
	char *text = repeated(what, n, tail);
	struct selector_error e;

	assert_null(selector_parse(text, NOW, &e));
	if (strstr(e.text, says) == NULL)
		fail_msg("%.40s...: %s", text, e.text);
	free(text);
}

static void
taken(const char *what, size_t n, const char *tail)
{
	char *text = repeated(what, n, tail);

	selector_free(parsed(text));
	free(text);
}

static void
test_bounds(void **state)
{
	(void)state;
	refused("(", SELECTOR_DEPTH + 1, "held", "within each other");
	refused("!", SELECTOR_DEPTH + 1, "held", "within each other");
	refused("(", SELECTOR_DEPTH, "held", "closing parenthesis");
	taken("!", SELECTOR_DEPTH, "held");
	/* Beside each other is not within each other. */
	taken("(held)||!paused||", SELECTOR_DEPTH, "held");
	taken("held||", SELECTOR_TESTS - 1, "held");
	refused("held||", SELECTOR_TESTS, "held", "more than 8192 tests");
	taken("tls~/x/||", SELECTOR_ERES - 1, "tls~/x/");
	refused("tls~/x/||", SELECTOR_ERES, "tls~/x/", "more than 64 regular");
	refused(" ", SELECTOR_TEXT_MAX + 1, "held", "more than 65536 octets");
	taken(" ", SELECTOR_TEXT_MAX - 4, "held");
	refused("x", 600, "=1", "there is no field xxxxx");
}

static void
test_complaint(void **state)
{
	static const char text[] =
	    "held && \xc3\xa4\xc3\xa4 && rcpt = "
	    "gmail.com || error ~ *aaaaaaaaaaaaaaaaaaaaaa*";
	struct selector_error e = { .column = 23, .text = "No." };
	struct buf *b = buf_new(4096);

	(void)state;
	selector_complain("tries > x", &(struct selector_error){ 8, "X." }, b);
	assert_string_equal(buf_text(b), "X.\n  tries > x\n          ^\n");
	buf_reset(b);
	selector_complain(text, &e, b);
	assert_string_equal(buf_text(b),
	    "No.\n  held && \xc3\xa4\xc3\xa4 && rcpt = gmail.com || error ~ "
	    "*aaa...\n                       ^\n");
	buf_reset(b);
	e.column = 60;
	selector_complain(text, &e, b);
	assert_string_equal(buf_text(b),
	    "No.\n  ...\xc3\xa4 && rcpt = gmail.com || error ~ "
	    "*aaaaaaaaaaaaaaaaaaaaaa*\n  "
	    "                                                    ^\n");
	/* Nothing reaches the terminal as a command to it. */
	buf_reset(b);
	selector_complain("a\x1b[2J", &(struct selector_error){ 99, "X" }, b);
	assert_null(strchr(buf_text(b), 0x1b));
	buf_free(b);
}

static const struct {
	char letter;
	const char *value, *out; /* NULL: refused */
} sugars[] = {
	{ 'f', "promo@*", "sender ~ promo@*" },
	{ 'f', "", "sender.null" },
	{ 'f', "<>", "sender.null" },
	{ 'f', "<a@b>", "sender ~ a@b" },
	{ 'f', "\"a b\"@c", "sender ~ \"\\\"a b\\\"@c\"" },
	{ 'f', "gmail.com", NULL },
	{ 'r', "*@x", "rcpt ~ *@x" },
	{ 'o', "3d", "age > 3d" },
	{ 'y', "90m", "age < 1h30m" },
	{ 'o', "3", NULL },
	{ 'e', "user unknown", "error ~ \"*user unknown*\"" },
	{ 'e', "a\"b", "error ~ \"*a\\\"b*\"" },
	{ 'S', "held", "state = held" },
	{ 'S', "held,ready", "state in (ready, held)" },
	{ 'S', "hled", NULL },
	{ 'S', "", NULL },
	{ 'S', "held) || (all", NULL },
	{ 'R', "Yahoo.com", "route = yahoo.com" },
	{ 'w', "held || paused", "held || paused" },
	{ 'w', "held) || (paused", NULL },
	{ 'w', "", NULL },
	{ 'x', "1", NULL },
};

static void
test_sugar(void **state)
{
	struct selector_error e;
	struct buf *b = buf_new(1 << 20);
	char *text;
	size_t i;
	int rc;

	(void)state;
	for (i = 0; i < sizeof(sugars) / sizeof(sugars[0]); i++) {
		buf_reset(b);
		rc = selector_sugar(sugars[i].letter, sugars[i].value, b, &e);
		assert_int_equal(rc, sugars[i].out == NULL ? -1 : 0);
		if (rc == -1) {
			assert_int_equal(buf_len(b), 0);
			assert_int_not_equal(e.text[0], '\0');
			continue;
		}
		text = printed(buf_text(b));
		assert_string_equal(text, sugars[i].out);
		free(text);
	}
	buf_reset(b);
	assert_int_equal(selector_sugar('w', "held || paused", b, &e), 0);
	assert_int_equal(selector_sugar('o', "3d", b, &e), 0);
	text = printed(buf_text(b));
	assert_string_equal(text, "(held || paused) && age > 3d");
	free(text);
	/* Columns are those of the value. */
	assert_int_equal(selector_sugar('S', "held,redy", b, &e), -1);
	assert_int_equal(e.column, 5);
	assert_int_equal(selector_sugar('o', "1d12", b, &e), -1);
	assert_int_equal(e.column, 2);
	buf_free(b);
}

#define M1 UINT64_C(0x3f9a0c41d7b2)

static void
test_ids(void **state)
{
	static const struct {
		const char *in;
		size_t n;
	} cases[] = {
		{ "id = 3f9a0c41d7b20001", 1 },
		{ "msgid = 3f9a0c41d7b2 && held", 1 },
		{ "held && (id in (3f9a0c41d7b20001, 8da42eed60930001))", 2 },
		{ "id=3f9a0c41d7b20001 || id=3f9a0c41d7b20001", 1 },
		{ "id=3f9a0c41d7b20001 || id=8da42eed60930001", 2 },
		/* None twice. */
		{ "id=3f9a0c41d7b20002 || id=3f9a0c41d7b2 || "
		  "id=3f9a0c41d7b20001",
		    1 },
		{ "(id=3f9a0c41d7b20001 || held)", 0 },
		{ "!id=3f9a0c41d7b20001", 0 },
		{ "id != 3f9a0c41d7b20001", 0 },
		{ "id ~ 3f9a*", 0 },
		{ "any(id=3f9a0c41d7b20001)", 0 },
		{ "all", 0 },
		{ "id in (3f9a0c41d7b20001, 8da42eed60930001) && "
		  "msgid = 3f9a0c41d7b2",
		    1 },
		{ "msgid = 3f9a0c41d7b2 && "
		  "id in (3f9a0c41d7b20001, 8da42eed60930001)",
		    1 },
	};
	const uint64_t *ids;
	struct selector *s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		s = parsed(cases[i].in);
		assert_int_equal(selector_ids(s, &ids), cases[i].n);
		selector_free(s);
	}
	s = parsed("id in (8da42eed60930001, 3f9a0c41d7b2)");
	assert_int_equal(selector_ids(s, &ids), 2);
	assert_true(ids[0] == ident_evpid(M1, 0));
	assert_true(ids[1] == UINT64_C(0x8da42eed60930001));
	selector_free(s);
}

static void
test_needs(void **state)
{
	static const struct {
		const char *in;
		bool all, message, siblings, arrival;
	} cases[] = {
		{ "all", true, false, false, true },
		{ "!all", false, false, false, true },
		{ "held", false, false, false, false },
		{ "sender.null && size > 1M", false, false, false, true },
		{ "client.ip = 10.0.0.0/8", false, false, false, true },
		{ "subject ~ x*", false, true, false, true },
		{ "body ~ x* || hdr.x", false, true, false, true },
		{ "any(rcpt.domain = x)", false, false, true, true },
		{ "msg.rcpts > 3", false, false, true, false },
		{ "sender.null && age > 1h", false, false, false, false },
		{ "error.code = 421", false, false, false, false },
	};
	struct selector *s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		s = parsed(cases[i].in);
		assert_int_equal(selector_is_all(s), cases[i].all);
		assert_int_equal(selector_needs_message(s), cases[i].message);
		assert_int_equal(selector_needs_siblings(s), cases[i].siblings);
		assert_int_equal(selector_is_arrival_only(s), cases[i].arrival);
		selector_free(s);
	}
	s = parsed("rcpt.domain = x && age > 1h");
	assert_true(selector_uses(s, SELECT_RCPT));
	assert_true(selector_uses(s, SELECT_ARRIVED));
	assert_false(selector_uses(s, SELECT_SENDER));
	selector_free(s);
	s = parsed("held || !any(state in (ready, offline)) && error ~ trash");
	assert_true(selector_has_word(s, SELECT_STATE, "offline"));
	assert_false(selector_has_word(s, SELECT_STATE, "trash"));
	assert_false(selector_has_word(s, SELECT_ERROR, "trash"));
	selector_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_every_field),
		cmocka_unit_test(test_wrongs),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_complaint),
		cmocka_unit_test(test_sugar),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_needs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
