/* Who may ask for what; which subsystems are traced; how answers add up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/control/errand.h"
#include "daemon/control/permit.h"
#include "daemon/control/watch.h"
#include "lib/cli/exitcode.h"

static void
rights_and_owners(void **state)
{
	static const struct {
		const char *command;
		enum permit_right right;
		enum query_what what;
		uint32_t roles;
		const char *arg;
	} cases[] = {
		{ "show queue", PERMIT_VIEW, QUERY_QUEUE,
		    PERMIT_ROLE(ROLE_SPOOLER), NULL },
		{ "show status", PERMIT_VIEW, QUERY_STATUS, PERMIT_ALL_ROLES,
		    NULL },
		{ "show message", PERMIT_OPERATE, QUERY_MESSAGE,
		    PERMIT_ROLE(ROLE_SPOOLER), NULL },
		{ "pause envelope", PERMIT_OPERATE, QUERY_HOLD,
		    PERMIT_ROLE(ROLE_SCHEDULER), NULL },
		{ "resume smtp", PERMIT_OPERATE, QUERY_RESUME,
		    PERMIT_ROLE(ROLE_SPOOLER), "smtp" },
		{ "remove", PERMIT_OPERATE, QUERY_REMOVE,
		    PERMIT_ROLE(ROLE_SCHEDULER), NULL },
		{ "show hosts", PERMIT_VIEW, QUERY_HOSTS, PERMIT_ROLE(ROLE_MTA),
		    NULL },
		{ "show routes", PERMIT_VIEW, QUERY_ROUTES,
		    PERMIT_ROLE(ROLE_MTA), NULL },
		{ "show hoststats", PERMIT_VIEW, QUERY_HOSTSTATS,
		    PERMIT_ROLE(ROLE_MTA), NULL },
		{ "show relays", PERMIT_VIEW, QUERY_RELAYS,
		    PERMIT_ROLE(ROLE_MTA), NULL },
		{ "show sessions", PERMIT_VIEW, QUERY_SESSIONS,
		    PERMIT_ROLE(ROLE_MTA), NULL },
		{ "show limits", PERMIT_VIEW, QUERY_LIMITS,
		    PERMIT_ROLE(ROLE_MTA), NULL },
		{ "explain rule", PERMIT_VIEW, QUERY_EXPLAIN_RULE,
		    PERMIT_ROLE(ROLE_LOOKUP), NULL },
		{ "explain relay", PERMIT_VIEW, QUERY_EXPLAIN_RELAY,
		    PERMIT_ROLE(ROLE_MTA), NULL },
		{ "why", PERMIT_VIEW, QUERY_WHY, PERMIT_ROLE(ROLE_SPOOLER),
		    NULL },
		{ "pause route", PERMIT_OPERATE, QUERY_STEER,
		    PERMIT_ROLE(ROLE_MTA), "route" },
		{ "pause source", PERMIT_OPERATE, QUERY_STEER,
		    PERMIT_ROLE(ROLE_MTA), "source" },
		{ "pause relay", PERMIT_OPERATE, QUERY_STEER,
		    PERMIT_ROLE(ROLE_MTA), "relay" },
		{ "resume route", PERMIT_OPERATE, QUERY_UNSTEER,
		    PERMIT_ROLE(ROLE_MTA), "route" },
		{ "resume source", PERMIT_OPERATE, QUERY_UNSTEER,
		    PERMIT_ROLE(ROLE_MTA), "source" },
		{ "resume relay", PERMIT_OPERATE, QUERY_UNSTEER,
		    PERMIT_ROLE(ROLE_MTA), "relay" },
		{ "stop", PERMIT_OPERATE, QUERY_STOP, PERMIT_ROLE(ROLE_PARENT),
		    NULL },
	};
	static const char *const none[] = { "", "show", "show queu", "Stop",
		"stop ", "pause", "explain", "show route", "pause domain" };
	const struct permit *p;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		p = permit_find(cases[i].command);
		if (p == NULL || p->right != cases[i].right ||
		    p->what != cases[i].what || p->roles != cases[i].roles ||
		    p->way != PERMIT_ASK ||
		    (p->arg == NULL) != (cases[i].arg == NULL) ||
		    (p->arg != NULL && strcmp(p->arg, cases[i].arg) != 0))
			fail_msg("%s", cases[i].command);
	}
	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		if (permit_find(none[i]) != NULL)
			fail_msg("'%s' is a command", none[i]);
	assert_int_equal(permit_find("trace")->way, PERMIT_TRACE);
	assert_int_equal(permit_find("trace")->right, PERMIT_OPERATE);
	assert_int_equal(permit_find("untrace")->way, PERMIT_UNTRACE);
}

static void
subsystems_stay_on_while_somebody_reads(void **state)
{
	const uint32_t mta = watch_by_name("mta"), smtp = watch_by_name("smtp");
	struct watch w = { 0 };

	(void)state;
	assert_int_equal(mta, UINT32_C(1) << TRACE_MTA);
	assert_int_equal(watch_by_name("nothing"), 0);
	assert_int_equal(watch_by_name("all") & WATCH_PROFILES, 0);
	assert_int_equal(watch_by_name("all") | WATCH_PROFILES, WATCH_ALL);
	watch_join(&w, mta | smtp);
	watch_join(&w, mta);
	assert_int_equal(watch_mask(&w), mta | smtp);
	watch_leave(&w, mta | smtp);
	assert_int_equal(watch_mask(&w), mta);
	w.sticky = mta;
	watch_leave(&w, mta);
	assert_int_equal(watch_mask(&w), mta);
	w.sticky = 0;
	assert_int_equal(watch_mask(&w), 0);
}

static void
answers_of_several_roles(void **state)
{
	struct query_end good = { 1, EXIT_DONE, 3, 0, "" };
	struct query_end some = { 1, EXIT_PARTIAL, 2, 1, "one in flight" };
	struct query_end bad = { 1, EXIT_NOINPUT, 0, 1, "no such envelope" };
	struct errand e;

	(void)state;
	errand_begin(&e,
	    PERMIT_ROLE(ROLE_MTA) | PERMIT_ROLE(ROLE_MDA) |
		PERMIT_ROLE(ROLE_SMTP) | PERMIT_ROLE(ROLE_DNS));
	assert_false(errand_answered(&e, ROLE_SPOOLER, &good));
	assert_true(errand_answered(&e, ROLE_MTA, &some));
	assert_false(errand_answered(&e, ROLE_MTA, &some));
	assert_true(errand_answered(&e, ROLE_MDA, &good));
	assert_int_equal(e.status, EXIT_PARTIAL);
	assert_true(errand_answered(&e, ROLE_SMTP, &bad));
	assert_int_equal(e.status, EXIT_NOINPUT);
	assert_int_equal(e.done, 5);
	assert_int_equal(e.skipped, 2);
	assert_string_equal(e.text, "one in flight; no such envelope");
	assert_int_equal(e.awaited, PERMIT_ROLE(ROLE_DNS));
	errand_give_up(&e);
	assert_int_equal(e.awaited, 0);
	assert_string_equal(
	    e.text, "one in flight; no such envelope; no answer from dns");

	errand_begin(&e, PERMIT_ROLE(ROLE_DNS));
	errand_give_up(&e);
	assert_int_equal(e.status, EXIT_PARTIAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rights_and_owners),
		cmocka_unit_test(subsystems_stay_on_while_somebody_reads),
		cmocka_unit_test(answers_of_several_roles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
