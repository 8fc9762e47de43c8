/* fit: only paths an action could have led to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/parent/fit.h"

static void
only_what_an_action_says(void **state)
{
	struct conf_action actions[] = {
		{ .kind = CONF_MBOX },
		{ .kind = CONF_MAILDIR, .path = (char *)"~/Maildir" },
		{ .kind = CONF_MAILDIR,
		    .path = (char *)"/v/%{domain}/%{user}/%%" },
		{ .kind = CONF_MAILDIR, .path = (char *)"/t/%{user}.%{tag}" },
		{ .kind = CONF_RELAY },
	};
	const struct conf c = { .actions = actions,
		.nactions = sizeof(actions) / sizeof(actions[0]) };
	static const struct {
		enum conf_action_kind kind;
		const char *path;
		bool want;
	} cases[] = {
		{ CONF_MBOX, "", true },
		{ CONF_MBOX, "/etc/passwd", false },
		{ CONF_MAILDIR, "", false },
		{ CONF_MAILDIR, "~/Maildir", true },
		{ CONF_MBOX, "~/Maildir", false },
		{ CONF_MAILDIR, "~/Maildir/new", false },
		{ CONF_MAILDIR, "~/.ssh", false },
		{ CONF_MAILDIR, "/v/a.example/ann/%", true },
		{ CONF_MAILDIR, "/v/a.example/ann/x", false },
		{ CONF_MAILDIR, "/v/a.example/an/n/%", false },
		{ CONF_MAILDIR, "/v/../ann/%", false },
		{ CONF_MAILDIR, "/v/a.example/../%", false },
		{ CONF_MAILDIR, "/t/ann.", true },
		{ CONF_MAILDIR, "/t/ann.shop", true },
		{ CONF_MAILDIR, "/t/ann", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (fit_path(&c, cases[i].kind, cases[i].path) != cases[i].want)
			fail_msg("%s", cases[i].path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_an_action_says),
	};

	return cmocka_run_group_tests_name("fit", tests, NULL, NULL);
}
