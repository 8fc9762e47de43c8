#include "daemon/smtp/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What must be refused, and how. */
static const struct {
	const char *line;
	enum command_verb verb;
	const char *error; /* its first characters; NULL: none */
} wrong[] = {
	{ "", COMMAND_UNKNOWN, "500 5.5.2" },
	{ " NOOP", COMMAND_UNKNOWN, "500 5.5.2" },
	{ "NOOPX", COMMAND_UNKNOWN, "500 5.5.2" },
	{ "NOO", COMMAND_UNKNOWN, "500 5.5.2" },
	{ "N\x01OP", COMMAND_UNKNOWN, "500 5.5.2" },
	{ "STARTTLS", COMMAND_UNKNOWN, "502 5.5.1" },
	{ "AUTH PLAIN x", COMMAND_UNKNOWN, "502 5.5.1" },
	{ "BDAT 10 LAST", COMMAND_UNKNOWN, "502 5.5.1" },
	{ "GET / HTTP/1.1", COMMAND_FOREIGN, NULL },
	{ "post / HTTP/1.1", COMMAND_FOREIGN, NULL },
	{ "noop", COMMAND_NOOP, NULL },
	{ "NoOp anything at all", COMMAND_NOOP, NULL },
	{ "NOOP\t", COMMAND_NOOP, NULL },
	{ "RSET", COMMAND_RSET, NULL },
	{ "RSET  ", COMMAND_RSET, NULL },
	{ "RSET x", COMMAND_RSET, "501 5.5.4" },
	{ "QUIT x", COMMAND_QUIT, "501 5.5.4" },
	{ "DATA x", COMMAND_DATA, "501 5.5.4" },
	{ "VRFY", COMMAND_VRFY, "501 5.5.4" },
	{ "VRFY x", COMMAND_VRFY, NULL },
	{ "EXPN ", COMMAND_EXPN, "501 5.5.4" },
	{ "HELP", COMMAND_HELP, NULL },
	{ "HELP MAIL", COMMAND_HELP, NULL },
	{ "EHLO", COMMAND_EHLO, "501 5.5.4" },
	{ "EHLO a b", COMMAND_EHLO, "501 5.5.4" },
	{ "EHLO <a>", COMMAND_EHLO, "501 5.5.4" },
	{ "EHLO a\x7f", COMMAND_EHLO, "501 5.5.4" },
	{ "EHLO \xc3\xa4", COMMAND_EHLO, "501 5.5.4" },
	{ "EHLO [300.1.1.1]", COMMAND_EHLO, "501 5.5.4" },
	{ "EHLO [127.0.0.1]", COMMAND_EHLO, NULL },
	{ "EHLO [IPv6:::1]", COMMAND_EHLO, NULL },
	{ "EHLO my_pc", COMMAND_EHLO, NULL },
	{ "HELO mail.example.org", COMMAND_HELO, NULL },
	{ "MAIL", COMMAND_MAIL, "501 5.5.4" },
	{ "MAIL <a@b>", COMMAND_MAIL, "501 5.5.4" },
	{ "MAIL TO:<a@b>", COMMAND_MAIL, "501 5.5.4" },
	{ "MAIL FROM<a@b>", COMMAND_MAIL, "501 5.5.4" },
	{ "MAIL FROM :<a@b>", COMMAND_MAIL, "501 5.5.4" },
	{ "MAIL FROM:", COMMAND_MAIL, "501 5.5.4" },
	{ "MAIL FROM:a@b", COMMAND_MAIL, "501 5.5.4" },
	{ "MAIL FROM:<a@b", COMMAND_MAIL, "501 5.5.4" },
	{ "MAIL FROM:<a@b>x", COMMAND_MAIL, "501 5.5.4" },
	{ "MAIL FROM:<a@b>>", COMMAND_MAIL, "501 5.5.4" },
	{ "MAIL FROM:<<a@b>>", COMMAND_MAIL, "501 5.5.4" },
	{ "MAIL FROM:<a b@c>", COMMAND_MAIL, "501 5.1.7" },
	{ "MAIL FROM:<a>", COMMAND_MAIL, "501 5.1.7" },
	{ "MAIL FROM:<a@>", COMMAND_MAIL, "501 5.1.7" },
	{ "MAIL FROM:<@b>", COMMAND_MAIL, "501 5.1.7" },
	{ "MAIL FROM:<postmaster>", COMMAND_MAIL, "501 5.1.7" },
	{ "MAIL FROM:<;/bin/sh@>", COMMAND_MAIL, "501 5.1.7" },
	{ "MAIL FROM:<\xc3\xa4@b>", COMMAND_MAIL, "553 5.6.7" },
	{ "MAIL FROM:<>", COMMAND_MAIL, NULL },
	{ "mail from:<a@b>", COMMAND_MAIL, NULL },
	{ "MAIL FROM: <a@b>", COMMAND_MAIL, NULL },
	{ "MAIL  FROM:<a@b> ", COMMAND_MAIL, NULL },
	{ "MAIL FROM:<\"a>b\"@c>", COMMAND_MAIL, NULL },
	{ "MAIL FROM:<\"a\\\">b\"@c>", COMMAND_MAIL, NULL },
	{ "MAIL FROM:<@x,@y:a@b>", COMMAND_MAIL, NULL },
	{ "MAIL FROM:<a@b> SIZE=1", COMMAND_MAIL, NULL },
	{ "MAIL FROM:<a@b> size=1 body=8bitmime", COMMAND_MAIL, NULL },
	{ "MAIL FROM:<a@b> BODY=7BIT", COMMAND_MAIL, NULL },
	{ "MAIL FROM:<a@b> BODY=BINARYMIME", COMMAND_MAIL, "501 5.5.4" },
	{ "MAIL FROM:<a@b> BODY", COMMAND_MAIL, "501 5.5.4" },
	{ "MAIL FROM:<a@b> BODY=7BIT BODY=7BIT", COMMAND_MAIL, "501 5.5.4" },
	{ "MAIL FROM:<a@b> SIZE", COMMAND_MAIL, "501 5.5.4" },
	{ "MAIL FROM:<a@b> SIZE=", COMMAND_MAIL, "501 5.5.4" },
	{ "MAIL FROM:<a@b> SIZE=-1", COMMAND_MAIL, "501 5.5.4" },
	{ "MAIL FROM:<a@b> SIZE=1x", COMMAND_MAIL, "501 5.5.4" },
	{ "MAIL FROM:<a@b> SIZE=1 SIZE=1", COMMAND_MAIL, "501 5.5.4" },
	{ "MAIL FROM:<a@b> SIZE=123456789012345678901", COMMAND_MAIL,
	    "501 5.5.4" },
	{ "MAIL FROM:<a@b> AUTH=<>", COMMAND_MAIL, "555 5.5.4" },
	{ "MAIL FROM:<a@b> RET=HDRS", COMMAND_MAIL, "555 5.5.4" },
	{ "MAIL FROM:<a@b> SMTPUTF8", COMMAND_MAIL, "555 5.5.4" },
	{ "MAIL FROM:<a@b> =x", COMMAND_MAIL, "501 5.5.4" },
	{ "MAIL FROM:<a@b> -x=y", COMMAND_MAIL, "501 5.5.4" },
	{ "MAIL FROM:<a@b> x=y=z", COMMAND_MAIL, "501 5.5.4" },
	{ "MAIL FROM:<a@b> x=\x7f", COMMAND_MAIL, "501 5.5.4" },
	{ "RCPT TO:<>", COMMAND_RCPT, "501 5.1.3" },
	{ "RCPT TO:<a>", COMMAND_RCPT, "501 5.1.3" },
	{ "RCPT TO:<a@b> NOTIFY=NEVER", COMMAND_RCPT, "555 5.5.4" },
	{ "RCPT TO:<a@b> SIZE=1", COMMAND_RCPT, "555 5.5.4" },
	{ "RCPT FROM:<a@b>", COMMAND_RCPT, "501 5.5.4" },
	{ "RCPT TO:<a@b>", COMMAND_RCPT, NULL },
	{ "RCPT TO:<Postmaster>", COMMAND_RCPT, NULL },
	{ "RCPT TO:<a@[192.0.2.1]>", COMMAND_RCPT, NULL },
};

