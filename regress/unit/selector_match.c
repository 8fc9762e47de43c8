/* What selectors say about envelopes: every field and operator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/mail/failure.h"
#include "lib/mail/origin.h"
#include "lib/mail/selector_envelope.h"

#define NOW INT64_C(1795353669) /* 2026-11-22T13:21:09Z */
#define HOUR 3600
#define DAY 86400
#define ERE_CUT 65535 /* the last octet a regular expression sees */
#define TEXT(s) ((char *)(uintptr_t)(s))

/* A message of three: deferred, held with a rule, and a bounce of ours. */
static struct envelope envelopes[] = {
	{
	    .id = UINT64_C(0x3f9a0c41d7b20001),
	    .state = ENVELOPE_QUEUED,
	    .kind = ENVELOPE_RELAY,
	    .action = TEXT("relay"),
	    .sender = TEXT("News@Shop.Example"),
	    .recipient = TEXT("Ann@Yahoo.COM"),
	    .destination = TEXT("ann@mx.example"),
	    .from = TEXT("smtp [192.0.2.14]:40112 helo Mail.shop.example "
			 "listener submission auth ann tls TLSv1.3 name "
			 "c.example"),
	    .arrived = NOW - 4 * DAY,
	    .expires = NOW + 2 * HOUR,
	    .tries = 9,
	    .last_try = NOW - HOUR,
	    .next_try = NOW + 600,
	    .error = TEXT("421 4.7.0 [TSS04] temporarily deferred from "
			  "mta7.am0.yahoodns.net [198.51.100.7]"),
	},
	{
	    .id = UINT64_C(0x3f9a0c41d7b20002),
	    .state = ENVELOPE_HELD,
	    .kind = ENVELOPE_DELIVER,
	    .action = TEXT("local"),
	    .sender = TEXT(""),
	    .recipient = TEXT("\"a@b c\"@d.example"),
	    .destination = TEXT("root"),
	    .from = TEXT("local bounce"),
	    .arrived = NOW - 60,
	    .expires = NOW + 4 * DAY,
	    .hold = TEXT("by=uid:0 rule=r7 reason=x"),
	},
	{
	    .id = UINT64_C(0x3f9a0c41d7b20003),
	    .state = ENVELOPE_FAILED,
	    .kind = ENVELOPE_BOUNCE,
	    .sender = TEXT("x@y"),
	    .recipient = NULL,
	    .destination = TEXT("x@[192.0.2.1]"),
	    .from = TEXT("smtp [2001:db8::7]:9 helo [IPv6:2001:db8::7] "
			 "listener lo:25"),
	    .arrived = NOW,
	    .expires = NOW - 1,
	    .error = TEXT("451 4.4.1 connect to [192.0.2.1]: Connection "
			  "refused"),
	},
};
#define ENVELOPES (sizeof(envelopes) / sizeof(envelopes[0]))

static bool
on_message(void *ctx, enum selector_field f, const char *header,
    struct selector_value *v)
{
	(void)ctx;
	switch (f) {
	case SELECT_SUBJECT:
		v->text = "Your invoice";
		return true;
	case SELECT_HDR:
		v->text = "<list.example>";
		return strcmp(header, "list-id") == 0;
	default:
		v->text = "Buy\r\nnow!\r\n";
		return true;
	}
}

static void each_envelope(void *ctx,
    bool (*each)(void *arg, const struct selector_subject *s), void *arg);

static void
known(struct selector_envelope *x, size_t i)
{
	static const struct selector_envelope none;

	*x = none;
	x->envelope = &envelopes[i];
	x->now = NOW;
	x->size = 38000;
	x->message = on_message;
	x->siblings = each_envelope;
	if (i == 0) {
		x->stored = 12000;
		x->comp = "zstd";
		x->enc = "aes-256-gcm";
		x->kid = "k3";
		x->relay = "Smart.example";
		x->src = "192.0.2.10";
		x->host = "mx1";
		x->tag = "vip";
	}
}

static void
each_envelope(void *ctx,
    bool (*each)(void *arg, const struct selector_subject *s), void *arg)
{
	struct selector_envelope x;
	struct selector_subject s;
	bool more = true;
	size_t i;

	(void)ctx;
	for (i = 0; more && i < ENVELOPES; i++) {
		known(&x, i);
		selector_envelope_subject(&x, &s);
		more = each(arg, &s);
	}
}

