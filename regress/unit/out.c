/* Records as people and programs see them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/cli/cost.h"
#include "lib/cli/exitcode.h"
#include "lib/cli/out.h"
#include "lib/proto/record.h"

#define NOW 1795356151 /* 2026-11-22T14:02:31Z */

struct shown {
	struct out *out;
	struct buf *record;
	char *text;
	size_t len;
	FILE *to;
};

static void
begin(struct shown *s, enum out_form form, unsigned width)
{
	struct out_options o = { .form = form,
		.width = width,
		.now = NOW,
		.host = "mx1",
		.command = "show queue" };

	s->to = open_memstream(&s->text, &s->len);
	o.to = s->to;
	s->out = out_new(&o);
	s->record = buf_new(65536);
}

static void
put(struct shown *s)
{
	assert_int_equal(
	    out_record(s->out, buf_data(s->record), buf_len(s->record)), 0);
	buf_reset(s->record);
}

static void
finish(struct shown *s, int status, uint64_t done, uint64_t skipped,
    const char *text, const char *want)
{
	struct out_end e = { status, done, skipped, text };

	out_finish(s->out, &e);
	fclose(s->to);
	assert_string_equal(s->text, want);
	out_free(s->out);
	buf_free(s->record);
	free(s->text);
}

static void
envelope(struct shown *s, const char *evpid, const char *state, uint64_t tries,
    int64_t age, int64_t next, uint64_t size, const char *rcpt)
{
	record_begin(s->record, "envelope");
	record_str(s->record, "evpid", evpid);
	record_str(s->record, "msgid", "a8083e5bca7b");
	record_str(s->record, "state", state);
	record_str(s->record, "type", "mta");
	record_str(s->record, "sender", "news@shop.example");
	record_str(s->record, "rcpt", rcpt);
	record_u64(s->record, "arrival_time", (uint64_t)(NOW - age));
	record_u64(s->record, "next_try", (uint64_t)(NOW + next));
	record_u64(s->record, "tries", tries);
	record_u64(s->record, "message_size", size);
	record_str(s->record, "error", "421 4.7.0 [TSS04] later");
	put(s);
}

static void
queue_rows(struct shown *s)
{
	envelope(s, "a8083e5bca7b0001", "deferred", 9, 93600, 2460, 38912,
	    "ann@yahoo.com");
	envelope(s, "a8083e5bca7b0002", "held", 2, 79200, 60, 11264,
	    "cat\033[2J@a.very.long.example.com");
	envelope(s, "8da42eed60930001", "inflight", 8, 72000, 0, 1258291,
	    "eve@yahoo.com");
	envelope(s, "8da42eed60930002", "ready", 0, 4, -1, 512, "bob@x.org");
}

static void
queue_on_a_terminal(void **state)
{
	struct shown s;

	(void)state;
	begin(&s, OUT_LIST, 80);
	queue_rows(&s);
	finish(&s, EXIT_DONE, 4, 0, "",
	    "ENVELOPE                       S TRY   AGE  NEXT  SIZE RCPT\n"
	    "a8083e5bca7b0001               D   9 1d02h   41m   38K "
	    "ann@yahoo.com\n"
	    "a8083e5bca7b0002               H   2   22h  hold   11K "
	    "cat\\x1b[2J@a.very.long.ex\n"
	    "8da42eed60930001               I   8   20h     -  1.2M "
	    "eve@yahoo.com\n"
	    "8da42eed60930002               R   0    4s   now   512 "
	    "bob@x.org\n"
	    "4 shown\n");
}

static void
queue_in_a_pipe(void **state)
{
	struct shown s;

	(void)state;
	begin(&s, OUT_LIST, 0);
	envelope(&s, "a8083e5bca7b0002", "deferred", 2, 60, 60, 11264,
	    "cat@a.very.very.very.very.long.example.com");
	finish(&s, EXIT_DONE, 1, 0, "",
	    "ENVELOPE                       S TRY   AGE  NEXT  SIZE RCPT\n"
	    "a8083e5bca7b0002               D   2    1m    1m   11K "
	    "cat@a.very.very.very.very.long.example.com\n");
	begin(&s, OUT_LIST, 0);
	finish(&s, EXIT_DONE, 0, 0, "", "");
}

