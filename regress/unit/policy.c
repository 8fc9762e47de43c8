/* Policies from the configuration, and what TLSA says in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/mta/dane.h"
#include "daemon/mta/policy.h"

static struct conf_pair pair = { "good", "ann:secret" };

static const struct {
	const char *text;
	enum conf_tls tls;
	bool by_url;
	enum conf_transport transport;
	bool url_tls, label;
	const char *host, *path;
	bool clear, no_tls; /* what is wanted */
} cases[] = {
	{ "smtp, TLS when offered", CONF_TLS_TRY, false, CONF_SMTP, false,
	    false, NULL, NULL, true, false },
	{ "smtp, no TLS", CONF_TLS_NONE, false, CONF_SMTP, false, false, NULL,
	    NULL, true, true },
	{ "smtp, TLS required", CONF_TLS_MUST, false, CONF_SMTP, false, false,
	    NULL, NULL, false, false },
	{ "smtp, certificate verified", CONF_TLS_VERIFY, false, CONF_SMTP,
	    false, false, NULL, NULL, false, false },
	{ "smtp, TLS required", CONF_TLS_TRY, true, CONF_SMTP, true, false, "h",
	    NULL, false, false },
	{ "smtp, certificate verified", CONF_TLS_VERIFY, true, CONF_SMTP, true,
	    false, "h", NULL, false, false },
	{ "smtps, TLS required", CONF_TLS_TRY, true, CONF_SMTPS, false, false,
	    "h", NULL, false, false },
	{ "smtps, certificate verified", CONF_TLS_VERIFY, true, CONF_SMTPS,
	    false, false, "h", NULL, false, false },
	{ "smtp, TLS required, AUTH", CONF_TLS_TRY, true, CONF_SMTP, true, true,
	    "h", NULL, false, false },
	/* Credentials are not said in clear, but to this machine. */
	{ "smtp, TLS required, AUTH", CONF_TLS_TRY, true, CONF_SMTP, false,
	    true, "h", NULL, false, false },
	{ "smtp, TLS required, AUTH", CONF_TLS_TRY, true, CONF_SMTP, false,
	    true, "[192.0.2.1]", NULL, false, false },
	{ "smtp, TLS when offered, AUTH", CONF_TLS_TRY, true, CONF_SMTP, false,
	    true, "[127.0.0.1]", NULL, true, false },
	{ "lmtp", CONF_TLS_TRY, true, CONF_LMTP, false, false, NULL, "/s", true,
	    true },
	{ "lmtp, TLS required", CONF_TLS_MUST, true, CONF_LMTP, false, false,
	    NULL, "/s", false, false },
	{ "lmtp, TLS when offered", CONF_TLS_TRY, true, CONF_LMTP, false, false,
	    "h", NULL, true, false },
};

static struct policy *
make(size_t i)
{
	struct conf_relay relay = { .tls = cases[i].tls,
		.auth = { .pairs = &pair, .n = 1 } };
	struct conf_url url = { .transport = cases[i].transport,
		.tls = cases[i].url_tls,
		.label = cases[i].label ? (char *)(uintptr_t) "good" : NULL,
		.host = (char *)(uintptr_t)cases[i].host,
		.path = (char *)(uintptr_t)cases[i].path };
	char why[POLICY_WHY_MAX] = "";
	struct policy *p;
	struct conf conf;

	memset(&conf, 0, sizeof(conf));
	/* The system's store, where there is one, is not what is tested. */
	p = policy_new(&conf, &relay, cases[i].by_url ? &url : NULL, why);
	if (p == NULL)
		fail_msg("%zu: %s", i, why);
	return p;
}

static void
test_cases(void **ctx)
{
	struct policy *p, *q;
	size_t i;

	(void)ctx;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		p = make(i);
		assert_string_equal(policy_text(p), cases[i].text);
		assert_int_equal(policy_may_be_clear(p), cases[i].clear);
		assert_int_equal(policy_no_tls(p), cases[i].no_tls);
		assert_int_equal(policy_tls(p) == NULL, cases[i].no_tls);
		assert_int_equal(
		    policy_implicit(p), cases[i].transport == CONF_SMTPS);
		assert_int_equal(
		    policy_lmtp(p), cases[i].transport == CONF_LMTP);
		assert_int_equal(policy_user(p) != NULL, cases[i].label);
		if (cases[i].label) {
			assert_string_equal(policy_user(p), "ann");
			assert_string_equal(policy_password(p), "secret");
		}
		/* Equal ones are one. */
		q = make(i);
		assert_ptr_equal(p, q);
		policy_unref(q);
		policy_unref(p);
	}
}