/* Which of the three it selects, as bits: 1, 2, 4. */
static const struct {
	const char *text;
	unsigned want;
} cases[] = {
	{ "all", 7 },
	{ "!all", 0 },
	{ "id = 3f9a0c41d7b20002", 2 },
	{ "id = 3F9A0C41D7B2", 7 },
	{ "id != 3f9a0c41d7b20002", 5 },
	{ "id in (3f9a0c41d7b20001, 3f9a0c41d7b20003, 3f9a0c41d7b20004)", 5 },
	{ "id ~ *3", 4 },
	{ "id !~ /1$/", 6 },
	{ "msgid = 3f9a0c41d7b2", 7 },
	{ "msgid = 3f9a0c41d7b3", 0 },
	{ "msgid ~ *b2", 7 },
	{ "msgid ~ *01", 0 },
	{ "msgid ~ /b2$/", 7 },
	{ "type = mta", 1 },
	{ "type = mda", 2 },
	{ "type in (mda, bounce)", 6 },
	{ "type != bounce", 3 },
	{ "state = deferred", 1 },
	{ "state = held", 2 },
	{ "state = bounce", 4 },
	{ "state != held", 5 },
	{ "held", 2 },
	{ "!held", 5 },
	{ "paused || inflight", 0 },
	/* sender and recipient: case counts before the @ only */
	{ "sender = News@shop.example", 1 },
	{ "sender = News@SHOP.EXAMPLE", 1 },
	{ "sender = news@shop.example", 0 },
	{ "sender != News@shop.example", 6 },
	{ "sender = \"\"", 2 },
	{ "sender = <>", 2 },
	{ "sender.null", 2 },
	{ "!sender.null", 5 },
	{ "sender in (x@y, \"\")", 6 },
	{ "sender ~ *@shop.example", 1 },
	{ "sender ~ *@SHOP.*", 1 },
	{ "sender ~ news@*", 0 },
	{ "sender ~ News@*", 1 },
	{ "sender ~ *SHOP*", 1 },
	{ "sender ~ *", 7 },
	{ "sender ~ ?@?", 4 },
	{ "sender !~ *@*", 2 },
	{ "sender ~ /@shop\\.example$/", 1 },
	{ "sender ~ /^news@/i", 1 },
	{ "sender ~ /^news@/", 0 },
	{ "sender.domain = Shop.Example", 1 },
	{ "sender.domain != shop.example", 6 },
	{ "sender.domain", 5 },
	{ "sender.domain ~ /^SHOP/", 1 },
	{ "sender.domain in (y, shop.example)", 5 },
	{ "rcpt = Ann@yahoo.com", 1 },
	{ "rcpt = ann@yahoo.com", 0 },
	{ "rcpt ~ *@yahoo.com", 1 },
	{ "rcpt = \"\\\"a@b c\\\"@D.example\"", 2 },
	{ "rcpt.domain = d.example", 2 },
	{ "rcpt.domain = yahoo.com", 1 },
	{ "rcpt.domain ~ *.example", 2 },
	{ "rcpt.domain ~ Y?HOO*", 1 },
	{ "rcpt.local = Ann", 1 },
	{ "rcpt.local = ann", 0 },
	{ "rcpt.local ~ /^\"a@b c\"$/", 2 },
	{ "rcpt = x@[192.0.2.1]", 4 },
	{ "rcpt ~ x@[192.0.2.1]", 4 },
	{ "dest = ann@MX.example", 1 },
	{ "dest = root", 2 },
	{ "dest ~ *@[*]", 4 },
	/* times */
	{ "age > 3d", 1 },
	{ "age >= 4d", 1 },
	{ "age > 4d", 0 },
	{ "age < 1h", 6 },
	{ "age = 60s", 2 },
	{ "age = 0", 4 },
	{ "age in (0s..60s)", 6 },
	{ "ttl < 0", 4 },
	{ "ttl <= 2h", 5 },
	{ "expires > +1d", 2 },
	{ "arrived < today", 1 },
	{ "arrived = today", 6 },
	{ "arrived = 2026-11-18", 1 },
	{ "arrived in 2026-11-17..2026-11-18", 1 },
	{ "arrived >= 13:21", 4 },
	{ "arrived = 13:20", 2 },
	{ "arrived = now", 4 },
	{ "last", 1 },
	{ "!last", 6 },
	{ "last < -30m", 1 },
	{ "last != now", 7 },
	{ "next", 1 },
	{ "next < +15m", 1 },
	{ "next > +15m", 0 },
	{ "next = 13:31", 1 },
	/* numbers */
	{ "tries > 3", 1 },
	{ "tries = 0", 6 },
	{ "tries != 0", 1 },
	{ "tries in (1..3, 9)", 1 },
	{ "size = 38000", 7 },
	{ "size > 37K && size < 38K", 7 },
	{ "size in (1M, 10K..40K)", 7 },
	{ "msg.size = 38000", 7 },
	{ "stored < 1M", 1 },
	{ "stored > 0", 1 },
	/* errors */
	{ "error", 5 },
	{ "!error", 2 },
	{ "error ~ *TSS04*", 1 },
	{ "error ~ *tss04*", 0 },
	{ "error ~ /tss04/i", 1 },
	{ "error ~ \"*[TSS04]*\"", 1 },
	{ "error !~ *TSS04*", 6 },
	{ "error ~ (*TSS04*, *refused)", 5 },
	{ "error.code = 421", 1 },
	{ "error.code != 421", 6 },
	{ "error.code in 400..499", 5 },
	{ "error.class = 4", 5 },
	{ "error.class = 5", 0 },
	{ "error.code", 5 },
	{ "error.enh = 4.7.0", 1 },
	{ "error.enh ~ 4.*", 5 },
	{ "error.mx = mta7.am0.YAHOODNS.net", 1 },
	{ "error.mx = 192.0.2.1", 4 },
	{ "error.phase = connect", 4 },
	{ "error.phase", 4 },
	{ "error.phase != rcpt", 7 },
	/* where to and where from */
	{ "route = mx.example", 1 },
	{ "route ~ *.EXAMPLE", 1 },
	{ "!route", 2 },
	{ "relay = smart.example", 1 },
	{ "src = 192.0.2.10", 1 },
	{ "listener = submission", 1 },
	{ "listener = lo:25", 4 },
	{ "client.ip = 192.0.2.14", 1 },
	{ "client.ip in (10.0.0.0/8, 192.0.2.0/28)", 1 },
	{ "client.ip = 192.0.2.0/29", 0 },
	{ "client.ip = 2001:db8::/32", 4 },
	{ "client.ip = 0.0.0.0/0", 1 },
	{ "client.ip = ::/0", 5 },
	{ "client.ip != 192.0.2.14", 6 },
	{ "client.ip ~ 192.0.2.*", 1 },
	{ "client.ip", 5 },
	{ "client.name = C.example", 1 },
	{ "helo = mail.SHOP.example", 1 },
	{ "helo ~ [ipv6*", 4 },
	{ "auth = ann", 1 },
	{ "!auth", 6 },
	{ "tls", 1 },
	{ "tls ~ TLSv1.?", 1 },
	{ "tag = vip", 1 },
	{ "rule = r7", 2 },
	{ "rule", 2 },
	{ "host = MX1", 1 },
	/* how it is stored */
	{ "enc", 1 },
	{ "enc = none", 6 },
	{ "enc = aes-256-gcm", 1 },
	{ "comp = zstd", 1 },
	{ "comp != zstd", 6 },
	{ "!comp", 6 },
	{ "kid = k3", 1 },
	{ "!kid", 6 },
	/* the message */
	{ "subject ~ *invoice*", 7 },
	{ "subject = \"Your invoice\"", 7 },
	{ "subject = \"your invoice\"", 0 },
	{ "hdr.\"List-ID\" ~ *list.example*", 7 },
	{ "hdr.List-Id", 7 },
	{ "hdr.X-None", 0 },
	{ "hdr.X-None != x", 7 },
	{ "body ~ \"*Buy\\r\\nnow*\"", 7 },
	{ "body ~ /now!/", 7 },
	{ "body ~ /^now!$/", 7 },
	{ "body ~ /^Buy$/", 7 },
	{ "body ~ /Buy.*now/", 0 },
	{ "body ~ /^$/", 0 },
	/* of all envelopes of the message */
	{ "any(held)", 7 },
	{ "all(held)", 0 },
	{ "all(held || error)", 7 },
	{ "none(tries > 9)", 7 },
	{ "none(held)", 0 },
	{ "any(held) && error", 5 },
	{ "msg.rcpts = 3", 7 },
	{ "msg.rcpts > 3", 0 },
	{ "msg.state = mixed", 7 },
	{ "any(msg.rcpts = 3)", 7 },
	{ "msg.rcpts < 3 || msg.rcpts = 3 && msg.state != held", 7 },
	/* together */
	{ "rcpt.domain = yahoo.com && age > 3d && !held", 1 },
	{ "held || error.class = 4 && tries = 0", 6 },
	{ "(held || error.class = 4) && tries = 0", 6 },
	{ "!(held || tries > 3)", 4 },
	{ "!held && !error", 0 },
};

