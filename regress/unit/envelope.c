/* The text of an envelope: what is written is read again, and nothing else. */
#include "lib/mail/envelope.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/crc32c.h"
#include "lib/base/mem.h"

static void
fill(struct envelope *e)
{
	envelope_init(e);
	e->id = UINT64_C(0x3f9a0c41d7b20001);
	e->state = ENVELOPE_HELD;
	e->kind = ENVELOPE_DELIVER;
	envelope_set(&e->action, "maildir-1");
	envelope_set(&e->sender, "news@shop.example");
	envelope_set(&e->recipient, "Ann@Example.Org");
	envelope_set(&e->destination, "ann@example.org");
	envelope_set(&e->from, "smtp [192.0.2.14]:40112 helo mail.example");
	e->arrived = 1795353669;
	e->expires = 1795699269;
	e->tries = 3;
	e->last_try = 1795356069;
	e->next_try = 1795359669;
	envelope_set(&e->error, "421 4.7.0 mx1 [198.51.100.7]: later");
	envelope_set(&e->dsn, "notify=failure");
	envelope_set(&e->hold, "by=uid:0 reason=\"why not\"");
	e->suspect = 1;
	e->generation = 4;
	envelope_remember(e, "2026-11-22T14:01:09Z tempfail code=421");
	envelope_remember(e, "2026-11-22T14:31:09Z tempfail code=450");
}

static char *
print(const struct envelope *e)
{
	struct buf *b = buf_new(ENVELOPE_TEXT_MAX);
	char *text;

	assert_int_equal(envelope_print(e, b), 0);
	text = mem_strdup(buf_text(b));
	buf_free(b);
	return text;
}

static const char whole[] = "spool-envelope: 1\n"
			    "id: 3f9a0c41d7b20001\n"
			    "state: held\n"
			    "kind: deliver\n"
			    "action: maildir-1\n"
			    "sender: news@shop.example\n"
			    "recipient: Ann@Example.Org\n"
			    "destination: ann@example.org\n"
			    "from: smtp [192.0.2.14]:40112 helo mail.example\n"
			    "arrived: 2026-11-22T13:21:09Z\n"
			    "expires: 2026-11-26T13:21:09Z\n"
			    "tries: 3\n"
			    "last-try: 2026-11-22T14:01:09Z\n"
			    "next-try: 2026-11-22T15:01:09Z\n"
			    "error: 421 4.7.0 mx1 [198.51.100.7]: later\n"
			    "dsn: notify=failure\n"
			    "hold: by=uid:0 reason=\"why not\"\n"
			    "suspect: 1\n"
			    "history: 2026-11-22T14:01:09Z tempfail code=421\n"
			    "history: 2026-11-22T14:31:09Z tempfail code=450\n"
			    "generation: 4\n";

/* body and the check line that fits it; the caller frees. */
static char *
checked(const char *body)
{
	return mem_printf(
	    "%scheck: crc32c=%08x\n", body, crc32c(0, body, strlen(body)));
}

static void
writes_the_documented_text(void **state)
{
	struct envelope e;
	char *text, *want = checked(whole);

	(void)state;
	fill(&e);
	text = print(&e);
	assert_string_equal(text, want);
	free(text);
	free(want);
	envelope_clear(&e);
}

static void
comes_back_whole(void **state)
{
	struct envelope e, r;
	char *text, *again, reason[128] = "x";

	(void)state;
	fill(&e);
	text = print(&e);
	assert_int_equal(
	    envelope_parse(&r, text, strlen(text), reason, sizeof(reason)),
	    ENVELOPE_OK);
	assert_string_equal(reason, "");
	assert_true(r.id == e.id && r.state == e.state && r.kind == e.kind);
	assert_true(r.arrived == e.arrived && r.expires == e.expires);
	assert_true(r.last_try == e.last_try && r.next_try == e.next_try);
	assert_true(r.tries == 3 && r.suspect == 1 && r.generation == 4);
	assert_int_equal(r.histories, 2);
	assert_string_equal(r.history[1], e.history[1]);
	assert_string_equal(r.hold, e.hold);
	again = print(&r);
	assert_string_equal(again, text);
	free(text);
	free(again);
	envelope_clear(&e);
	envelope_clear(&r);
}