static void
test_distinct(void **ctx)
{
	struct policy *p = make(0), *q = make(1), *r = make(2);

	(void)ctx;
	assert_ptr_not_equal(p, q);
	assert_ptr_not_equal(p, r);
	policy_unref(p);
	policy_unref(q);
	policy_unref(r);
	policy_unref(NULL);
}

static void
test_refused(void **ctx)
{
	static struct conf_pair nocolon = { "x", "nocolon" },
				noname = { "x", ":p" };
	static const struct {
		struct conf_relay relay;
		const char *label, *why;
	} bad[] = {
		{ { .protocols = (char *)(uintptr_t) "SSLv9" }, NULL,
		    "protocols" },
		{ { .ciphers = (char *)(uintptr_t) "NONE-SUCH" }, NULL,
		    "ciphers" },
		{ { .pki = (char *)(uintptr_t) "nobody" }, NULL,
		    "no pki nobody" },
		{ { .tls = CONF_TLS_VERIFY,
		      .ca_pem = (char *)(uintptr_t) "rubbish" },
		    NULL, "trusted certificates" },
		{ { .tls = CONF_TLS_TRY }, "nobody", "no credentials" },
		{ { .auth = { .pairs = &nocolon, .n = 1 } }, "x",
		    "user:password" },
		{ { .auth = { .pairs = &noname, .n = 1 } }, "x",
		    "user:password" },
	};
	char why[POLICY_WHY_MAX];
	struct conf_url url;
	struct conf conf;
	size_t i;

	(void)ctx;
	memset(&conf, 0, sizeof(conf));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(&url, 0, sizeof(url));
		url.label = (char *)(uintptr_t)bad[i].label;
		assert_null(policy_new(&conf, &bad[i].relay, &url, why));
		if (strstr(why, bad[i].why) == NULL)
			fail_msg("%zu: %s", i, why);
	}
}

static void
test_tlsa(void **ctx)
{
	static const uint8_t a[32] = { 0x0a, 0x1b, 0x2c, 0x3d },
			     b[2] = { 1, 2 };
	struct name_host h = { .name = "mx.example",
		.base = "",
		.tlsa = NAME_TLSA_USABLE,
		.nrecords = 2,
		.records = { { 3, 1, 1, a, 32 }, { 2, 0, 2, b, 2 } } };
	struct tlsa *t = tlsa_new(&h), *u;
	char text[128];

	(void)ctx;
	assert_string_equal(
	    tlsa_text(t, text, sizeof(text)), "3 1 1 0a1b2c3d.., 2 0 2 0102");
	assert_string_equal(tlsa_base(t), "mx.example");
	assert_true(tlsa_usable(t));
	u = tlsa_new(&h);
	assert_true(tlsa_same(t, u));
	tlsa_unref(u);
	h.base = "real.example";
	u = tlsa_new(&h);
	assert_false(tlsa_same(t, u));
	assert_string_equal(tlsa_base(u), "real.example");
	assert_ptr_equal(tlsa_ref(u), u);
	tlsa_unref(u);
	tlsa_unref(u);
	assert_true(tlsa_same(NULL, NULL));
	assert_false(tlsa_same(t, NULL));
	h.tlsa = NAME_TLSA_UNUSABLE;
	u = tlsa_new(&h);
	assert_false(tlsa_usable(u));
	assert_true(strlen(tlsa_text(u, text, sizeof(text))) > 0);
	tlsa_unref(u);
	h.tlsa = NAME_TLSA_NONE;
	assert_null(tlsa_new(&h));
	h.tlsa = NAME_TLSA_TROUBLE;
	assert_null(tlsa_new(&h));
	/* However little room there is. */
	assert_string_equal(tlsa_text(t, text, 1), "");
	tlsa_unref(t);
	tlsa_unref(NULL);
	assert_null(tlsa_ref(NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_distinct),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_tlsa),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
