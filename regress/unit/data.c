/* The DATA automaton against a slow and obvious reference. */
#include "daemon/smtp/data.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX 4096

struct result {
	uint8_t text[MAX];
	size_t len;
	size_t used; /* octets of input up to the end */
	unsigned flags;
	bool ended;
};

/* Sees the whole stream at once: splits it at CRLF and nothing else. */
static void
reference(const uint8_t *in, size_t len, struct result *r)
{
	size_t at = 0, end, i;

	memset(r, 0, sizeof(*r));
	while (at < len) {
		for (end = at; end + 1 < len; end++)
			if (in[end] == '\r' && in[end + 1] == '\n')
				break;
		end = end + 1 < len ? end + 2 : len;
		if (end - at == 3 && memcmp(in + at, ".\r\n", 3) == 0) {
			r->ended = true;
			r->used = end;
			return;
		}
		for (i = at; i < end; i++) {
			if (i == at && in[i] == '.')
				continue;
			if (end == len && i + 1 == len && i == at + 1 &&
			    in[at] == '.' && in[i] == '\r')
				continue; /* may yet be the end */
			r->text[r->len++] = in[i];
			if (in[i] == '\0')
				r->flags |= DATA_NUL;
			if (in[i] == '\n' && (i == at || in[i - 1] != '\r'))
				r->flags |= DATA_BARE_LF;
			if (in[i] == '\r' && i + 1 < len && in[i + 1] != '\n')
				r->flags |= DATA_BARE_CR;
		}
		at = end;
	}
	r->used = len;
}

static void
collect(void *arg, const uint8_t *text, size_t len)
{
	struct result *r = arg;

	assert_true(len > 0);
	assert_true(r->len + len <= MAX);
	memcpy(r->text + r->len, text, len);
	r->len += len;
}

/* Feeds pieces whose lengths come from splits: bit n cuts after octet n. */
static void
automaton(const uint8_t *in, size_t len, uint64_t splits, struct result *r)
{
	struct data d;
	size_t at = 0, n, used;

	memset(r, 0, sizeof(*r));
	data_init(&d);
	while (at < len && !d.ended) {
		for (n = 1;
		     at + n < len && (splits >> ((at + n - 1) % 64) & 1) == 0;)
			n++;
		used = data_feed(&d, in + at, n, collect, r);
		assert_true(used <= n);
		assert_true(used == n || d.ended);
		at += used;
	}
	r->used = at;
	r->flags = d.flags;
	r->ended = d.ended;
}

static void
compare(const uint8_t *in, size_t len, uint64_t splits)
{
	struct result want, got;
	size_t i;

	reference(in, len, &want);
	automaton(in, len, splits, &got);
	if (want.len == got.len && memcmp(want.text, got.text, got.len) == 0 &&
	    want.used == got.used && want.flags == got.flags &&
	    want.ended == got.ended)
		return;
	print_error("splits %llx:", (unsigned long long)splits);
	for (i = 0; i < len; i++)
		print_error(" %02x", in[i]);
	print_error("\nlen %zu %zu used %zu %zu flags %x %x ended %d %d\n",
	    want.len, got.len, want.used, got.used, want.flags, got.flags,
	    want.ended, got.ended);
	fail();
}

static const uint8_t letters[5] = { '\r', '\n', '.', '\0', 'x' };

static void
every_short_stream(void **state)
{
	uint8_t in[8];
	unsigned n, code, rest, total, i;

	(void)state;
	for (n = 1, total = 5; n <= sizeof(in); n++, total *= 5)
		for (code = 0; code < total; code++) {
			for (i = 0, rest = code; i < n; i++, rest /= 5)
				in[i] = letters[rest % 5];
			compare(in, n, 0);
			compare(in, n, UINT64_MAX);
			compare(in, n, code * 2654435761u);
		}
}

static void
every_split(void **state)
{
	uint8_t in[6];
	unsigned code, rest, i, splits;

	(void)state;
	for (code = 0; code < 15625; code++) {
		for (i = 0, rest = code; i < sizeof(in); i++, rest /= 5)
			in[i] = letters[rest % 5];
		for (splits = 0; splits < 32; splits++)
			compare(in, sizeof(in), splits);
	}
}

static uint64_t
next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void
random_streams(void **state)
{
	uint8_t in[300];
	uint64_t seed = 88172645463325252u, bits;
	size_t len, i;
	unsigned round;

	(void)state;
	for (round = 0; round < 100000; round++) {
		len = next_random(&seed) % sizeof(in) + 1;
		for (i = 0; i < len; i++) {
			bits = next_random(&seed);
			/* Well-formed line ends are frequent. */
			if (bits % 8 < 3 && i + 1 < len) {
				in[i++] = '\r';
				in[i] = '\n';
			} else
				in[i] = letters[2 + bits / 8 % 3];
			if (bits % 97 == 0)
				in[i] = letters[bits / 97 % 5];
		}
		compare(in, len, next_random(&seed) & next_random(&seed));
	}
}

static void
known_streams(void **state)
{
	static const struct {
		const char *in;
		const char *text;
		unsigned flags;
		bool ended;
		size_t left;
	} cases[] = {
		{ ".\r\n", "", 0, true, 0 },
		{ "a\r\n.\r\nQUIT\r\n", "a\r\n", 0, true, 6 },
		{ "..\r\n.\r\n", ".\r\n", 0, true, 0 },
		{ ".a\r\n.\r\n", "a\r\n", 0, true, 0 },
		{ "a\n.\r\n", "a\n.\r\n", DATA_BARE_LF, false, 0 },
		{ "a\n.\n", "a\n.\n", DATA_BARE_LF, false, 0 },
		{ "a\r\n.\nb", "a\r\n\nb", DATA_BARE_LF, false, 0 },
		{ "a\r.\r\nb", "a\r.\r\nb", DATA_BARE_CR, false, 0 },
		{ "a\r.\rb", "a\r.\rb", DATA_BARE_CR, false, 0 },
		{ "a\r\n.\rb", "a\r\n\rb", DATA_BARE_CR, false, 0 },
		{ "a\r\r\n.\r\n", "a\r\r\n", DATA_BARE_CR, true, 0 },
		{ "a\r\n.\r\r\nb", "a\r\n\r\r\nb", DATA_BARE_CR, false, 0 },
		{ "a\n\r\n.\r\n", "a\n\r\n", DATA_BARE_LF, true, 0 },
	};
	struct result r;
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		len = strlen(cases[i].in);
		automaton((const uint8_t *)cases[i].in, len, 0, &r);
		if (r.len != strlen(cases[i].text) ||
		    memcmp(r.text, cases[i].text, r.len) != 0 ||
		    r.flags != cases[i].flags || r.ended != cases[i].ended ||
		    len - r.used != cases[i].left)
			fail_msg("case %zu: %s", i, cases[i].in);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_streams),
		cmocka_unit_test(every_short_stream),
		cmocka_unit_test(every_split),
		cmocka_unit_test(random_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
