/* Records out of answers in wire form: whole, cut at each octet, odd. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/dns/packet.h"

/* a.b MX: CNAME to c.b, then MX 10 mx.b and MX 5 of the root; names point
 * into the question. */
static const uint8_t mx[] = {
	0, 1, 0x81, 0x80, 0, 1, 0, 3, 0, 0, 0, 0, /* header */
	1, 'a', 1, 'b', 0, 0, 15, 0, 1, /* question */
	0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 4, 1, 'c', 0xc0, 14, /* CNAME */
	0xc0, 33, 0, 15, 0, 1, 0, 0, 0, 60, 0, 7, 0, 10, 2, 'M', 'x', 0xc0, 14,
	0xc0, 33, 0, 15, 0, 1, 0, 0, 0, 60, 0, 3, 0, 5, 0 /* the root */
};

static const uint8_t a[] = {
	0, 1, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0, /* header */
	1, 'a', 1, 'b', 0, 0, 1, 0, 1, /* question */
	0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 2, /* A */
	0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 3 /* A */
};

static void
test_mx(void **ctx)
{
	struct packet_mx got[4];

	(void)ctx;
	assert_int_equal(packet_rcode(mx, sizeof(mx)), 0);
	assert_int_equal(packet_mx(mx, sizeof(mx), got, 4), 2);
	assert_string_equal(got[0].name, "mx.b");
	assert_int_equal(got[0].preference, 10);
	assert_string_equal(got[1].name, "");
	assert_int_equal(got[1].preference, 5);
	assert_int_equal(packet_mx(mx, sizeof(mx), got, 1), 1);
	assert_int_equal(packet_mx(a, sizeof(a), got, 4), 0);
}

static void
test_addresses(void **ctx)
{
	uint8_t got[4][16];

	(void)ctx;
	assert_int_equal(packet_addresses(a, sizeof(a), PACKET_A, got, 4), 2);
	assert_int_equal(got[1][3], 3);
	assert_int_equal(packet_addresses(a, sizeof(a), PACKET_A, got, 1), 1);
	assert_int_equal(
	    packet_addresses(a, sizeof(a), PACKET_AAAA, got, 4), 0);
}

/* A copy of exactly that size, so that a read past its end is seen. */
static int
cut(const uint8_t *from, size_t len, int what)
{
	struct packet_mx hosts[4];
	uint8_t got[4][16], *copy = malloc(len + (len == 0));
	int n;

	memcpy(copy, from, len);
	n = what == 0 ? packet_mx(copy, len, hosts, 4)
		      : packet_addresses(copy, len, PACKET_A, got, 4);
	packet_rcode(copy, len);
	free(copy);
	return n;
}

static void
test_cut(void **ctx)
{
	uint8_t odd[sizeof(mx)];
	size_t i;

	(void)ctx;
	for (i = 0; i < sizeof(mx); i++)
		assert_int_equal(cut(mx, i, 0), -1);
	for (i = 0; i < sizeof(a); i++)
		assert_int_equal(cut(a, i, 1), -1);
	/* No octet changed may lead outside. */
	for (i = 0; i < sizeof(mx) * 256; i++) {
		memcpy(odd, mx, sizeof(mx));
		odd[i / 256] = (uint8_t)i;
		cut(odd, sizeof(mx), 0);
		cut(odd, sizeof(mx), 1);
	}
	assert_int_equal(packet_rcode(NULL, 0), 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mx),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