static void
json_lines(void **state)
{
	struct shown s;

	(void)state;
	begin(&s, OUT_JSON, 80);
	envelope(&s, "a8083e5bca7b0001", "deferred", 9, 93600, 2460, 38912,
	    "a\xff@x.org");
	record_begin(s.record, "host");
	record_i64(s.record, "penalty", -3);
	record_bool(s.record, "up", true);
	put(&s);
	out_line(s.out, "mta", UINT64_C(1795356151120), "trace=mta \"q\"");
	finish(&s, EXIT_PARTIAL, 3, 1, "1 in flight",
	    "{\"type\":\"header\",\"v\":1,\"host\":\"mx1\",\"cmd\":\"show "
	    "queue\"}\n"
	    "{\"type\":\"envelope\",\"evpid\":\"a8083e5bca7b0001\",\"msgid\":"
	    "\"a8083e5bca7b\",\"state\":\"deferred\",\"kind\":\"mta\","
	    "\"sender\":\"news@shop.example\",\"rcpt\":\"a\\\\xff@x.org\","
	    "\"rcpt_b64\":\"Yf9AeC5vcmc=\",\"arrival_time\":1795262551,"
	    "\"arrival\":\"2026-11-21T12:02:31Z\",\"next_try\":1795358611,"
	    "\"next_try_at\":\"2026-11-22T14:43:31Z\",\"next_try_s\":2460,"
	    "\"tries\":9,\"message_size\":38912,\"error\":{\"code\":421,"
	    "\"class\":4,\"enhanced\":\"4.7.0\",\"text\":\"421 4.7.0 [TSS04] "
	    "later\"}}\n"
	    "{\"type\":\"host\",\"penalty\":-3,\"up\":true}\n"
	    "{\"type\":\"trace\",\"ts\":1795356151.12,\"host\":\"mx1\",\"sub\":"
	    "\"mta\",\"text\":\"trace=mta \\\"q\\\"\"}\n"
	    "{\"type\":\"end\",\"n\":3,\"matched\":3,\"skipped\":1,"
	    "\"partial\":true,\"text\":\"1 in flight\"}\n");
}

static void
json_error(void **state)
{
	struct shown s;

	(void)state;
	begin(&s, OUT_JSON, 0);
	finish(&s, EXIT_NOPERM, 0, 0, "no",
	    "{\"type\":\"header\",\"v\":1,\"host\":\"mx1\",\"cmd\":\"show "
	    "queue\"}\n"
	    "{\"type\":\"error\",\"code\":77,\"name\":\"EX_NOPERM\",\"text\":"
	    "\"no\"}\n"
	    "{\"type\":\"end\",\"n\":0,\"matched\":0,\"skipped\":0,"
	    "\"partial\":true}\n");
}

static void
roles_and_counters(void **state)
{
	struct shown s;

	(void)state;
	begin(&s, OUT_LIST, 52);
	record_begin(s.record, "status");
	record_str(s.record, "version", "spoolkit 0.1");
	record_str(s.record, "host", "mx1");
	record_u64(s.record, "uptime_s", 3720);
	put(&s);
	record_begin(s.record, "role");
	record_str(s.record, "role", "spooler");
	record_u64(s.record, "pid", 4711);
	record_u64(s.record, "uptime_s", 90);
	record_u64(s.record, "queued", 12);
	record_bool(s.record, "paused_mta", true);
	record_u64(s.record, "held", 3);
	record_str(s.record, "alarm", "disk\nfull");
	put(&s);
	finish(&s, EXIT_DONE, 2, 0, "",
	    "mx1 spoolkit 0.1, up 1h02m\n"
	    "ROLE           PID     UP\n"
	    "spooler       4711     1m queued=12 paused_mta=yes\n"
	    "                          held=3\n"
	    "! disk\\x0afull\n");
	begin(&s, OUT_LIST, 0);
	record_begin(s.record, "stat");
	record_str(s.record, "name", "smtp.sessions");
	record_u64(s.record, "value", 7);
	put(&s);
	record_begin(s.record, "stat");
	record_str(s.record, "name", "mta.delivered");
	record_u64(s.record, "value", 5);
	put(&s);
	finish(&s, EXIT_DONE, 2, 0, "", "mta.delivered=5\nsmtp.sessions=7\n");
}

static void
host(struct shown *s, const char *name, uint64_t last, const char *error)
{
	record_begin(s->record, "host");
	record_str(s->record, "host", name);
	record_str(s->record, "state", "failed");
	record_u64(s->record, "connections", 2);
	record_u64(s->record, "delivered", 1200);
	record_u64(s->record, "failures", 3);
	record_i64(s->record, "last_connect", (int64_t)last);
	record_str(s->record, "error", error);
	put(s);
}

static void
remote_hosts(void **state)
{
	struct shown s;

	(void)state;
	begin(&s, OUT_LIST, 80);
	host(&s, "mx1.example.org [192.0.2.1]", NOW - 70, "421 go away\007");
	host(&s, "a.very.long.name.of.a.host.example.org [2001:db8::1]", 0, "");
	finish(&s, EXIT_DONE, 2, 0, "a note for stderr",
	    "HOST                           STATE      CONN    MAIL FAIL  LAST "
	    "ERROR\n"
	    "mx1.example.org [192.0.2.1]    failed        2    1200    3    1m "
	    "421 go away\n"
	    "a.very.long.name.of.a.host.example.org [2001:db8::1]\n"
	    "                               failed        2    1200    3     - "
	    "\n");
}

