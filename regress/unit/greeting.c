/* How sessions are set up: every kind of answer to every step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/mta/greeting.h"

#define EHLO "S:250-x|250 "
#define PLAIN "AUTH PLAIN AHUAcA=="

static const struct {
	const char *name;
	enum greeting_tls tls;
	bool lmtp, secure, auth;
	/* "S:" a reply (| ends lines), "C:" what is said then; or what comes
	 * next: tls, ready, or an end with its fault. */
	const char *script[20];
} cases[] = {
	{ "plain", GREETING_TRY, false, false, false,
	    { "S:220 hi", "C:EHLO me", EHLO "SIZE", "ready" } },
	{ "try", GREETING_TRY, false, false, false,
	    { "S:220 hi", "C:EHLO me", EHLO "STARTTLS", "C:STARTTLS",
		"S:220 go", "tls", "C:EHLO me", EHLO "STARTTLS", "ready" } },
	{ "never", GREETING_CLEAR, false, false, false,
	    { "S:220 hi", "C:EHLO me", EHLO "STARTTLS", "ready" } },
	{ "try, 454", GREETING_TRY, false, false, false,
	    { "S:220 hi", "C:EHLO me", EHLO "STARTTLS", "C:STARTTLS",
		"S:454 no", "ready" } },
	{ "try, 421", GREETING_TRY, false, false, false,
	    { "S:220 hi", "C:EHLO me", EHLO "STARTTLS", "C:STARTTLS",
		"S:421 no", "421" } },
	{ "must", GREETING_MUST, false, false, false,
	    { "S:220 hi", "C:EHLO me", EHLO "STARTTLS", "C:STARTTLS",
		"S:220 go", "tls", "C:EHLO me", EHLO "SIZE", "ready" } },
	{ "must, not offered", GREETING_MUST, false, false, false,
	    { "S:220 hi", "C:EHLO me", EHLO "SIZE", "no tls" } },
	{ "must, 454", GREETING_MUST, false, false, false,
	    { "S:220 hi", "C:EHLO me", EHLO "STARTTLS", "C:STARTTLS",
		"S:454 no", "no tls" } },
	{ "must, 502", GREETING_MUST, false, false, false,
	    { "S:220 hi", "C:EHLO me", EHLO "STARTTLS", "C:STARTTLS",
		"S:502 no", "no tls" } },
	{ "must, HELO", GREETING_MUST, false, false, false,
	    { "S:220 hi", "C:EHLO me", "S:502 no", "C:HELO me",
		"S:250-x|250 STARTTLS", "no tls" } },
	{ "secure already", GREETING_MUST, false, true, false,
	    { "S:220 hi", "C:EHLO me", EHLO "STARTTLS", "ready" } },
	{ "lmtp", GREETING_TRY, true, false, false,
	    { "S:220 hi", "C:LHLO me", EHLO "STARTTLS", "C:STARTTLS",
		"S:220 go", "tls", "C:LHLO me", EHLO "SIZE", "ready" } },
	{ "lmtp, no HELO", GREETING_TRY, true, false, false,
	    { "S:220 hi", "C:LHLO me", "S:500 what", "refused" } },
	{ "helo", GREETING_TRY, false, false, false,
	    { "S:220 hi", "C:EHLO me", "S:500 what", "C:HELO me", "S:250 x",
		"ready" } },
	{ "helo, refused", GREETING_TRY, false, false, false,
	    { "S:220 hi", "C:EHLO me", "S:500 what", "C:HELO me", "S:550 x",
		"refused" } },
	{ "ehlo, later", GREETING_TRY, false, false, false,
	    { "S:220 hi", "C:EHLO me", "S:450 x", "refused" } },
	{ "ehlo, 421", GREETING_TRY, false, false, false,
	    { "S:220 hi", "C:EHLO me", "S:421 x", "421" } },
	{ "ehlo, 354", GREETING_TRY, false, false, false,
	    { "S:220 hi", "C:EHLO me", "S:354 x", "refused" } },
	{ "banner", GREETING_TRY, false, false, false,
	    { "S:554 go away", "refused" } },
	{ "banner, 421", GREETING_TRY, false, false, false,
	    { "S:421 busy", "421" } },
	{ "auth", GREETING_MUST, false, true, true,
	    { "S:220 hi", "C:EHLO me", EHLO "AUTH LOGIN PLAIN", "C:" PLAIN,
		"S:235 ok", "ready" } },
	{ "auth after TLS only", GREETING_MUST, false, false, true,
	    { "S:220 hi", "C:EHLO me", "S:250-x|250-AUTH PLAIN|250 STARTTLS",
		"C:STARTTLS", "S:220 go", "tls", "C:EHLO me", EHLO "AUTH PLAIN",
		"C:" PLAIN, "S:235 ok", "ready" } },
	{ "what clear text offered is forgotten", GREETING_MUST, false, false,
	    true,
	    { "S:220 hi", "C:EHLO me", "S:250-x|250-AUTH PLAIN|250 STARTTLS",
		"C:STARTTLS", "S:220 go", "tls", "C:EHLO me", EHLO "SIZE",
		"no auth" } },
	{ "login", GREETING_MUST, false, true, true,
	    { "S:220 hi", "C:EHLO me", EHLO "AUTH LOGIN", "C:AUTH LOGIN",
		"S:334 VXNlcm5hbWU6", "C:dQ==", "S:334 UGFzc3dvcmQ6",
		"C:cA==", "S:235 ok", "ready" } },
	{ "login, asks thrice", GREETING_MUST, false, true, true,
	    { "S:220 hi", "C:EHLO me", EHLO "AUTH LOGIN", "C:AUTH LOGIN",
		"S:334 a", "C:dQ==", "S:334 b", "C:cA==", "S:334 c",
		"nonsense" } },
	{ "refused", GREETING_MUST, false, true, true,
	    { "S:220 hi", "C:EHLO me", EHLO "AUTH PLAIN", "C:" PLAIN,
		"S:535 no", "no auth" } },
	{ "refused for now", GREETING_MUST, false, true, true,
	    { "S:220 hi", "C:EHLO me", EHLO "AUTH PLAIN", "C:" PLAIN,
		"S:454 no", "no auth" } },
	{ "auth, 421", GREETING_MUST, false, true, true,
	    { "S:220 hi", "C:EHLO me", EHLO "AUTH PLAIN", "C:" PLAIN,
		"S:421 bye", "421" } },
	{ "nothing we have", GREETING_MUST, false, true, true,
	    { "S:220 hi", "C:EHLO me", EHLO "AUTH CRAM-MD5 XPLAIN",
		"no auth" } },
	{ "plain, 334", GREETING_MUST, false, true, true,
	    { "S:220 hi", "C:EHLO me", EHLO "AUTH PLAIN", "C:" PLAIN, "S:334 ",
		"C:AHUAcA==", "S:235 ok", "ready" } },
	{ "plain, 334 twice", GREETING_MUST, false, true, true,
	    { "S:220 hi", "C:EHLO me", EHLO "AUTH=PLAIN", "C:" PLAIN, "S:334 ",
		"C:AHUAcA==", "S:334 ", "nonsense" } },
};