static void
test_cases(void **state)
{
	struct selector_envelope x;
	struct selector_subject subject;
	struct selector_error e;
	struct selector *s;
	unsigned got;
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		s = selector_parse(cases[i].text, NOW, &e);
		if (s == NULL)
			fail_msg("%s: %s", cases[i].text, e.text);
		got = 0;
		for (k = 0; k < ENVELOPES; k++) {
			known(&x, k);
			selector_envelope_subject(&x, &subject);
			if (selector_match(s, &subject))
				got |= 1u << k;
		}
		if (got != cases[i].want)
			fail_msg("%s: %u, wanted %u", cases[i].text, got,
			    cases[i].want);
		selector_free(s);
	}
}

static bool
matches(const char *text, const struct selector_subject *subject)
{
	struct selector_error e;
	struct selector *s = selector_parse(text, NOW, &e);
	bool yes;

	assert_non_null(s);
	yes = selector_match(s, subject);
	selector_free(s);
	return yes;
}

/* Lists are looked up, not walked: each of many is found, and no other. */
static void
test_long_list(void **state)
{
	static const char *const fields[] = { "dest", "tries", "id",
		"client.ip" };
	struct envelope e = { .sender = TEXT("") };
	struct selector_envelope x = { .envelope = &e };
	struct selector_subject subject;
	struct selector_error why;
	struct selector *s;
	char dest[32], from[64];
	struct buf *b = buf_new(SELECTOR_TEXT_MAX);
	unsigned f, i;

	(void)state;
	for (f = 0; f < 4; f++) {
		buf_reset(b);
		buf_putf(b, "%s in (", fields[f]);
		for (i = 0; i < 1000; i++)
			buf_putf(b,
			    f == 0       ? "%s%u@x"
				: f == 1 ? "%s%u"
				: f == 2 ? "%s3f9a0c41%04u0001"
					 : "%s10.0.%u.1",
			    i > 0 ? ", " : "",
			    f == 3 ? 2 * (i % 100) : i * 7919 % 1000 * 2);
		buf_puts(b, ")");
		s = selector_parse(buf_text(b), NOW, &why);
		assert_non_null(s);
		for (i = 0; i < (f == 3 ? 200 : 2000); i++) {
			snprintf(dest, sizeof(dest), "%u@X", i);
			snprintf(from, sizeof(from), "smtp [10.0.%u.1]:1", i);
			e.destination = dest;
			e.from = from;
			e.tries = i;
			snprintf(x.room, sizeof(x.room), "3f9a0c41%04u0001", i);
			e.id = strtoull(x.room, NULL, 16);
			selector_envelope_subject(&x, &subject);
			if (selector_match(s, &subject) != (i % 2 == 0))
				fail_msg("%s: %u", fields[f], i);
		}
		selector_free(s);
	}
	buf_free(b);
}