static void
one_envelope(void **state)
{
	struct shown s;

	(void)state;
	begin(&s, OUT_DETAIL, 80);
	envelope(&s, "a8083e5bca7b0001", "deferred", 9, 93600, 2460, 38912,
	    "a@x.org");
	finish(&s, EXIT_DONE, 1, 0, "",
	    "evpid:         a8083e5bca7b0001\n"
	    "msgid:         a8083e5bca7b\n"
	    "state:         deferred\n"
	    "type:          mta\n"
	    "sender:        news@shop.example\n"
	    "rcpt:          a@x.org\n"
	    "arrival_time:  2026-11-21T12:02:31Z (1d02h ago)\n"
	    "next_try:      2026-11-22T14:43:31Z (in 41m)\n"
	    "tries:         9\n"
	    "message_size:  38912\n"
	    "error:         421 4.7.0 [TSS04] later\n");
}

static void
messages(void **state)
{
	static const char text[] = "Subject: \033[2Jx\r\n\r\n\tbody\r\n";
	struct shown s;

	(void)state;
	begin(&s, OUT_LIST, 0);
	record_begin(s.record, "message");
	record_str(s.record, "text", text);
	put(&s);
	finish(&s, EXIT_DONE, 1, 0, "", text);
	begin(&s, OUT_DETAIL, 80);
	record_begin(s.record, "message");
	record_str(s.record, "text", text);
	put(&s);
	finish(&s, EXIT_DONE, 1, 0, "", "Subject: \\x1b[2Jx\n\n\tbody\n");
}

static void
mailq_form(void **state)
{
	struct shown s;

	(void)state;
	begin(&s, OUT_MAILQ, 80);
	envelope(&s, "a8083e5bca7b0001", "held", 9, 93600, 2460, 3000, "a@x");
	envelope(
	    &s, "a8083e5bca7b0002", "deferred", 9, 93600, 2460, 3000, "b@x");
	finish(&s, EXIT_DONE, 2, 0, "",
	    "-Queue ID---- --Size--- ----Arrival Time---- "
	    "-Sender/Recipient--\n"
	    "a8083e5bca7b!      3000 2026-11-21T12:02:31Z "
	    "news@shop.example\n"
	    "        (421 4.7.0 [TSS04] later)\n"
	    "                                             a@x\n"
	    "        (421 4.7.0 [TSS04] later)\n"
	    "                                             b@x\n"
	    "-- 3 Kbytes in 2 Requests.\n");
	begin(&s, OUT_MAILQ, 80);
	finish(&s, EXIT_DONE, 0, 0, "", "Mail queue is empty\n");
}

static void
verbs(void **state)
{
	struct shown s;

	(void)state;
	begin(&s, OUT_LIST, 80);
	finish(&s, EXIT_PARTIAL, 4, 2, "", "4 done, 2 skipped\n");
	begin(&s, OUT_LIST, 80);
	finish(&s, EXIT_DONE, 4, 0, "4 held", "4 held\n");
	begin(&s, OUT_LIST, 80);
	finish(&s, EXIT_NOINPUT, 0, 0, "the tool prints it", "");
}

static void
to_out(void *arg, const void *record, size_t len)
{
	assert_int_equal(out_record(arg, record, len), 0);
}

static void
costs(void **state)
{
	struct cost *c = cost_new();
	struct shown s;
	char line[128];
	int i;

	(void)state;
	assert_int_equal(cost_add(c, "trace=profile-queue something"), -1);
	assert_int_equal(cost_add(c, "profile=queue op=x us=-1"), -1);
	assert_int_equal(cost_add(c, ""), -1);
	for (i = 1; i <= 100; i++) {
		snprintf(line, sizeof(line),
		    "trace=profile-queue profile=queue op=commit us=%d", i);
		assert_int_equal(cost_add(c, line), 0);
	}
	assert_int_equal(
	    cost_add(c, "profile=imsg role=mta peer=dns msg=name-is us=2500"),
	    0);
	begin(&s, OUT_LIST, 80);
	cost_each(c, to_out, s.out);
	finish(&s, EXIT_DONE, 0, 0, "",
	    "%TIME    TOTAL    CALLS     AVG     P99     MAX  OPERATION\n"
	    " 66.8    5.0ms      100    50us    99us   100us  commit\n"
	    " 33.1    2.5ms        1   2.5ms   2.5ms   2.5ms  mta dns "
	    "name-is\n");
	cost_free(c);
	c = cost_new();
	for (i = 0; i < COST_OPERATIONS + 9; i++) {
		snprintf(line, sizeof(line), "op=o%d us=9999999999", i);
		assert_int_equal(cost_add(c, line), 0);
	}
	begin(&s, OUT_JSON, 0);
	cost_each(c, to_out, s.out);
	assert_int_equal(out_count(s.out), COST_OPERATIONS);
	fclose(s.to);
	out_free(s.out);
	buf_free(s.record);
	free(s.text);
	cost_free(c);
}

