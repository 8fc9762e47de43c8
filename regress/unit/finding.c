/* What is asked of one host after another answer, and what comes of it: every
 * path of RFC 7672 sections 2.2.2 and 2.2.3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/dns/finding.h"

/*
 * A script: answers, one letter each with what came, and what must follow.
 *	a A records, c A records by way of a CNAME to "t.x", n none, f SERVFAIL
 *	C a CNAME record, T a TLSA of use, U one of no use, N nothing (NXDOMAIN)
 * A letter and a + is secure. After both addresses, "?" stands for time is up.
 */
static const struct {
	const char *script;
	const char *asked; /* all look-ups, after the addresses */
	bool secure;
	enum name_tlsa tlsa;
	const char *base;
} cases[] = {
	{ "a n", "", false, NAME_TLSA_NONE, "" },
	{ "a+ n", "TLSA _25._tcp.h.x", true, NAME_TLSA_NONE, "" },
	{ "a+ n+ T+", "TLSA _25._tcp.h.x", true, NAME_TLSA_USABLE, "h.x" },
	{ "a+ a+ T+", "TLSA _25._tcp.h.x", true, NAME_TLSA_USABLE, "h.x" },
	{ "a+ a T+", "", false, NAME_TLSA_NONE, "" },
	{ "a+ f T+", "TLSA _25._tcp.h.x", true, NAME_TLSA_USABLE, "h.x" },
	{ "a+ n+ U+", "TLSA _25._tcp.h.x", true, NAME_TLSA_UNUSABLE, "h.x" },
	{ "a+ n+ T", "TLSA _25._tcp.h.x", true, NAME_TLSA_NONE, "" },
	{ "a+ n+ U", "TLSA _25._tcp.h.x", true, NAME_TLSA_NONE, "" },
	{ "a+ n+ N", "TLSA _25._tcp.h.x", true, NAME_TLSA_NONE, "" },
	{ "a+ n+ N+", "TLSA _25._tcp.h.x", true, NAME_TLSA_NONE, "" },
	{ "a+ n+ n+", "TLSA _25._tcp.h.x", true, NAME_TLSA_NONE, "" },
	{ "a+ n+ f", "TLSA _25._tcp.h.x", true, NAME_TLSA_TROUBLE, "" },
	{ "a+ n+ ?", "TLSA _25._tcp.h.x", true, NAME_TLSA_TROUBLE, "" },
	{ "c+ c+ T+", "TLSA _25._tcp.t.x", true, NAME_TLSA_USABLE, "t.x" },
	{ "c+ c+ U+", "TLSA _25._tcp.t.x", true, NAME_TLSA_UNUSABLE, "t.x" },
	{ "c+ c+ T T+", "TLSA _25._tcp.t.x TLSA _25._tcp.h.x", true,
	    NAME_TLSA_USABLE, "h.x" },
	{ "c+ c+ N T+", "TLSA _25._tcp.t.x TLSA _25._tcp.h.x", true,
	    NAME_TLSA_USABLE, "h.x" },
	{ "c+ c+ n+ N", "TLSA _25._tcp.t.x TLSA _25._tcp.h.x", true,
	    NAME_TLSA_NONE, "" },
	{ "c+ c+ f", "TLSA _25._tcp.t.x", true, NAME_TLSA_TROUBLE, "" },
	{ "c+ c+ n+ f", "TLSA _25._tcp.t.x TLSA _25._tcp.h.x", true,
	    NAME_TLSA_TROUBLE, "" },
	{ "c+ c+ ?", "TLSA _25._tcp.t.x", true, NAME_TLSA_TROUBLE, "" },
	{ "c+ c+ n+ ?", "TLSA _25._tcp.t.x TLSA _25._tcp.h.x", true,
	    NAME_TLSA_TROUBLE, "" },
	{ "c c C", "CNAME h.x", false, NAME_TLSA_NONE, "" },
	{ "c c C+ T+", "CNAME h.x TLSA _25._tcp.h.x", false, NAME_TLSA_USABLE,
	    "h.x" },
	{ "c c C+ N", "CNAME h.x TLSA _25._tcp.h.x", false, NAME_TLSA_NONE,
	    "" },
	{ "c c N", "CNAME h.x", false, NAME_TLSA_NONE, "" },
	{ "c c f", "CNAME h.x", false, NAME_TLSA_TROUBLE, "" },
	{ "c c ?", "CNAME h.x", false, NAME_TLSA_TROUBLE, "" },
	{ "n n", "", false, NAME_TLSA_NONE, "" },
	{ "f f", "", false, NAME_TLSA_NONE, "" },
	{ "N N", "", false, NAME_TLSA_NONE, "" },
	/* Time is up before the second family came. */
	{ "a+ ?", "", false, NAME_TLSA_TROUBLE, "" },
	{ "c ?", "", false, NAME_TLSA_TROUBLE, "" },
	{ "a ?", "", false, NAME_TLSA_NONE, "" },
	{ "n ?", "", false, NAME_TLSA_NONE, "" },
};

#define QUESTION                                                               \
	0, 1, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 1, 'h', 1, 'x', 0, 0, 1, 0, 1
#define D8 1, 2, 3, 4, 5, 6, 7, 8

static const uint8_t none[] = { 0, 1, 0x81, 0x80, 0, 0, 0, 0, 0, 0, 0, 0 };
static const uint8_t address[] = { QUESTION, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60,
	0, 4, 127, 0, 0, 1 };