/* A subject that knows nothing: tests are false, their contraries true. */
static bool
on_nothing(void *ctx, enum selector_field f, const char *header,
    struct selector_value *v)
{
	(void)ctx;
	(void)f;
	(void)header;
	(void)v;
	return false;
}

static void
test_nothing(void **state)
{
	struct selector_subject s = { .value = on_nothing };

	(void)state;
	assert_false(matches("sender = a@b", &s));
	assert_true(matches("sender != a@b", &s));
	assert_false(matches("sender ~ *", &s));
	assert_true(matches("sender !~ *", &s));
	assert_false(matches("age > 0", &s));
	assert_false(matches("age <= 0", &s));
	assert_false(matches("held", &s));
	assert_true(matches("held = no", &s));
	assert_false(matches("state = held", &s));
	assert_true(matches("enc = none && comp = none", &s));
	assert_true(matches("msg.rcpts = 1", &s));
	assert_false(matches("client.ip = ::/0", &s));
	assert_false(matches("id = 3f9a0c41d7b2", &s));
	/* It stands alone. */
	assert_true(matches("all(!held) && none(held) && !any(held)", &s));
}

/* An envelope of which there is nothing but a name: nothing is made up. */
static void
test_unread(void **state)
{
	struct envelope e = { .id = UINT64_C(0x3f9a0c41d7b20001) };
	struct selector_envelope x = { .envelope = &e,
		.unread = true,
		.state = "locked",
		.arrived = NOW - DAY,
		.now = NOW,
		.kid = "k3" };
	struct selector_subject s;

	(void)state;
	selector_envelope_subject(&x, &s);
	assert_true(matches("state = locked && id = 3f9a0c41d7b2", &s));
	assert_true(matches("age = 1d && kid = k3", &s));
	assert_false(matches("type = mta || tries = 0 || sender.null", &s));
	assert_false(
	    matches("rcpt ~ * || dest ~ * || expires || ttl < 1s", &s));
	assert_false(matches("listener || error || rule || route", &s));
}