static void
malformed_records(void **state)
{
	struct shown s;
	size_t len, i;
	uint8_t all[512];

	(void)state;
	begin(&s, OUT_LIST, 0);
	record_begin(s.record, "x");
	record_str(s.record, "name", "value");
	record_u64(s.record, "n", 1);
	len = buf_len(s.record);
	memcpy(all, buf_data(s.record), len);
	for (i = 0; i < len; i++) {
		int rc = out_record(s.out, all, i);
		bool whole = i == 7 || i == 30; /* field ends */

		if ((rc == 0) != whole)
			fail_msg("%zu octets: %d", i, rc);
	}
	buf_reset(s.record);
	record_begin(s.record, "x");
	for (i = 0; i < 65; i++)
		record_bool(s.record, "f", true);
	assert_int_equal(
	    out_record(s.out, buf_data(s.record), buf_len(s.record)), -1);
	fclose(s.to);
	out_free(s.out);
	buf_free(s.record);
	free(s.text);
}

static void
route(struct shown *s, const char *id, const char *flags, uint64_t wait,
    const char *name, const char *error)
{
	record_begin(s->record, "route");
	record_str(s->record, "id", id);
	record_str(s->record, "name", name);
	record_str(s->record, "flags", flags);
	record_u64(s->record, "connections", 2);
	record_u64(s->record, "errors", 1);
	record_u64(s->record, "penalty", 1);
	record_u64(s->record, "timeout_s", wait);
	record_str(s->record, "rate", "12.3");
	record_str(s->record, "last_error", error);
	record_str(s->record, "why", "it is paused");
	put(s);
}

/* What does not fit behind the numbers stands below; what a host says must not
 * move the cursor. */
static void
routes_on_a_terminal(void **state)
{
	struct shown s;

	(void)state;
	begin(&s, OUT_LIST, 80);
	route(&s, "r1", "N---", 0, "* -> mx.example.org [192.0.2.1]", "");
	route(&s, "r1234", "NDQ-", 7300,
	    "2001:db8::1:2 -> mx1.long.example.org [2001:db8::1]:2525",
	    "554 \033[31m no");
	finish(&s, 0, 2, 0, "",
	    "ROUTE  FLAG CONN ERR PEN  WAIT   OUT/s SOURCE -> HOST\n"
	    "r1     N---    2   1   1     -    12.3 * -> mx.example.org "
	    "[192.0.2.1]\n"
	    "r1234  NDQ-    2   1   1 2h01m    12.3 \n"
	    "       2001:db8::1:2 -> mx1.long.example.org "
	    "[2001:db8::1]:2525\n"
	    "       error: 554 \\x1b[31m no\n");
}

static void
reasons_in_words(void **state)
{
	struct shown s;

	(void)state;
	begin(&s, OUT_LIST, 40);
	record_begin(s.record, "cause");
	record_str(s.record, "cause", "paused");
	record_str(s.record, "text", "relaying is paused, until resume mta");
	put(&s);
	record_begin(s.record, "steer");
	record_str(s.record, "part", "route");
	record_str(s.record, "name", "r1");
	record_i64(s.record, "until", NOW + 3600);
	record_str(s.record, "reason", "INC-7");
	put(&s);
	finish(&s, 0, 2, 0, "",
	    "now       paused: relaying is paused,\n"
	    "          until resume mta\n"
	    "PAUSED   LEFT NAME\n"
	    "route   1h00m r1\n"
	    "       reason: INC-7\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queue_on_a_terminal),
		cmocka_unit_test(queue_in_a_pipe),
		cmocka_unit_test(json_lines),
		cmocka_unit_test(json_error),
		cmocka_unit_test(roles_and_counters),
		cmocka_unit_test(remote_hosts),
		cmocka_unit_test(one_envelope),
		cmocka_unit_test(messages),
		cmocka_unit_test(mailq_form),
		cmocka_unit_test(verbs),
		cmocka_unit_test(costs),
		cmocka_unit_test(malformed_records),
		cmocka_unit_test(routes_on_a_terminal),
		cmocka_unit_test(reasons_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