static const uint8_t cname[] = { 0, 1, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0, 1,
	'h', 1, 'x', 0, 0, 1, 0, 1, 0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 4, 1,
	't', 0xc0, 14, 0xc0, 33, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1 };
static const uint8_t tlsa[] = { QUESTION, 0xc0, 12, 0, 52, 0, 1, 0, 0, 0, 60, 0,
	35, 3, 1, 1, D8, D8, D8, D8 };
static const uint8_t odd[] = { QUESTION, 0xc0, 12, 0, 52, 0, 1, 0, 0, 0, 60, 0,
	35, 1, 1, 1, D8, D8, D8, D8 };

static struct found
answer_of(const char *word)
{
	struct found f = { .secure = word[1] == '+', .text = "trouble" };

	f.packet = none;
	f.len = sizeof(none);
	switch (word[0]) {
	case 'a':
		f.packet = address;
		f.len = sizeof(address);
		break;
	case 'c':
	case 'C':
		f.packet = cname;
		f.len = sizeof(cname);
		break;
	case 'T':
		f.packet = tlsa;
		f.len = sizeof(tlsa);
		break;
	case 'U':
		f.packet = odd;
		f.len = sizeof(odd);
		break;
	case 'N':
		f.status = FOUND_NOTHING;
		break;
	case 'f':
		f.status = FOUND_TROUBLE;
		break;
	default:
		break;
	}
	return f;
}

static void
note(char *asked, size_t size, const char *name, enum packet_type type)
{
	size_t used = strlen(asked);

	snprintf(asked + used, size - used, "%s%s %s", used > 0 ? " " : "",
	    type == PACKET_TLSA ? "TLSA" : "CNAME", name);
}

static void
play(const char *script, bool validates, struct finding *f, char *asked,
    size_t size)
{
	char words[64], *save, *word, name[PACKET_NAME];
	unsigned families = 0;
	enum packet_type type;
	struct found found;
	bool more = false;

	asked[0] = '\0';
	finding_init(f, "h.x", 10, 25);
	snprintf(words, sizeof(words), "%s", script);
	for (word = strtok_r(words, " ", &save); word != NULL;
	     word = strtok_r(NULL, " ", &save)) {
		found = answer_of(word);
		if (word[0] == '?') {
			finding_expire(f, validates);
			return;
		}
		if (families < 2)
			finding_address(f, PACKET_A, &found);
		else if (more)
			finding_take(f, &found);
		if (++families < 2)
			continue;
		more = finding_next(f, validates, name, &type);
		if (more)
			note(asked, size, name, type);
	}
}

static void
test_paths(void **ctx)
{
	struct finding f;
	char asked[256];
	size_t i;

	(void)ctx;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		play(cases[i].script, true, &f, asked, sizeof(asked));
		if (strcmp(asked, cases[i].asked) != 0 ||
		    f.host.secure != cases[i].secure ||
		    f.host.tlsa != cases[i].tlsa ||
		    strcmp(f.host.base, cases[i].base) != 0 ||
		    (f.host.tlsa == NAME_TLSA_TROUBLE) !=
			(f.host.text[0] != '\0') ||
		    (f.host.tlsa == NAME_TLSA_USABLE) != (f.host.nrecords == 1))
			fail_msg("%s: asked \"%s\", secure %d, tlsa %d of %s "
				 "(%s)",
			    cases[i].script, asked, f.host.secure,
			    (int)f.host.tlsa, f.host.base, f.host.text);
		finding_clear(&f);
	}
}

/* Without a trust anchor nothing is asked for, and nothing stands in the way. */
static void
test_unvalidated(void **ctx)
{
	struct finding f;
	char asked[256];
	size_t i;

	(void)ctx;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strchr(cases[i].script, '+') != NULL)
			continue;
		play(cases[i].script, false, &f, asked, sizeof(asked));
		assert_string_equal(asked, "");
		assert_int_equal(f.host.tlsa, NAME_TLSA_NONE);
		finding_clear(&f);
	}
}

/* RFC 7672 section 2.2.3: the port that is connected to. */
static void
test_port(void **ctx)
{
	struct found found = answer_of("a+");
	enum packet_type type;
	char to[PACKET_NAME];
	struct finding f;

	(void)ctx;
	finding_init(&f, "h.x", 0, 2525);
	finding_address(&f, PACKET_A, &found);
	assert_true(finding_next(&f, true, to, &type));
	assert_string_equal(to, "_2525._tcp.h.x");
	finding_clear(&f);
}

/* A name that leaves no room for the labels before it has no records. */
static void
test_long(void **ctx)
{
	char name[PACKET_NAME], to[PACKET_NAME];
	struct found found = answer_of("a+");
	enum packet_type type;
	struct finding f;
	size_t i;

	(void)ctx;
	for (i = 0; i < 250; i++)
		name[i] = i % 50 == 49 ? '.' : 'a';
	name[249] = '\0';
	finding_init(&f, name, 0, 25);
	finding_address(&f, PACKET_A, &found);
	assert_false(finding_next(&f, true, to, &type));
	assert_int_equal(f.host.tlsa, NAME_TLSA_NONE);
	assert_true(f.host.secure);
	finding_clear(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_unvalidated),
		cmocka_unit_test(test_port),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