/* What a spool may hold by accident. */
static bool
on_odd(void *ctx, enum selector_field f, const char *header,
    struct selector_value *v)
{
	(void)header;
	v->text = f == SELECT_ARRIVED || f == SELECT_EXPIRES ? NULL : ctx;
	v->number = INT64_MIN;
	return true;
}

static void
test_odd_values(void **state)
{
	struct selector_subject s = { .value = on_odd };
	char *text = malloc(100001);

	(void)state;
	assert_non_null(text);
	memset(text, 'a', 100000);
	text[100000] = '\0';
	s.ctx = text;
	assert_false(matches("age > 0 || ttl > 0", &s));
	assert_true(matches("sender ~ *a*a*a*a && !(sender ~ *b)", &s));
	assert_true(matches("rcpt ~ /a$/ && rcpt.local ~ /^a/", &s));
	assert_false(matches("rcpt.domain", &s));
	assert_false(matches("state = held || id = 3f9a0c41d7b2", &s));
	assert_false(matches("tries > 0 || client.ip = ::/0", &s));
	/* Only the pattern's length counts for a body, line by line. */
	for (size_t i = 999; i < 100000; i += 1000)
		text[i] = '\n';
	assert_false(matches("body ~ /(([[:alpha:]]+)+)+!/", &s));
	assert_true(matches("body ~ /^a{99}a*$/", &s));
	memset(text, 'a', 100000);
	text[ERE_CUT] = 'b';
	assert_true(matches("subject ~ /b/", &s));
	text[ERE_CUT] = 'a';
	text[ERE_CUT + 1] = 'b';
	assert_false(matches("subject ~ /b/", &s));
	strcpy(text, "@");
	assert_true(matches("rcpt.domain = \"\" && rcpt.local = \"\"", &s));
	strcpy(text, "\xff\xfe@\xff");
	assert_true(matches("rcpt ~ ??@? && rcpt = \"\\xff\\xfe@\\xff\"", &s));
	free(text);
}