static void
leaves_out_what_is_not_there(void **state)
{
	struct envelope e, r;
	char *text;

	(void)state;
	envelope_init(&e);
	e.id = 0x10001;
	envelope_set(&e.action, "relay-1");
	envelope_set(&e.sender, "");
	envelope_set(&e.destination, "ann@example.org");
	text = print(&e);
	assert_non_null(strstr(text, "\nsender: <>\n"));
	assert_null(strstr(text, "recipient"));
	assert_null(strstr(text, "try"));
	assert_null(strstr(text, "suspect"));
	assert_non_null(strstr(text, "\ntries: 0\n"));
	assert_int_equal(
	    envelope_parse(&r, text, strlen(text), NULL, 0), ENVELOPE_OK);
	assert_string_equal(r.sender, "");
	assert_null(r.recipient);
	assert_null(r.hold);
	free(text);
	envelope_clear(&e);
	envelope_clear(&r);
}

static void
refuses_to_write_less_than_it_reads(void **state)
{
	struct buf *b = buf_new(ENVELOPE_TEXT_MAX);
	struct envelope e;

	(void)state;
	fill(&e);
	assert_int_equal(buf_puts(b, "before"), 0);
	envelope_set(&e.action, NULL);
	assert_int_equal(envelope_print(&e, b), -1);
	assert_int_equal(errno, EINVAL);
	envelope_set(&e.action, "a");
	envelope_set(&e.destination, "");
	assert_int_equal(envelope_print(&e, b), -1);
	envelope_set(&e.destination, "d");
	e.id = 0x10000;
	assert_int_equal(envelope_print(&e, b), -1);
	e.id = 1;
	assert_int_equal(envelope_print(&e, b), -1);
	assert_string_equal(buf_text(b), "before");
	e.id = 0x10001;
	assert_int_equal(envelope_print(&e, b), 0);
	buf_free(b);
	envelope_clear(&e);
}

static void
every_truncation_is_seen(void **state)
{
	struct envelope r;
	char *text = checked(whole), *cut;
	enum envelope_result rc;
	size_t i, len = strlen(text);

	(void)state;
	for (i = 0; i < len; i++) {
		cut = malloc(i + 1); /* so that ASan sees a read past it */
		assert_non_null(cut);
		memcpy(cut, text, i);
		rc = envelope_parse(&r, cut, i, NULL, 0);
		if (rc != ENVELOPE_TORN)
			fail_msg("cut at %zu: result %d", i, (int)rc);
		envelope_clear(&r);
		free(cut);
	}
	rc = envelope_parse(&r, text, len - 40, NULL, 0);
	assert_int_equal(rc, ENVELOPE_TORN);
	assert_string_equal(r.destination, "ann@example.org");
	envelope_clear(&r);
	free(text);
}

static void
every_flipped_bit_is_seen(void **state)
{
	struct envelope r;
	char *text = checked(whole);
	enum envelope_result rc;
	size_t i, len = strlen(text);
	int bit;

	(void)state;
	for (i = 0; i < len; i++) {
		for (bit = 0; bit < 8; bit++) {
			text[i] = (char)(text[i] ^ 1 << bit);
			rc = envelope_parse(&r, text, len, NULL, 0);
			/* The case of a digit of the check is free. */
			if (rc == ENVELOPE_OK && (i < len - 9 || bit != 5))
				fail_msg("octet %zu bit %d", i, bit);
			envelope_clear(&r);
			text[i] = (char)(text[i] ^ 1 << bit);
		}
	}
	free(text);
}

static void
an_edited_text_is_read_and_named(void **state)
{
	struct envelope r;
	char *text = checked(whole), reason[128], *at;

	(void)state;
	at = strstr(text, "ann@example.org");
	memcpy(at, "bob", 3);
	assert_int_equal(
	    envelope_parse(&r, text, strlen(text), reason, sizeof(reason)),
	    ENVELOPE_EDITED);
	assert_string_equal(r.destination, "bob@example.org");
	assert_non_null(strstr(reason, "check does not fit"));
	envelope_clear(&r);
	free(text);
}