static const char *const faults[] = {
	[GREETING_REFUSED] = "refused",
	[GREETING_NO_TLS] = "no tls",
	[GREETING_NO_AUTH] = "no auth",
	[GREETING_421] = "421",
	[GREETING_NONSENSE] = "nonsense",
};

static const char *
name_of(const struct greeting *g, enum greeting_next next)
{
	switch (next) {
	case GREETING_HANDSHAKE:
		return "tls";
	case GREETING_READY:
		return "ready";
	case GREETING_END:
		return faults[g->fault];
	default:
		return "say";
	}
}

static enum greeting_next
hear(struct greeting *g, const char *text, struct buf *out)
{
	static struct reply r;
	char line[256], *c = line;
	size_t used;

	for (; *text != '\0'; text++) {
		if (*text == '|')
			*c++ = '\r';
		*c++ = *text == '|' ? '\n' : *text;
	}
	strcpy(c, "\r\n");
	reply_init(&r);
	assert_int_equal(
	    reply_feed(&r, line, strlen(line), &used), REPLY_WHOLE);
	return greeting_take(g, &r, out);
}

static void
run(size_t k, struct greeting *g, struct buf *out)
{
	const char *const *step = cases[k].script;
	enum greeting_next next = GREETING_SAY;
	char said[128];

	for (; *step != NULL; step++) {
		if (strncmp(*step, "S:", 2) == 0) {
			buf_reset(out);
			next = hear(g, *step + 2, out);
		} else if (strncmp(*step, "C:", 2) == 0) {
			snprintf(said, sizeof(said), "%s\r\n", *step + 2);
			if (strcmp(buf_text(out), said) != 0)
				fail_msg("%s: %s, not %s", cases[k].name,
				    buf_text(out), *step);
			/* Secrets are marked, and nothing else is. */
			if ((next == GREETING_SAY_SECRET) !=
			    (g->state == GREETING_AUTH))
				fail_msg("%s: marked", cases[k].name);
		} else {
			if (strcmp(name_of(g, next), *step) != 0)
				fail_msg("%s: %s, not %s", cases[k].name,
				    name_of(g, next), *step);
			if (next == GREETING_END)
				assert_true(strlen(g->status) > 4);
			if (next == GREETING_HANDSHAKE) {
				buf_reset(out);
				next = greeting_secured(g, out);
			}
		}
	}
	assert_true(next == GREETING_READY || next == GREETING_END);
}