static void
errors(void **state)
{
	struct command c;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		command_parse(&c, wrong[i].line, strlen(wrong[i].line));
		if (c.verb != wrong[i].verb ||
		    (c.error == NULL) != (wrong[i].error == NULL) ||
		    (c.error != NULL && strncmp(c.error, wrong[i].error, 9)))
			fail_msg("%s: verb %d error %s", wrong[i].line, c.verb,
			    c.error == NULL ? "none" : c.error);
	}
}

static bool
parses(const char *line, struct command *c)
{
	command_parse(c, line, strlen(line));
	return c->error == NULL;
}

static void
values(void **state)
{
	struct command c;
	char text[ADDR_TEXT_MAX];

	(void)state;
	assert_true(parses("MAIL FROM:<Ann@Example.Org>", &c));
	assert_string_equal(addr_text(text, &c.addr), "Ann@Example.Org");
	assert_false(c.has_size || c.eightbit);
	assert_true(parses("MAIL FROM:<> SIZE=0 BODY=8BITMIME", &c));
	assert_true(addr_is_null(&c.addr));
	assert_true(c.has_size && c.size == 0 && c.eightbit);
	assert_true(parses("MAIL FROM:<> SIZE=18446744073709551615", &c));
	assert_true(c.size == UINT64_MAX);
	assert_true(parses("MAIL FROM:<> SIZE=99999999999999999999", &c));
	assert_true(c.size == UINT64_MAX);
	assert_true(parses("MAIL FROM:<> SIZE=00000000000000000042", &c));
	assert_int_equal(c.size, 42);
	assert_true(parses("RCPT TO:<@a,@b:c@d>", &c));
	assert_string_equal(addr_text(text, &c.addr), "c@d");
	assert_true(parses("EHLO Mail.Example", &c));
	assert_string_equal(c.name, "Mail.Example");
}