static const struct {
	const char *what; /* is replaced */
	const char *by;
	const char *reason; /* contains, NULL: OK */
} edits[] = {
	{ "spool-envelope: 1", "spool-envelope: 2", "line 1" },
	{ "spool-envelope: 1\n", "", "line 1" },
	{ "id: 3f9a0c41d7b20001", "id: 3f9a0c41d7b2000", "line 2: id" },
	{ "id: 3f9a0c41d7b20001", "id: 3f9a0c41d7b200011", "id" },
	{ "id: 3f9a0c41d7b20001", "id: 3F9A0C41D7B20001", "id" },
	{ "id: 3f9a0c41d7b20001", "id: 3f9a0c41d7b20000", "id" },
	{ "id: 3f9a0c41d7b20001\n", "", "no line \"id\"" },
	{ "state: held\n", "", "no line \"state\"" },
	{ "state: held", "state: hold", "queued, held or failed" },
	{ "state: held", "state: held ", NULL },
	{ "state: held", "state:held", "no space" },
	{ "state: held", "state:   held", NULL },
	{ "state: held", "state: Held", "queued" },
	{ "state: held", "state: held\nstate: held", "second time" },
	{ "state: held", "state", "line 3: no colon" },
	{ "state: held", "", "no colon" },
	{ "state: held\n", "\nstate: held\n", "no colon" },
	{ "state: held", "state:", "without a value" },
	{ "state: held", "statex: held", "unknown name statex" },
	{ "state: held", "sta: held", "unknown name sta" },
	{ "state: held", ": held", "unknown name \"\"" },
	{ "state: held", "State: held", "unknown name State" },
	{ "state: held", "state: held\r", "line 3: a control" },
	{ "state: held", "state:\theld", "control" },
	{ "kind: deliver", "kind: mail", "relay, deliver or bounce" },
	{ "kind: deliver\n", "", "no line \"kind\"" },
	{ "action: maildir-1\n", "", "no line \"action\"" },
	{ "action: maildir-1", "action: %41b", NULL },
	{ "action: maildir-1", "action: %4", "percent" },
	{ "action: maildir-1", "action: %", "percent" },
	{ "action: maildir-1", "action: %4g", "percent" },
	{ "action: maildir-1", "action: %00", "percent" },
	{ "action: maildir-1", "action: a\x7f", "control" },
	{ "action: maildir-1", "action: \x01", "control" },
	{ "action: maildir-1", "action: \xff", "UTF-8" },
	{ "action: maildir-1", "action: \xc3", "UTF-8" },
	{ "action: maildir-1", "action: \xc2\x85", "UTF-8" },
	{ "action: maildir-1", "action: \xc3\xa4", NULL },
	{ "sender: news@shop.example", "sender: <>", NULL },
	{ "sender: news@shop.example", "sender:", NULL },
	{ "sender: news@shop.example\n", "", "no line \"sender\"" },
	{ "recipient: Ann@Example.Org\n", "", NULL },
	{ "destination: ann@example.org\n", "", "\"destination\"" },
	{ "from: smtp [192.0.2.14]:40112 helo mail.example\n", "", NULL },
	{ "2026-11-22T13:21:09Z", "2026-11-22 13:21:09Z", "arrived" },
	{ "2026-11-22T13:21:09Z", "2026-11-31T13:21:09Z", "arrived" },
	{ "2026-11-22T13:21:09Z", "2026-11-22T24:21:09Z", "arrived" },
	{ "2026-11-22T13:21:09Z", "2026-11-22T13:21:09Z2026-11-22T13:21:09Z",
	    "arrived" },
	{ "expires: 2026-11-26T13:21:09Z\n", "", "no line \"expires\"" },
	{ "tries: 3", "tries: 4294967295", NULL },
	{ "tries: 3", "tries: 4294967296", "tries: not a number" },
	{ "tries: 3", "tries: 99999999999999999999", "not a number" },
	{ "tries: 3", "tries: -1", "not a number" },
	{ "tries: 3", "tries: 3x", "not a number" },
	{ "tries: 3\n", "", NULL },
	{ "generation: 4\n", "", NULL },
	{ "generation: 4\n", "generation: 4\ngeneration: 4\n", "second" },
	{ "generation: 4\n", "x-note: mine\ngeneration: 4\n", NULL },
	{ "generation: 4\n", "x-: mine\ngeneration: 4\n", "unknown" },
	{ "generation: 4\n", "x: mine\ngeneration: 4\n", "unknown" },
	{ "generation: 4\n", "check: crc32c=00000000\ngeneration: 4\n",
	    "last line" },
	{ "generation: 4\n", "generation: 4\nend\n", "no colon" },
};

static char *
replaced(const char *text, const char *what, const char *by)
{
	const char *at = strstr(text, what);

	assert_non_null(at);
	return mem_printf(
	    "%.*s%s%s", (int)(at - text), text, by, at + strlen(what));
}

static void
strictness(void **state)
{
	enum envelope_result rc, want;
	struct envelope r;
	char *body, *text, reason[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		body = replaced(whole, edits[i].what, edits[i].by);
		text = checked(body);
		rc = envelope_parse(
		    &r, text, strlen(text), reason, sizeof(reason));
		want = edits[i].reason == NULL ? ENVELOPE_OK : ENVELOPE_BROKEN;
		if (rc != want ||
		    (want != ENVELOPE_OK &&
			strstr(reason, edits[i].reason) == NULL))
			fail_msg("\"%s\" by \"%s\": %d %s", edits[i].what,
			    edits[i].by, (int)rc, reason);
		envelope_clear(&r);
		free(body);
		free(text);
	}
}