static void
test_cases(void **ctx)
{
	struct greeting_want want = { .label = "host", .helo = "me" };
	struct buf *out = buf_new(1 << 16);
	struct greeting g;
	size_t i;

	(void)ctx;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		want.tls = cases[i].tls;
		want.lmtp = cases[i].lmtp;
		want.user = cases[i].auth ? "u" : NULL;
		want.password = cases[i].auth ? "p" : NULL;
		greeting_begin(&g, &want, cases[i].secure);
		run(i, &g, out);
	}
	buf_free(out);
}

static void
test_forgets(void **ctx)
{
	struct greeting_want want = {
		.label = "host", .helo = "me", .tls = GREETING_TRY
	};
	struct buf *out = buf_new(1 << 16);
	struct greeting g;

	(void)ctx;
	greeting_begin(&g, &want, false);
	hear(&g, "220 hi", out);
	hear(&g, "250-x|250-PIPELINING|250-CHUNKING|250 STARTTLS", out);
	assert_true(g.host.pipelining && g.host.chunking);
	hear(&g, "220 go", out);
	greeting_secured(&g, out);
	assert_false(g.host.pipelining || g.host.chunking);
	/* HELO knows of no extension, whatever is said after it. */
	hear(&g, "500 what", out);
	hear(&g, "250-x|250 PIPELINING", out);
	assert_false(g.host.pipelining);
	buf_free(out);
}

static void
test_leaks(void **ctx)
{
	static const struct {
		const char *text;
		bool leaks;
	} texts[] = {
		{ "535 no\n", false }, { "", false },
		{ "535 horse is wrong\n", true },
		{ "535 aG9yc2U= is wrong\n", true }, /* horse */
		{ "535 AGFubgBob3JzZQ==\n", true }, /* all of PLAIN */
	};
	struct sasl s;
	struct reply_ehlo host = { .auth_login = true };
	size_t i;

	(void)ctx;
	assert_true(sasl_begin(&s, &host, "ann", "horse"));
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (sasl_leaks(&s, texts[i].text) != texts[i].leaks)
			fail_msg("%s", texts[i].text);
	memset(&s, 0, sizeof(s));
	assert_false(sasl_leaks(&s, "anything"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_forgets),
		cmocka_unit_test(test_leaks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
