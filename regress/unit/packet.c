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

/* a.b TLSA: CNAME to C.b, then 3 1 1 (cut below), 3 1 1, 2 0 0, 1 1 1. */
#define D32                                                                    \
	1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, \
	    21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32
#define TLSA(len) 0xc0, 33, 0, 52, 0, 1, 0, 0, 0, 60, 0, len
static const uint8_t tlsa[] = {
	0, 1, 0x81, 0x80, 0, 1, 0, 5, 0, 0, 0, 0, /* header */
	1, 'A', 1, 'b', 0, 0, 52, 0, 1, /* question */
	0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 4, 1, 'C', 0xc0, 14, /* CNAME */
	TLSA(2), 3, 1, /* short */
	TLSA(5), 2, 0, 0, 0x30, 0x31, /* a certificate */
	TLSA(35), 3, 1, 1, D32, /* a digest */
	TLSA(35), 1, 1, 1, D32 /* not for SMTP */
};

/* One record of a type of use or not; len octets of data. */
static const struct {
	uint8_t usage, selector, matching;
	uint8_t len;
	size_t usable;
} kinds[] = {
	{ 0, 1, 1, 32, 0 },
	{ 1, 1, 1, 32, 0 },
	{ 2, 0, 0, 1, 1 },
	{ 2, 1, 1, 32, 1 },
	{ 3, 0, 2, 64, 1 },
	{ 3, 1, 1, 31, 0 },
	{ 3, 1, 1, 33, 0 },
	{ 3, 1, 2, 32, 0 },
	{ 3, 1, 1, 64, 0 },
	{ 3, 1, 0, 0, 0 },
	{ 3, 1, 3, 32, 0 },
	{ 3, 2, 1, 32, 0 },
	{ 4, 1, 1, 32, 0 },
	{ 255, 255, 255, 32, 0 },
};

static void
test_tlsa(void **ctx)
{
	static const uint8_t start[] = { 0, 1, 0x81, 0x80, 0, 0, 0, 1, 0, 0, 0,
		0, 0, 0, 52, 0, 1, 0, 0, 0, 60, 0 };
	uint8_t one[sizeof(start) + 4 + 64] = { 0 };
	struct name_record got[4];
	size_t i, n;

	(void)ctx;
	assert_int_equal(packet_tlsa(tlsa, sizeof(tlsa), got, 4, &n), 4);
	assert_int_equal(n, 2);
	assert_int_equal(got[0].usage, 3);
	assert_int_equal(got[0].selector, 1);
	assert_int_equal(got[0].matching, 1);
	assert_int_equal(got[0].len, 32);
	assert_int_equal(got[0].data[31], 32);
	assert_int_equal(got[1].usage, 2);
	assert_int_equal(got[1].len, 2);
	assert_int_equal(packet_tlsa(tlsa, sizeof(tlsa), got, 1, &n), 4);
	assert_int_equal(n, 1);
	assert_int_equal(packet_tlsa(mx, sizeof(mx), got, 4, &n), 0);
	assert_int_equal(n, 0);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		memcpy(one, start, sizeof(start));
		one[sizeof(start)] = (uint8_t)(kinds[i].len + 3);
		one[sizeof(start) + 1] = kinds[i].usage;
		one[sizeof(start) + 2] = kinds[i].selector;
		one[sizeof(start) + 3] = kinds[i].matching;
		assert_int_equal(
		    packet_tlsa(
			one, sizeof(start) + 4 + kinds[i].len, got, 4, &n),
		    1);
		if (n != kinds[i].usable)
			fail_msg("%u %u %u with %u octets: %zu", kinds[i].usage,
			    kinds[i].selector, kinds[i].matching, kinds[i].len,
			    n);
	}
}

static void
test_alias(void **ctx)
{
	char name[PACKET_NAME];
	uint8_t odd[sizeof(tlsa)];

	(void)ctx;
	assert_int_equal(packet_alias(tlsa, sizeof(tlsa), name), 1);
	assert_string_equal(name, "c.b");
	assert_int_equal(packet_alias(a, sizeof(a), name), 0);
	assert_string_equal(name, "a.b");
	/* No host is called so. */
	memcpy(odd, tlsa, sizeof(odd));
	odd[34] = ' ';
	assert_int_equal(packet_alias(odd, sizeof(odd), name), 1);
	assert_string_equal(name, "");
	/* One that belongs to another name leads nowhere. */
	memcpy(odd, tlsa, sizeof(odd));
	odd[22] = 14;
	assert_int_equal(packet_alias(odd, sizeof(odd), name), 0);
}

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
	struct name_record records[4];
	char name[PACKET_NAME];
	size_t usable;
	uint8_t got[4][16], *copy = malloc(len + (len == 0));
	int n;

	memcpy(copy, from, len);
	if (what == 0)
		n = packet_mx(copy, len, hosts, 4);
	else if (what == 1)
		n = packet_addresses(copy, len, PACKET_A, got, 4);
	else if (what == 2)
		n = packet_tlsa(copy, len, records, 4, &usable);
	else
		n = packet_alias(copy, len, name);
	packet_rcode(copy, len);
	free(copy);
	return n;
}

static void
test_cut(void **ctx)
{
	uint8_t odd[sizeof(mx)], large[sizeof(tlsa)];
	size_t i;

	(void)ctx;
	for (i = 0; i < sizeof(mx); i++)
		assert_int_equal(cut(mx, i, 0), -1);
	for (i = 0; i < sizeof(a); i++)
		assert_int_equal(cut(a, i, 1), -1);
	for (i = 0; i < sizeof(tlsa); i++) {
		assert_int_equal(cut(tlsa, i, 2), -1);
		assert_int_equal(cut(tlsa, i, 3), -1);
	}
	for (i = 0; i < sizeof(tlsa) * 256; i++) {
		memcpy(large, tlsa, sizeof(tlsa));
		large[i / 256] = (uint8_t)i;
		cut(large, sizeof(tlsa), 2);
		cut(large, sizeof(tlsa), 3);
	}
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
		cmocka_unit_test(test_tlsa),
		cmocka_unit_test(test_alias),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