/* Each limit at n and n + 1 (RFC 5321 section 4.5.3.1). */
static void
limits(void **state)
{
	struct command c;
	char line[1200], label[64];

	(void)state;
	memset(label, 'd', 63);
	label[63] = '\0';
	snprintf(line, sizeof(line), "RCPT TO:<%.64s@example.org>",
	    "llllllllllllllllllllllllllllllll"
	    "llllllllllllllllllllllllllllllll");
	assert_true(parses(line, &c));
	snprintf(line, sizeof(line), "RCPT TO:<%.65s@example.org>",
	    "llllllllllllllllllllllllllllllll"
	    "lllllllllllllllllllllllllllllllll");
	assert_false(parses(line, &c));
	assert_memory_equal(c.error, "501 5.1.3 The local", 19);
	/* A path of 256 octets: < l @ 63.63.63. d... > */
	snprintf(line, sizeof(line), "RCPT TO:<ll@%s.%s.%s.%.59s>", label,
	    label, label, label);
	assert_int_equal(strlen(line) - 8, 256);
	assert_true(parses(line, &c));
	snprintf(line, sizeof(line), "RCPT TO:<ll@%s.%s.%s.%.60s>", label,
	    label, label, label);
	assert_false(parses(line, &c));
	assert_memory_equal(c.error, "501 5.1.3 The path", 18);
	/* An argument of 255 octets and one of 256. */
	snprintf(
	    line, sizeof(line), "EHLO %s.%s.%s.%s", label, label, label, label);
	assert_true(parses(line, &c));
	snprintf(line, sizeof(line), "EHLO %s.%s.%s.%s.", label, label, label,
	    label);
	assert_false(parses(line, &c));
	/* Command lines. */
	memset(line, 'x', sizeof(line));
	memcpy(line, "NOOP ", 5);
	command_parse(&c, line, 510);
	assert_null(c.error);
	command_parse(&c, line, 511);
	assert_memory_equal(c.error, "500 5.5.2", 9);
	memset(line, ' ', sizeof(line));
	memcpy(line, "MAIL FROM:<>", 12);
	command_parse(&c, line, COMMAND_MAIL_MAX - 2);
	assert_null(c.error);
	memset(line, ' ', sizeof(line));
	memcpy(line, "RCPT TO:<a@b>", 13);
	command_parse(&c, line, 510);
	assert_null(c.error);
	command_parse(&c, line, 511);
	assert_memory_equal(c.error, "500 5.5.2", 9);
}

static void
cutting(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		enum command_cut want;
		size_t used;
	} cases[] = {
#define CASE(in, want, used) { in, sizeof(in) - 1, want, used }
		CASE("", COMMAND_MORE, 0),
		CASE("NOOP", COMMAND_MORE, 0),
		CASE("NOOP\r", COMMAND_MORE, 0),
		CASE("NOOP\r\n", COMMAND_WHOLE, 6),
		CASE("NOOP\r\nQUIT\r\n", COMMAND_WHOLE, 6),
		CASE("\r\n", COMMAND_WHOLE, 2),
		CASE("\n", COMMAND_BARE_LF, 1),
		CASE("NOOP\n", COMMAND_BARE_LF, 5),
		CASE("NO\nOP\r\n", COMMAND_BARE_LF, 3),
		CASE("NO\rOP\r\n", COMMAND_BAD_OCTET, 7),
		CASE("NOOP\r\r\n", COMMAND_BAD_OCTET, 7),
		CASE("NO\0P\r\n", COMMAND_BAD_OCTET, 6),
#undef CASE
	};
	char line[2000];
	size_t i, used;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (command_cut(cases[i].in, cases[i].len, &used) !=
			cases[i].want ||
		    used != cases[i].used)
			fail_msg("case %zu", i);
	memset(line, 'x', sizeof(line));
	memcpy(line + COMMAND_MAIL_MAX - 2, "\r\n", 2);
	assert_int_equal(command_cut(line, sizeof(line), &used), COMMAND_WHOLE);
	assert_int_equal(used, COMMAND_MAIL_MAX);
	memcpy(line + COMMAND_MAIL_MAX - 2, "x\r\n", 3);
	assert_int_equal(
	    command_cut(line, COMMAND_MAIL_MAX - 1, &used), COMMAND_MORE);
	/* The CR stays, or the end of the line would be lost. */
	assert_int_equal(command_cut(line, sizeof(line), &used), COMMAND_LONG);
	assert_int_equal(used, COMMAND_MAIL_MAX - 1);
	assert_true(command_skip(line + used, sizeof(line) - used, &used));
	assert_int_equal(used, 2);
	assert_false(command_skip("abc\r", 4, &used));
	assert_int_equal(used, 3);
	assert_false(command_skip("\r", 1, &used));
	assert_int_equal(used, 0);
	assert_false(command_skip("a\nb", 3, &used));
	assert_int_equal(used, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors),
		cmocka_unit_test(values),
		cmocka_unit_test(limits),
		cmocka_unit_test(cutting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
