/* What strangers may name, and where that leads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "daemon/mda/place.h"

static const struct {
	const char *path, *owner, *destination;
	const char *want; /* a path, or the beginning of a reply */
	const char *user;
} cases[] = {
	{ "~/Maildir", NULL, "ann@x.example", "~/Maildir", "ann" },
	{ "/m/%{user}", NULL, "Ann@X.example", "/m/ann", "ann" },
	{ "/m/%{domain}/%{user}", "vmail", "ann@X.example", "/m/x.example/ann",
	    "vmail" },
	{ "/m/%{user}/%{tag}", NULL, "ann+Lists+b@x", "/m/ann/lists+b", "ann" },
	{ "/m/%{user}/%{tag}x", NULL, "ann@x", "/m/ann/x", "ann" },
	{ "/m/%{user}", NULL, "+ann@x", "/m/+ann", "+ann" },
	{ "/m/100%%/%{user}", NULL, "ann@x", "/m/100%/ann", "ann" },
	{ "/m/%{user}", NULL, "ann", "/m/ann", "ann" },
	{ "/m/%{user}", NULL, "\"a b\"@x", "/m/a b", "a b" },
	{ "/m/%{user}", NULL, "\"a\\\"b@c\"@x", "/m/a\"b@c", "a\"b@c" },
	{ "/m/%{user}", NULL, "\"%{domain}\"@x", "/m/%{domain}", "%{domain}" },
	{ NULL, NULL, "ann@x", "", "ann" },

	{ "/m/%{user}", NULL, "../etc@x", "550 5.1.1 ", NULL },
	{ "/m/%{user}", NULL, "..@x", "550 5.1.1 ", NULL },
	{ "/m/%{user}", NULL, ".ann@x", "550 5.1.1 ", NULL },
	{ "/m/%{user}", NULL, "a/b@x", "550 5.1.1 ", NULL },
	{ "/m/%{user}", NULL, "\"/etc/x\"@x", "550 5.1.1 ", NULL },
	{ "/m/%{user}", NULL, "\"\\.\\./x\"@x", "550 5.1.1 ", NULL },
	{ "/m/%{user}", NULL, "a\nb@x", "550 5.1.1 ", NULL },
	{ "/m/%{user}", NULL, "@x", "550 5.1.1 ", NULL },
	{ "/m/%{user}", NULL, "\"\"@x", "550 5.1.1 ", NULL },
	{ "/m/%{tag}", NULL, "ann+../x@x", "550 5.1.1 ", NULL },
	{ "/m/%{tag}", NULL, "ann+.x@x", "550 5.1.1 ", NULL },
	{ "/m/%{domain}", NULL, "ann", "550 5.1.1 ", NULL },
	{ "/m/%{domain}", NULL, "ann@../x", "550 5.1.1 ", NULL },
	{ "~/x", NULL, "../ann@x", "550 5.1.1 ", NULL },
	{ "/m/x", "vmail", "../ann@x", "/m/x", "vmail" },
	{ "/m/%{uid}", NULL, "ann@x", "451 4.3.5 ", NULL },
	{ "/m/%", NULL, "ann@x", "451 4.3.5 ", NULL },
};

static void
test_cases(void **state)
{
	struct conf_action a = { .kind = CONF_MAILDIR };
	char error[PLACE_ERROR_MAX];
	struct place p;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		a.path = (char *)(uintptr_t)cases[i].path;
		a.owner = (char *)(uintptr_t)cases[i].owner;
		error[0] = '\0';
		if (place_find(&p, &a, cases[i].destination, error) == -1) {
			if (cases[i].user != NULL ||
			    strncmp(error, cases[i].want,
				strlen(cases[i].want)) != 0)
				fail_msg("%s in %s: %s", cases[i].destination,
				    cases[i].path, error);
			continue;
		}
		if (cases[i].user == NULL ||
		    strcmp(p.path, cases[i].want) != 0 ||
		    strcmp(p.user, cases[i].user) != 0)
			fail_msg("%s in %s: %s of %s", cases[i].destination,
			    cases[i].path, p.path, p.user);
	}
}

static void
test_lengths(void **state)
{
	struct conf_action a = { .kind = CONF_MAILDIR };
	char error[PLACE_ERROR_MAX], path[PLACE_PATH_MAX + 16], to[600];
	struct place p;
	size_t n;

	(void)state;
	a.path = path;
	for (n = 200; n < 300; n++) {
		memset(to, 'a', n);
		strcpy(to + n, "@x");
		strcpy(path, "/%{user}");
		assert_int_equal(
		    place_find(&p, &a, to, error), n < PLACE_USER_MAX ? 0 : -1);
	}
	for (n = PLACE_PATH_MAX - 5; n < PLACE_PATH_MAX + 5; n++) {
		memset(path, '/', n);
		path[n] = '\0';
		assert_int_equal(place_find(&p, &a, "ann@x", error),
		    n < PLACE_PATH_MAX ? 0 : -1);
		strcpy(path + n - 3 - 7, "%{user}");
		assert_int_equal(place_find(&p, &a, "ann@x", error),
		    n - 7 < PLACE_PATH_MAX ? 0 : -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
