/* The octets of the spool: journal records, message heads, envelope checks,
 * names, and the set of the living. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/crc32c.h"
#include "lib/base/ident.h"
#include "queue/envfile.h"
#include "queue/journal.h"
#include "queue/layout.h"
#include "queue/message.h"
#include "queue/tally.h"

static const uint8_t secret[JOURNAL_SECRET] = "0123456789abcde";

static size_t
make_record(struct journal_key *k, char *data, const char *payload)
{
	struct journal_record r = { 0x42, JOURNAL_IMAGE,
		(uint32_t)strlen(payload), 0 };
	struct iovec v = { (void *)(uintptr_t)payload, strlen(payload) };

	journal_key_set(k, secret);
	journal_record_print(k, &r, &v, 1, data);
	memcpy(data + JOURNAL_RECORD_HEAD, payload, r.length);
	data[JOURNAL_RECORD_HEAD + r.length] = '\n';
	return journal_record_size(r.length);
}

static void
records_round_trip(void **state)
{
	static const char *const payloads[] = { "", "x", "two\nlines\n" };
	struct journal_key *k = journal_key_new();
	struct journal_record r;
	char data[256];
	size_t len, i;

	(void)state;
	for (i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		len = make_record(k, data, payloads[i]);
		assert_memory_equal(data, "j1 0000000000000042 image ", 26);
		assert_true(journal_record_parse(k, &r, data, len));
		assert_int_equal(r.seq, 0x42);
		assert_int_equal(r.kind, JOURNAL_IMAGE);
		assert_int_equal(r.length, strlen(payloads[i]));
	}
	journal_key_free(k);
}

static void
records_refuse_every_change(void **state)
{
	struct journal_key *k = journal_key_new();
	uint8_t other[JOURNAL_SECRET] = { 1 };
	struct journal_record r;
	char data[256];
	size_t len, i;
	int bit;

	(void)state;
	len = make_record(k, data, "some payload\n");
	for (i = 0; i < len; i++)
		assert_false(journal_record_parse(k, &r, data, i));
	for (i = 0; i < len; i++) {
		for (bit = 0; bit < 8; bit++) {
			data[i] ^= (char)(1 << bit);
			if (journal_record_parse(k, &r, data, len))
				fail_msg("octet %zu bit %d", i, bit);
			data[i] ^= (char)(1 << bit);
		}
	}
	/* Of an earlier lap, or written by somebody who guesses. */
	journal_key_set(k, other);
	assert_false(journal_record_parse(k, &r, data, len));
	journal_key_free(k);
}

static void
groups_round_trip_and_refuse(void **state)
{
	struct journal_key *k = journal_key_new();
	struct journal_group g = { 7, 6, 4711 }, got;
	char head[JOURNAL_GROUP_HEAD];
	size_t i;
	int bit;

	(void)state;
	journal_key_set(k, secret);
	journal_group_print(k, &g, head);
	assert_true(journal_group_parse(k, &got, head, sizeof(head)));
	assert_int_equal(got.first, 7);
	assert_int_equal(got.flushed, 6);
	assert_int_equal(got.length, 4711);
	for (i = 0; i < sizeof(head); i++) {
		assert_false(journal_group_parse(k, &got, head, i));
		for (bit = 0; bit < 8; bit++) {
			head[i] ^= (char)(1 << bit);
			if (journal_group_parse(k, &got, head, sizeof(head)))
				fail_msg("octet %zu bit %d", i, bit);
			head[i] ^= (char)(1 << bit);
		}
	}
	assert_int_equal(journal_group_size(1), JOURNAL_BLOCK);
	assert_int_equal(journal_group_size(JOURNAL_BLOCK - JOURNAL_GROUP_HEAD),
	    JOURNAL_BLOCK);
	assert_int_equal(
	    journal_group_size(JOURNAL_BLOCK - JOURNAL_GROUP_HEAD + 1),
	    2 * JOURNAL_BLOCK);
	journal_key_free(k);
}

static void
segments_round_trip_and_refuse(void **state)
{
	struct journal_segment s = { 9, 0xfedc, 1234, 65536, { 0 } }, got;
	char block[JOURNAL_BLOCK];
	size_t i;
	int bit;

	(void)state;
	memcpy(s.secret, secret, sizeof(secret));
	journal_segment_print(&s, block);
	assert_true(journal_segment_parse(&got, block, sizeof(block)));
	assert_int_equal(got.number, 9);
	assert_int_equal(got.run, 0xfedc);
	assert_int_equal(got.first, 1234);
	assert_int_equal(got.size, 65536);
	assert_memory_equal(got.secret, secret, sizeof(secret));
	assert_false(journal_segment_parse(&got, block, sizeof(block) - 1));
	for (i = 0; block[i] != '\0'; i++) {
		for (bit = 0; bit < 8; bit++) {
			/* One copy damaged, then both. */
			block[i] ^= (char)(1 << bit);
			assert_true(
			    journal_segment_parse(&got, block, sizeof(block)));
			assert_memory_equal(got.secret, secret, sizeof(secret));
			block[JOURNAL_HEAD_COPY + i] ^= (char)(1 << bit);
			if (journal_segment_parse(&got, block, sizeof(block)))
				fail_msg("octet %zu bit %d", i, bit);
			block[i] ^= (char)(1 << bit);
			assert_true(
			    journal_segment_parse(&got, block, sizeof(block)));
			block[JOURNAL_HEAD_COPY + i] ^= (char)(1 << bit);
		}
	}
}