static void
the_check_line_has_one_form(void **state)
{
	static const char *const tails[] = {
		"check: crc32c=0000000\n",
		"check: crc32c=000000000\n",
		"check: crc32c=0000000g\n",
		"check: md5=00000000\n",
		"check:\n",
		"check: crc32c=00000000\n\n",
		"check: crc32c=00000000\nx-a: b\n",
	};
	struct envelope r;
	char *text;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		text = mem_printf("%s%s", whole, tails[i]);
		if (envelope_parse(&r, text, strlen(text), NULL, 0) !=
		    ENVELOPE_BROKEN)
			fail_msg("%s", tails[i]);
		envelope_clear(&r);
		free(text);
	}
}

static void
any_order_is_read(void **state)
{
	static const char body[] = "spool-envelope: 1\n"
				   "generation: 9\n"
				   "expires: 2026-11-26T13:21:09Z\n"
				   "x-one: 1\n"
				   "arrived: 2026-11-22T13:21:09Z\n"
				   "history: b\n"
				   "destination: d@e\n"
				   "sender: <>\n"
				   "history: c\n"
				   "x-two:  spaces  %41 \n"
				   "kind: relay\n"
				   "action: a\n"
				   "state: failed\n"
				   "id: 00000000000f0001\n";
	struct envelope r;
	char *text = checked(body), *again;

	(void)state;
	assert_int_equal(
	    envelope_parse(&r, text, strlen(text), NULL, 0), ENVELOPE_OK);
	assert_string_equal(r.extra, "x-one: 1\nx-two:  spaces  %41 \n");
	assert_int_equal(r.histories, 2);
	assert_int_equal(r.state, ENVELOPE_FAILED);
	again = print(&r);
	assert_non_null(strstr(
	    again, "\ngeneration: 9\nx-one: 1\nx-two:  spaces  %41 \ncheck:"));
	free(again);
	free(text);
	envelope_clear(&r);
}

static const struct {
	const char *value, *text;
} escapes[] = {
	{ "plain", "plain" },
	{ "two words", "two words" },
	{ " x ", "%20x%20" },
	{ "  ", "%20%20" },
	{ "a  ", "a %20" },
	{ "a\nstate: held", "a%0Astate: held" },
	{ "a\r\n", "a%0D%0A" },
	{ "100%", "100%25" },
	{ "%41", "%2541" },
	{ "\x1b[2J", "%1B[2J" },
	{ "\x7f", "%7F" },
	{ "\xc3\xa4", "\xc3\xa4" },
	{ "\xe4", "%E4" },
	{ "\xc2\x85", "%C2%85" },
	{ "\xf0\x9f\x98\x80.", "\xf0\x9f\x98\x80." },
	{ "\xed\xa0\x80", "%ED%A0%80" },
	{ "\t", "%09" },
};

static void
remote_text_stays_in_its_line(void **state)
{
	struct envelope e, r;
	char *text, *line;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
		fill(&e);
		envelope_set(&e.error, escapes[i].value);
		envelope_remember(&e, escapes[i].value);
		text = print(&e);
		line = mem_printf("\nerror: %s\n", escapes[i].text);
		if (strstr(text, line) == NULL)
			fail_msg("case %zu: no %s in %s", i, line, text);
		assert_int_equal(
		    envelope_parse(&r, text, strlen(text), NULL, 0),
		    ENVELOPE_OK);
		assert_string_equal(r.error, escapes[i].value);
		assert_string_equal(r.history[2], escapes[i].value);
		free(line);
		free(text);
		envelope_clear(&e);
		envelope_clear(&r);
	}
}

static void
history_keeps_the_last_eight(void **state)
{
	struct envelope e;
	char line[32];
	int i;

	(void)state;
	envelope_init(&e);
	for (i = 0; i < 20; i++) {
		snprintf(line, sizeof(line), "line %d", i);
		envelope_remember(&e, line);
	}
	assert_int_equal(e.histories, ENVELOPE_HISTORY);
	assert_string_equal(e.history[0], "line 12");
	assert_string_equal(e.history[7], "line 19");
	envelope_clear(&e);
}

