/* What mta and dns say to each other: there and back, cut, out of range, and
 * never more than a frame holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/edge/name.h"
#include "lib/base/buf.h"
#include "lib/proto/frame.h"

static uint8_t certificate[NAME_RECORD_MAX + 1];

static struct name_host
a_host(void)
{
	struct name_host h = { .preference = 10,
		.name = "mx.example.org",
		.n = 2,
		.secure = true,
		.tlsa = NAME_TLSA_USABLE,
		.base = "far.example.org",
		.text = "",
		.nrecords = 2 };

	h.addresses[0].family = 4;
	memcpy(h.addresses[0].octets, "\x7f\0\0\1", 4);
	h.addresses[1].family = 6;
	h.addresses[1].octets[15] = 1;
	h.records[0] = (struct name_record){ 3, 1, 1, certificate, 32 };
	h.records[1] =
	    (struct name_record){ 2, 0, 0, certificate, NAME_RECORD_MAX };
	return h;
}

static void
test_host(void **ctx)
{
	struct name_host h = a_host(), got;
	struct buf *b = buf_new(FRAME_MAX);
	struct unpack u;
	uint8_t *copy;
	size_t len;

	(void)ctx;
	name_host_put(b, &h);
	unpack_init(&u, buf_data(b), buf_len(b));
	assert_int_equal(name_host_get(&u, &got), 0);
	assert_int_equal(unpack_done(&u), 0);
	assert_string_equal(got.name, h.name);
	assert_string_equal(got.base, h.base);
	assert_true(got.secure);
	assert_int_equal(got.tlsa, NAME_TLSA_USABLE);
	assert_int_equal(got.n, 2);
	assert_int_equal(got.addresses[1].family, 6);
	assert_int_equal(got.addresses[1].octets[15], 1);
	assert_int_equal(got.nrecords, 2);
	assert_int_equal(got.records[1].usage, 2);
	assert_int_equal(got.records[1].len, NAME_RECORD_MAX);
	for (len = 0; len < buf_len(b); len += len < 200 ? 1 : 97) {
		copy = malloc(len + (len == 0));
		memcpy(copy, buf_data(b), len);
		unpack_init(&u, copy, len);
		assert_int_equal(name_host_get(&u, &got), -1);
		free(copy);
	}
	buf_reset(b);
	h.records[1].len++;
	name_host_put(b, &h);
	unpack_init(&u, buf_data(b), buf_len(b));
	assert_int_equal(name_host_get(&u, &got), -1);
	buf_reset(b);
	h = a_host();
	h.tlsa = NAME_TLSAS;
	name_host_put(b, &h);
	unpack_init(&u, buf_data(b), buf_len(b));
	assert_int_equal(name_host_get(&u, &got), -1);
	buf_free(b);
}

static void
test_ask(void **ctx)
{
	struct name_ask ask = { 7, NAME_ADDRESS, 2525, "mx.example.org" }, got;
	struct buf *b = buf_new(FRAME_MAX);
	struct unpack u;
	size_t len;

	(void)ctx;
	name_ask_put(b, &ask);
	unpack_init(&u, buf_data(b), buf_len(b));
	assert_int_equal(name_ask_get(&u, &got), 0);
	assert_int_equal(got.ticket, 7);
	assert_int_equal(got.kind, NAME_ADDRESS);
	assert_int_equal(got.port, 2525);
	assert_string_equal(got.name, "mx.example.org");
	for (len = 0; len < buf_len(b); len++) {
		unpack_init(&u, buf_data(b), len);
		assert_int_equal(name_ask_get(&u, &got), -1);
	}
	buf_free(b);
}

static void
test_fit(void **ctx)
{
	struct name_host hosts[NAME_HOSTS];
	struct name_answer m = { .text = "" };
	struct buf *b = buf_new(FRAME_MAX);
	char text[320], name[256];
	unsigned i, k;

	(void)ctx;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (i = 0; i < NAME_HOSTS; i++) {
		hosts[i] = a_host();
		hosts[i].name = hosts[i].base = name;
		hosts[i].text = text;
		hosts[i].n = NAME_ADDRESSES;
		for (k = 0; k < NAME_ADDRESSES; k++)
			hosts[i].addresses[k].family = 6;
		hosts[i].nrecords = NAME_RECORDS;
		for (k = 0; k < NAME_RECORDS; k++)
			hosts[i].records[k] =
			    (struct name_record){ 3, 1, 1, certificate, 32 };
	}
	assert_int_equal(name_hosts_fit(hosts, NAME_HOSTS), NAME_HOSTS);
	for (i = 0; i < NAME_HOSTS; i++)
		for (k = 0; k < NAME_RECORDS; k++)
			hosts[i].records[k] = (struct name_record){ 3, 0, 0,
				certificate, NAME_RECORD_MAX };
	m.n = name_hosts_fit(hosts, NAME_HOSTS);
	assert_in_range(m.n, 1, 2);
	/* The buffer's maximum would be fatal. */
	name_answer_put(b, &m);
	for (i = 0; i < m.n; i++)
		name_host_put(b, &hosts[i]);
	assert_in_range(buf_len(b), 1, FRAME_MAX);
	buf_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ask),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