static void
message_heads(void **state)
{
	struct message m = { UINT64_C(0x3f9a0c41d7b2), 1795353669, 412, 4096,
		{ 1, 2, 0xff }, 0 };
	char head[MESSAGE_HEAD_MAX + 1];
	struct message got;
	size_t i;
	int bit;

	(void)state;
	message_print(&m, head);
	assert_int_equal(strlen(head), MESSAGE_HEAD);
	assert_null(message_parse(&got, head, MESSAGE_HEAD));
	assert_int_equal(got.msgid, m.msgid);
	assert_int_equal(got.arrived, m.arrived);
	assert_int_equal(got.record, 412);
	assert_int_equal(got.size, 4096);
	assert_memory_equal(got.digest, m.digest, MESSAGE_DIGEST);
	assert_int_equal(message_stored(&m), MESSAGE_HEAD + 412 + 1 + 4096);
	for (i = 0; i < MESSAGE_HEAD; i++) {
		assert_non_null(message_parse(&got, head, i));
		/* The digest's own digits are judged by what they say. */
		if (i >= 144 && i < 208)
			continue;
		for (bit = 0; bit < 8; bit++) {
			head[i] ^= (char)(1 << bit);
			if (message_parse(&got, head, MESSAGE_HEAD) == NULL)
				fail_msg("octet %zu bit %d", i, bit);
			head[i] ^= (char)(1 << bit);
		}
	}
}

static size_t
make_envelope(char *text, size_t size, const char *id)
{
	int n = snprintf(
	    text, size, "spool-envelope: 1\nid: %s\nkind: relay\n", id);

	return (size_t)n +
	    (size_t)snprintf(text + n, size - (size_t)n, "check: crc32c=%08x\n",
		(unsigned)crc32c(0, text, (size_t)n));
}

static void
envelope_checks(void **state)
{
	char text[512];
	size_t len, i, first;

	(void)state;
	len = make_envelope(text, sizeof(text), "3f9a0c41d7b20001");
	assert_int_equal(envfile_check(text, len), ENVFILE_WHOLE);
	assert_int_equal(envfile_id(text, len), 0x3f9a0c41d7b20001);
	for (i = 0; i < len; i++)
		assert_int_equal(envfile_check(text, i), ENVFILE_TORN);
	text[20] ^= 1;
	assert_int_equal(envfile_check(text, len), ENVFILE_EDITED);
	text[20] ^= 1;
	first = len;
	len +=
	    make_envelope(text + len, sizeof(text) - len, "3f9a0c41d7b20002");
	assert_int_equal(envfile_first(text, len), first);
	assert_int_equal(
	    envfile_id(text + first, len - first), 0x3f9a0c41d7b20002);
	assert_int_equal(envfile_first(text + first, len - first), len - first);
	assert_int_equal(envfile_first(text + len, 0), 0);
	assert_int_equal(envfile_first("\n\n\n", 3), 0);
}

static void
names(void **state)
{
	char name[LAYOUT_NAME_MAX];

	(void)state;
	assert_string_equal(layout_message(name, UINT64_C(0x3f9a0c41d7b2)),
	    "queue/3f/3f9a0c41d7b2");
	assert_string_equal(layout_envelope(name, UINT64_C(0x3f9a0c41d7b20001)),
	    "queue/3f/3f9a0c41d7b20001");
	assert_string_equal(layout_incoming(name, UINT64_C(0x00000000000a)),
	    "incoming/00000000000a");
	assert_int_equal(layout_bucket(UINT64_C(0x3f9a0c41d7b2)), 0x3f);
	assert_string_equal(layout_bucket_name(name, 0x0a), "queue/0a");
}

static void
tally_is_a_set(void **state)
{
	struct tally *t = tally_new();
	uint64_t m;
	unsigned i;

	(void)state;
	for (m = 1; m <= 5000; m++)
		for (i = 1; i <= m % 4; i++)
			assert_true(tally_add(t, ident_evpid(m << 8, i * 300)));
	assert_int_equal(tally_messages(t), 3750);
	assert_false(tally_add(t, ident_evpid(1 << 8, 300)));
	for (m = 1; m <= 5000; m++) {
		assert_int_equal(tally_count(t, m << 8), m % 4);
		assert_false(tally_has(t, ident_evpid(m << 8, 299)));
		assert_false(tally_del(t, ident_evpid(m << 8, 1200)));
	}
	for (m = 1; m <= 5000; m++) {
		for (i = (unsigned)(m % 4); i >= 1; i--) {
			assert_true(tally_has(t, ident_evpid(m << 8, 300)));
			assert_int_equal(tally_count(t, m << 8), i);
			assert_true(tally_del(t, ident_evpid(m << 8, i * 300)));
			assert_false(
			    tally_del(t, ident_evpid(m << 8, i * 300)));
		}
	}
	assert_int_equal(tally_messages(t), 0);
	tally_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_round_trip),
		cmocka_unit_test(records_refuse_every_change),
		cmocka_unit_test(groups_round_trip_and_refuse),
		cmocka_unit_test(segments_round_trip_and_refuse),
		cmocka_unit_test(message_heads),
		cmocka_unit_test(envelope_checks),
		cmocka_unit_test(names),
		cmocka_unit_test(tally_is_a_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