static void
test_counts(void **state)
{
	struct selector_envelope x;
	struct selector_subject subject;
	struct selector_error e;
	struct selector *s;
	struct buf *b = buf_new(65536);
	size_t i;

	(void)state;
	s = selector_parse("(held || any(tries > 3)) && !(subject = x) && "
			   "id = 3f9a0c41d7b2",
	    NOW, &e);
	assert_non_null(s);
	for (i = 0; i < ENVELOPES; i++) {
		known(&x, i);
		selector_envelope_subject(&x, &subject);
		assert_true(selector_match(s, &subject));
	}
	selector_explain(s, b);
	assert_string_equal(buf_text(b),
	    "and  asked 3, held 3\n"
	    "  or  asked 3, held 3\n"
	    "    held  (index)  asked 3, held 1\n"
	    "    any()  (asks each envelope of the message)  asked 2, held 2\n"
	    "      tries > 3  (index)  asked 2, held 2\n"
	    "  not  asked 3, held 3\n"
	    "    subject = x  (scan: opens the message)  asked 3, held 0\n"
	    "  id = 3f9a0c41d7b2  (index: found by id)  asked 3, held 3\n");
	selector_free(s);
	buf_free(b);
}

static void
test_failures(void **state)
{
	static const struct {
		const char *error;
		unsigned code, klass;
		const char *enhanced, *phase, *mx, *text;
	} errors[] = {
		{ "", 0, 0, "", "", "", "" },
		{ "550 no", 550, 5, "5.0.0", "", "", "no" },
		{ "4.2.2 full", 0, 4, "4.2.2", "", "", "full" },
		{ "421 4.7.0 try later from mx.example [192.0.2.1]", 421, 4,
		    "4.7.0", "", "mx.example", "try later" },
		{ "421 4.7.0 mail from me from mx.example [192.0.2.1]:26", 421,
		    4, "4.7.0", "", "mx.example", "mail from me" },
		{ "554 5.7.1 from [2001:db8::1]", 554, 5, "5.7.1", "", "",
		    "from [2001:db8::1]" },
		{ "554 5.7.1 no from [2001:db8::1]", 554, 5, "5.7.1", "",
		    "2001:db8::1", "no" },
		{ "554 5.7.1 mail from bad.example", 554, 5, "5.7.1", "", "",
		    "mail from bad.example" },
		{ "451 4.4.1 connect to mx.example [192.0.2.1]: timed out", 451,
		    4, "4.4.1", "connect", "mx.example",
		    "connect to mx.example [192.0.2.1]: timed out" },
		{ "451 4.4.1 connect to [::1]:26: refused", 451, 4, "4.4.1",
		    "connect", "::1", "connect to [::1]:26: refused" },
		{ "451 4.4.2 mx.example [192.0.2.1]: timed out in RCPT TO", 451,
		    4, "4.4.2", "rcpt", "mx.example",
		    "mx.example [192.0.2.1]: timed out in RCPT TO" },
		{ "451 4.4.2 mx.example [192.0.2.1]:26: lost in the end of the "
		  "message",
		    451, 4, "4.4.2", "end", "mx.example", NULL },
		{ "451 4.4.2 [192.0.2.1]: lost in transit", 451, 4, "4.4.2", "",
		    "192.0.2.1", NULL },
	};
	struct failure f;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		failure_read(&f, errors[i].error);
		assert_int_equal(f.code, errors[i].code);
		assert_int_equal(f.klass, errors[i].klass);
		assert_string_equal(f.enhanced, errors[i].enhanced);
		assert_string_equal(f.phase, errors[i].phase);
		assert_string_equal(f.mx, errors[i].mx);
		if (errors[i].text == NULL)
			continue;
		assert_int_equal(f.len, strlen(errors[i].text));
		assert_memory_equal(f.text, errors[i].text, f.len);
	}
}

static void
test_origins(void **state)
{
	struct origin o;

	(void)state;
	origin_read(&o, NULL);
	assert_string_equal(o.way, "");
	origin_read(&o, "local bounce");
	assert_string_equal(o.way, "local");
	assert_string_equal(o.client, "");
	origin_read(&o, "smtp [192.0.2.14]:40112 helo listener listener x:25");
	assert_string_equal(o.way, "smtp");
	assert_string_equal(o.client, "192.0.2.14");
	assert_int_equal(o.port, 40112);
	assert_string_equal(o.helo, "listener");
	assert_string_equal(o.listener, "x:25");
	origin_read(&o, "smtp [::1] extra 1 auth");
	assert_string_equal(o.client, "::1");
	assert_int_equal(o.port, 0);
	assert_string_equal(o.auth, "");
	origin_read(&o, "smtp [::1");
	assert_string_equal(o.client, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_long_list),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_unread),
		cmocka_unit_test(test_odd_values),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_origins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