static void
an_error_is_kept_to_its_bound(void **state)
{
	struct envelope e, r;
	char error[ENVELOPE_ERROR_MAX + 2], *text, *body, *by;

	(void)state;
	memset(error, 'e', sizeof(error) - 1);
	error[sizeof(error) - 1] = '\0';
	by = mem_printf("error: %s\n", error);
	body =
	    replaced(whole, "error: 421 4.7.0 mx1 [198.51.100.7]: later\n", by);
	text = checked(body);
	assert_int_equal(
	    envelope_parse(&r, text, strlen(text), NULL, 0), ENVELOPE_BROKEN);
	envelope_clear(&r);
	free(text);
	free(body);
	free(by);

	/* An a-umlaut lies across the bound: it goes as a whole. */
	memcpy(error + ENVELOPE_ERROR_MAX - 1, "\xc3\xa4", 2);
	fill(&e);
	envelope_set(&e.error, error);
	text = print(&e);
	assert_int_equal(
	    envelope_parse(&r, text, strlen(text), NULL, 0), ENVELOPE_OK);
	assert_int_equal(strlen(r.error), ENVELOPE_ERROR_MAX - 1);
	free(text);
	envelope_clear(&e);
	envelope_clear(&r);
}

static void
the_whole_text_has_a_bound(void **state)
{
	struct buf *b = buf_new(2 * ENVELOPE_TEXT_MAX);
	struct envelope e, r;
	size_t base, room;
	char *big;

	(void)state;
	fill(&e);
	assert_int_equal(envelope_print(&e, b), 0);
	base = buf_len(b) - strlen("maildir-1");
	room = ENVELOPE_TEXT_MAX - base;
	big = mem_zalloc(room + 2);
	memset(big, 'a', room);
	envelope_set(&e.action, big);
	buf_reset(b);
	assert_int_equal(envelope_print(&e, b), 0);
	assert_int_equal(buf_len(b), ENVELOPE_TEXT_MAX);
	assert_int_equal(
	    envelope_parse(&r, buf_text(b), buf_len(b), NULL, 0), ENVELOPE_OK);
	envelope_clear(&r);
	assert_int_equal(buf_puts(b, "\n"), 0);
	assert_int_equal(envelope_parse(&r, buf_text(b), buf_len(b), NULL, 0),
	    ENVELOPE_BROKEN);
	envelope_clear(&r);
	big[room] = 'a';
	envelope_set(&e.action, big);
	buf_reset(b);
	assert_int_equal(envelope_print(&e, b), -1);
	assert_int_equal(errno, EMSGSIZE);
	assert_int_equal(buf_len(b), 0);
	free(big);
	buf_free(b);
	envelope_clear(&e);
}

static void
a_small_buffer_is_left_as_it_was(void **state)
{
	struct envelope e;
	struct buf *b;
	size_t max, len;
	char *text;

	(void)state;
	fill(&e);
	text = print(&e);
	len = strlen(text);
	free(text);
	for (max = 0; max < len; max++) {
		b = buf_new(max);
		assert_int_equal(envelope_print(&e, b), -1);
		assert_int_equal(buf_len(b), 0);
		buf_free(b);
	}
	envelope_clear(&e);
}

static void
text_that_may_become_a_field(void **state)
{
	(void)state;
	assert_true(envelope_text_ok(""));
	assert_true(envelope_text_ok("a b%c"));
	assert_true(envelope_text_ok("\xc3\xa4"));
	assert_false(envelope_text_ok("a\nb"));
	assert_false(envelope_text_ok("a\tb"));
	assert_false(envelope_text_ok("\x7f"));
	assert_false(envelope_text_ok("\xe4"));
	assert_false(envelope_text_ok("a\xc3"));
}

static void
states_and_kinds_have_names(void **state)
{
	(void)state;
	assert_string_equal(envelope_state_name(ENVELOPE_QUEUED), "queued");
	assert_string_equal(envelope_state_name(ENVELOPE_FAILED), "failed");
	assert_string_equal(envelope_kind_name(ENVELOPE_BOUNCE), "bounce");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_the_documented_text),
		cmocka_unit_test(comes_back_whole),
		cmocka_unit_test(leaves_out_what_is_not_there),
		cmocka_unit_test(refuses_to_write_less_than_it_reads),
		cmocka_unit_test(every_truncation_is_seen),
		cmocka_unit_test(every_flipped_bit_is_seen),
		cmocka_unit_test(an_edited_text_is_read_and_named),
		cmocka_unit_test(strictness),
		cmocka_unit_test(the_check_line_has_one_form),
		cmocka_unit_test(any_order_is_read),
		cmocka_unit_test(remote_text_stays_in_its_line),
		cmocka_unit_test(history_keeps_the_last_eight),
		cmocka_unit_test(an_error_is_kept_to_its_bound),
		cmocka_unit_test(the_whole_text_has_a_bound),
		cmocka_unit_test(a_small_buffer_is_left_as_it_was),
		cmocka_unit_test(text_that_may_become_a_field),
		cmocka_unit_test(states_and_kinds_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
