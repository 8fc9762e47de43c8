/*
 * The configuration of outgoing mail: relays with their options, URLs, what the
 * parent reads from files and which role gets to see it.
 *
 * Long on purpose: nearly all of it is tables of cases.
 */
#include <sys/stat.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "daemon/conf/conf.h"
#include "daemon/conf/url.h"
#include "lib/base/buf.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
gather(void *arg, const char *line)
{
	struct buf *b = arg;

	assert_int_equal(buf_puts(b, line), 0);
	assert_int_equal(buf_puts(b, "\n"), 0);
}

static struct conf *
must_parse(const char *text)
{
	struct buf *said = buf_new(1 << 20);
	struct conf *c = conf_parse("t", text, strlen(text), gather, said);

	if (c == NULL)
		fail_msg("%s\nin: %s", buf_text(said), text);
	buf_free(said);
	return c;
}

/* What a role prints of what it was given is what it was given. */
static void
check_print(const struct conf *c)
{
	struct buf *first, *second;
	struct conf *again;
	int who;

	for (who = 0; who < ROLES; who++) {
		first = buf_new(CONF_TEXT_MAX);
		second = buf_new(CONF_TEXT_MAX);
		assert_int_equal(conf_print(c, (enum role)who, first), 0);
		again = must_parse(buf_text(first));
		assert_int_equal(conf_print(again, (enum role)who, second), 0);
		if (strcmp(buf_text(first), buf_text(second)) != 0)
			fail_msg("%s:\n%s---\n%s", role_name((enum role)who),
			    buf_text(first), buf_text(second));
		buf_free(first);
		buf_free(second);
		conf_free(again);
	}
}

/* The slice of a role, as the role reads it. */
static struct conf *
slice(const struct conf *c, enum role who)
{
	struct buf *b = buf_new(CONF_TEXT_MAX);
	struct conf *s;

	assert_int_equal(conf_print(c, who, b), 0);
	s = must_parse(buf_text(b));
	buf_free(b);
	return s;
}

static const struct {
	const char *in;
	const char *out; /* or what is said about it */
	bool good;
} urls[] = {
	{ "smtp://mx.example", "smtp://mx.example:25", true },
	{ "SMTP://MX.Example:2525", "smtp://mx.example:2525", true },
	{ "smtp://192.0.2.1", "smtp://192.0.2.1:25", true },
	{ "smtp://[192.0.2.1]:26", "smtp://192.0.2.1:26", true },
	{ "smtp://[2001:DB8::1]:26", "smtp://[2001:db8::1]:26", true },
	{ "tls://x", "smtp+tls://x:25", true },
	{ "smtp+tls://x:587", "smtp+tls://x:587", true },
	{ "smtps://x", "smtps://x:465", true },
	{ "lmtp://x", "lmtp://x:24", true },
	{ "lmtp:///run/lmtp.sock", "lmtp:///run/lmtp.sock", true },
	{ "smtp+tls+auth://me@x", "smtp+tls+auth://me@x:25", true },
	{ "tls+auth://a.b-c_1@x:587", "smtp+tls+auth://a.b-c_1@x:587", true },
	{ "smtps+auth://me@[::1]", "smtps+auth://me@[::1]:465", true },
	{ "smtp+auth://me@127.0.0.2", "smtp+auth://me@127.0.0.2:25", true },
	{ "smtp+auth://me@[::1]:26", "smtp+auth://me@[::1]:26", true },
	{ "smtp+auth://me@localhost", "would send a password in clear", false },
	{ "smtp+auth://me@192.0.2.1", "would send a password in clear", false },
	{ "smtp+auth://x", "lacks its label", false },
	{ "smtps+auth://@x", "has a label that is not made of", false },
	{ "smtps+auth://a:b@x", "\"smtps+auth://...@x\" has a label that",
	    false },
	{ "smtps://a:secret@x", "\"smtps://...@x\" has a label, but no +auth",
	    false },
	{ "lmtp+auth://me@x", "asks LMTP for +auth", false },
	{ "lmtp:///", "has no path", false },
	{ "lmtp:///"
	  "123456789012345678901234567890123456789012345678901234567890"
	  "1234567890123456789012345678901234567890123456789012345678901",
	    "one too long for a socket", false },
	{ "http://x",
	    "unknown scheme; there are smtp, smtp+tls, tls, smtps, "
	    "lmtp, and +auth",
	    false },
	{ "+auth://x", "unknown scheme", false },
	{ "://x", "unknown scheme", false },
	{ "x", "is no URL: SCHEME://HOST[:PORT]", false },
	{ "", "is no URL", false },
	{ "smtp://", "must end in HOST[:PORT]", false },
	{ "smtp://x:", "must end in HOST[:PORT]", false },
	{ "smtp://x:0", "must end in HOST[:PORT]", false },
	{ "smtp://x:65536", "must end in HOST[:PORT]", false },
	{ "smtp://x/", "must end in HOST[:PORT]", false },
	{ "smtp://a b", "must end in HOST[:PORT]", false },
	{ "smtp://::1", "must end in HOST[:PORT]", false },
	{ "smtp://[::1", "must end in HOST[:PORT]", false },
	{ "smtp://[::1]x", "must end in HOST[:PORT]", false },
	{ "smtp://[x]", "must end in HOST[:PORT]", false },
	{ "smtp:///run/x", "must end in HOST[:PORT]", false },
};

static void
test_urls(void **state)
{
	char text[CONF_URL_MAX], why[320];
	struct conf_url u, again;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(urls); i++) {
		if (url_parse(&u, urls[i].in, why, sizeof(why)) != urls[i].good)
			fail_msg("%s: %s", urls[i].in,
			    urls[i].good ? why : "was taken");
		if (!urls[i].good) {
			if (strstr(why, urls[i].out) == NULL)
				fail_msg("%s: said %s", urls[i].in, why);
			assert_null(u.host);
			continue;
		}
		assert_string_equal(conf_url_text(&u, text), urls[i].out);
		assert_true(url_parse(&again, text, why, sizeof(why)));
		assert_int_equal(u.transport, again.transport);
		assert_int_equal(u.tls, again.tls);
		url_clear(&u);
		url_clear(&again);
	}
}

static const char *const valid[] = {
	"accept for any relay source 192.0.2.1 helo x.example as user\n",
	"action a relay tls verify ca /x protocols \"TLSv1.3\" ciphers HIGH\n",
	"action a relay no-tls as \"@x.example\" ttl 4d\n",
	"action a relay backup\naction b relay backup \"mx\" tls\n"
	"action c relay backup mx.example ttl 4d\naction d relay backup tls\n",
	"action a relay helo [192.0.2.1] source \"2001:db8::1\"\n",
	"table u { \"smtp://a\", \"smtps://b\", c = \"lmtp:///run/x\" }\n"
	"action a relay via <u>\n",
	"table c { me = \"user:pass\" }\ntable s { 192.0.2.1 }\n"
	"table h { 192.0.2.1 = a.example }\n"
	"action a relay via \"smtps+auth://me@x\" auth <c> source <s> "
	"helo <h> pki M.example\n"
	"pki m.example certificate \"/c\"\npki m.example key \"/k\"\n",
	"pki m.example key \"/k\" certificate /c\n",
	"limit mta penalty 1m penalty-max 1h route-delay 0\n"
	"limit mta for domain <d> keep-alive 0s put-aside 400\n"
	"limit mta rejects-in-a-row 3 for domain \"*.X.example\"\n"
	"table d { example.org, \"*.example.net\" }\nmta max-per-host 3\n",
	"trust-anchor \"/root.key\"\n",
	"table t file:/x\nlimit mta for domain <t> keep-alive 1\n"
	"action a relay via <u> auth <t2>\ntable u file:/u\n"
	"table t2 file:/t\n",
	/* As a role is given it: the row is MTkyLjAuMi4x, 192.0.2.1. */
	"given table x { \"MTkyLjAuMi4x\", \"AAA=\", }\n"
	"action a relay source <x>\n",
	"action a relay tls verify ca /x\ngiven ca \"/x\" { \"UEVN\" }\n",
	"trust-anchor /x\ngiven trust-anchor \"/x\" {\n}\n",
};

static void
test_valid(void **state)
{
	struct conf *c;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(valid); i++) {
		c = must_parse(valid[i]);
		check_print(c);
		conf_free(c);
	}
}

#define TLS_AUTH "relay via \"smtp+tls+auth://a@x\" auth <c>\n"
#define CREDS "table c { a = \"u:p\" }\n"

static const struct {
	const char *in;
	const char *said; /* every line of it */
} invalid[] = {
	{ "action a relay via",
	    "t:1: via: expected a URL or a table at the end of the line\n" },
	{ "action a relay via <u>", "t:1: there is no table <u>\n" },
	{ "action a relay source x",
	    "t:1: source: expected an address or a table, not \"x\"\n" },
	{ "action a relay source 192.0.2.0/24",
	    "t:1: source: expected an address or a table, not "
	    "\"192.0.2.0/24\"\n" },
	{ "action a relay helo a..b",
	    "t:1: helo: expected a name or a table, not \"a..b\"\n" },
	{ "action a relay via smtp://x auth me",
	    "t:1: auth: expected a table: <name>, not \"me\"\n" },
	{ "action a relay as \"a b\"",
	    "t:1: as: expected user@domain, user or @domain, not \"a b\"\n" },
	{ "action a relay as \"\"",
	    "t:1: as: expected user@domain, user or @domain, not \"\"\n" },
	{ "action a relay as @",
	    "t:1: as: expected user@domain, user or @domain, not \"@\"\n" },
	{ "action a relay as a@b@c",
	    "t:1: as: expected user@domain, user or @domain, not "
	    "\"a@b@c\"\n" },
	{ "action a relay backup \"a b\"",
	    "t:1: backup: expected a domain name, not \"a b\"\n" },
	{ "action a relay tls no-tls",
	    "t:1: no-tls: tls and no-tls exclude each other\n" },
	{ "action a relay no-tls tls",
	    "t:1: tls: tls and no-tls exclude each other\n" },
	{ "action a relay tls verfy", "t:1: action: unknown word \"verfy\"\n" },
	{ "action a relay protocols",
	    "t:1: protocols: expected versions of TLS at the end of the "
	    "line\n" },
	{ "action a relay protocols \" \"", "t:1: protocols: names none\n" },
	{ "action a relay ciphers \"\"",
	    "t:1: ciphers: expected a list of ciphers, not \"\"\n" },
	{ "action a relay pki x\npki y certificate a key b\n",
	    "t:1: pki: there is no pki \"x\"\n" },
	{ "action a relay pki mxa.example\npki mxb.example certificate a key "
	  "b\n",
	    "t:1: pki: there is no pki \"mxa.example\", did you mean "
	    "\"mxb.example\"?\n" },
	{ "action a relay ca",
	    "t:1: ca: expected a path at the end of the line\n" },
	{ "action a relay vai smtp://x",
	    "t:1: action: unknown word \"vai\", did you mean \"via\"?\n" },
	{ "action a relay tls tls", "t:1: action: \"tls\" is given twice\n" },
	{ "action a deliver to mbox source 192.0.2.1",
	    "t:1: source: belongs to relay\n" },
	{ "accept for any deliver to mbox no-tls",
	    "t:1: no-tls: belongs to relay\n" },
	{ "action a relay no-tls via smtps://x",
	    "t:1: no-tls: contradicts the URL, which asks for TLS\n" },
	{ "action a relay no-tls via tls://x",
	    "t:1: no-tls: contradicts the URL, which asks for TLS\n" },
	{ "action a relay via tls+auth://a@x",
	    "t:1: auth: is missing: the URL has +auth\n" },
	{ "action a relay via tls://x auth <c>\n" CREDS,
	    "t:1: auth: is of use with +auth in the URL only\n" },
	{ "action a relay auth <c>\n" CREDS,
	    "t:1: auth: needs via with +auth in its URL\n" },
	{ "action a relay backup via smtp://x",
	    "t:1: backup: is about MX, of which via asks none\n" },
	{ "action a relay no-tls ciphers x",
	    "t:1: no-tls: with protocols, ciphers, pki or ca\n" },
	{ "action a relay tls ca x",
	    "t:1: ca: is of use with tls verify only\n" },
	{ "action a relay tls via lmtp:///x",
	    "t:1: tls: there is none on a unix socket\n" },
	{ "action a relay source ::1 via lmtp:///x",
	    "t:1: source: a unix socket has none\n" },
	{ "action a relay no-tls via <u>\ntable u { \"smtp://x\", "
	  "\"smtps://x\" }",
	    "t:1: via: table <u>: no-tls: contradicts the URL, which asks for "
	    "TLS\n" },
	{ "\naction a relay via <u>\ntable u { x, \"foo://x\" }",
	    "t:2: via: table <u>: \"x\" is no URL: SCHEME://HOST[:PORT]\n"
	    "t:2: via: table <u>: \"foo://x\" has an unknown scheme; there "
	    "are smtp, smtp+tls, tls, smtps, lmtp, and +auth behind those "
	    "with tls and smtps\n" },
	{ "action a " TLS_AUTH "table c { a = up, b = \":p\", d = \"u:\", "
	  "e = \"u:p\" }",
	    "t:1: auth: table <c>: \"a\" has no USER:PASSWORD\n"
	    "t:1: auth: table <c>: \"b\" has no USER:PASSWORD\n"
	    "t:1: auth: table <c>: \"d\" has no USER:PASSWORD\n" },
	{ "action a relay source <s>\ntable s { 192.0.2.1, x }",
	    "t:1: source: table <s>: \"x\" is no address\n" },
	{ "action a relay helo <s>\ntable s { 192.0.2.1, x = y }",
	    "t:1: helo: table <s>: \"192.0.2.1\" has no name of a host\n"
	    "t:1: helo: table <s>: \"x\" is no address\n" },
	{ "action a " TLS_AUTH CREDS "accept for <c> relay\n",
	    "t:3: the table <c> holds passwords, by auth: it cannot have "
	    "another use\n" },
	{ "action a " TLS_AUTH CREDS "action b relay source <c>\n",
	    "t:3: the table <c> holds passwords, by auth: it cannot have "
	    "another use\n"
	    "t:3: source: table <c>: \"a\" is no address\n" },
	{ "limit", "t:1: limit: expected mta at the end of the line\n" },
	{ "limit mta",
	    "t:1: limit: expected a limit at the end of the line\n" },
	{ "limit mta for domain x",
	    "t:1: limit: expected a limit at the end of the line\n" },
	{ "limit mta keep-alive x",
	    "t:1: keep-alive: expected a duration such as 30s, 5m, 4h or 2d, "
	    "at most 7d00h, not \"x\"\n" },
	{ "limit mta penalty 0",
	    "t:1: penalty: expected a duration such as 30s, 5m, 4h or 2d, at "
	    "most 7d00h, not \"0\"\n" },
	{ "limit mta max-connections-per-host 0",
	    "t:1: max-connections-per-host: expected a number from 1 to "
	    "1000000, not \"0\"\n" },
	{ "limit mta max-connection-per-host 3",
	    "t:1: limit: unknown word \"max-connection-per-host\", did you "
	    "mean \"max-connections-per-host\"?\n" },
	{ "limit mta penalty 1 penalty 2",
	    "t:1: limit: \"penalty\" is given twice\n" },
	{ "limit mta for x penalty 1",
	    "t:1: for: expected domain, not \"x\"\n" },
	{ "limit mta for domain a..b penalty 1",
	    "t:1: for: expected a domain, *.domain or a table, not "
	    "\"a..b\"\n" },
	{ "limit mta for domain <d> penalty 1",
	    "t:1: there is no table <d>\n" },
	{ "limit mta for domain <d> penalty 1\ntable d { a..b }",
	    "t:1: limit: table <d>: \"a..b\" is no domain and no "
	    "*.domain\n" },
	{ "mta max-per-host 0",
	    "t:1: mta: expected a number from 1 to 1000000, not \"0\"\n" },
	{ "pki", "t:1: pki: expected a domain name at the end of the line\n" },
	{ "pki x",
	    "t:1: pki: expected an option at the end of the line\n"
	    "t:1: pki: \"x\" has no key\n" },
	{ "\npki x key a", "t:2: pki: \"x\" has no certificate\n" },
	{ "pki x certificate a", "t:1: pki: \"x\" has no key\n" },
	{ "pki x key a\npki x key b certificate c\n",
	    "t:2: key: \"x\" has one already\n"
	    "t:1: pki: \"x\" has no certificate\n" },
	{ "pki x certificat a",
	    "t:1: pki: unknown word \"certificat\", did you mean "
	    "\"certificate\"?\n"
	    "t:1: pki: \"x\" has no key\n" },
	{ "trust-anchor",
	    "t:1: trust-anchor: expected a path at the end of the line\n" },
	{ "trust-anchor a\ntrust-anchor b\n",
	    "t:2: \"trust-anchor\" is given twice\n" },
	{ "given foo x { }",
	    "t:1: given: expected a kind of content, not \"foo\"\n" },
	{ "given table x { \"A\" }",
	    "t:1: given: expected base64, not \"A\"\n" },
	{ "given table x { \"YQ==\" }", "t:1: given: ends within a row\n" },
	{ "given table x { \"YQA=\" }", "t:1: given: a row is broken\n" },
	{ "given table x { \"AAA=\" }", "t:1: given: a row is broken\n" },
	{ "given table x { }\ngiven table x { }",
	    "t:2: given: the table \"x\" is known\n" },
	{ "given ca x { }", "t:1: given: nobody has use of it\n" },
	{ "given key x { }", "t:1: given: there is no pki \"x\"\n" },
	{ "given trust-anchor x { }",
	    "t:1: given: there is no such trust-anchor\n" },
	{ "trust-anchor x\ngiven trust-anchor x { \"AA==\" }",
	    "t:2: given: a NUL in a text\n" },
	{ "given table x {",
	    "t:1: given: expected base64 at the end of the line\n" },
};

static void
test_invalid(void **state)
{
	struct buf *said = buf_new(1 << 20);
	struct conf *c;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(invalid); i++) {
		buf_reset(said);
		c = conf_parse(
		    "t", invalid[i].in, strlen(invalid[i].in), gather, said);
		if (c != NULL)
			fail_msg("was accepted: %s", invalid[i].in);
		if (strcmp(buf_text(said), invalid[i].said) != 0)
			fail_msg("of: %s\nsaid: %swant: %s", invalid[i].in,
			    buf_text(said), invalid[i].said);
	}
	buf_free(said);
}

static void
test_fields(void **state)
{
	const struct conf_relay *r;
	char text[200];
	struct conf *c = must_parse(
	    "table u { \"smtp://a:26\", b = \"smtps+auth://me@b\" }\n"
	    "table c { me = \"user:pa:ss\" }\n"
	    "table h { 192.0.2.1 = one.example, \"2001:db8::2\" = "
	    "two.example }\n"
	    "action a relay via <u> auth <c> source <h> helo <h> as \"@x\"\n"
	    "action b relay helo x.example source 192.0.2.9 tls verify\n"
	    "action c relay backup MX2.example tls protocols \"TLSv1.2, "
	    "TLSv1.3\"\n"
	    "action d relay via lmtp:///run/x no-tls\n");

	(void)state;
	r = &conf_action(c, "a")->relay;
	assert_string_equal(r->via, "u");
	assert_int_equal(r->nurls, 2);
	assert_string_equal(r->urls[0].host, "a");
	assert_int_equal(r->urls[0].port, 26);
	assert_int_equal(r->urls[1].transport, CONF_SMTPS);
	assert_string_equal(r->urls[1].label, "me");
	assert_int_equal(r->auth.n, 1);
	assert_string_equal(r->auth.pairs[0].value, "user:pa:ss");
	assert_int_equal(r->source.n, 2);
	assert_string_equal(r->source.pairs[1].key, "2001:db8::2");
	assert_string_equal(r->helo.pairs[0].value, "one.example");
	assert_string_equal(r->as, "@x");
	assert_int_equal(r->tls, CONF_TLS_TRY);
	assert_string_equal(
	    conf_action_text(conf_action(c, "a"), text, sizeof(text)),
	    "relay via <u> source <h> helo <h> auth <c> as \"@x\"");

	r = &conf_action(c, "b")->relay;
	assert_null(r->via);
	assert_int_equal(r->nurls, 0);
	assert_null(r->helo.table);
	assert_string_equal(r->helo.pairs[0].key, "");
	assert_string_equal(r->helo.pairs[0].value, "x.example");
	assert_string_equal(r->source.pairs[0].key, "192.0.2.9");
	assert_int_equal(r->tls, CONF_TLS_VERIFY);

	r = &conf_action(c, "c")->relay;
	assert_true(r->backup);
	assert_string_equal(r->backup_name, "mx2.example");
	assert_int_equal(r->tls, CONF_TLS_MUST);
	assert_string_equal(r->protocols, "TLSv1.2,TLSv1.3");

	r = &conf_action(c, "d")->relay;
	assert_string_equal(r->urls[0].path, "/run/x");
	assert_null(r->urls[0].host);
	assert_int_equal(r->tls, CONF_TLS_NONE);
	conf_free(c);
}

/* A directory with files, and what is said of a configuration in it. */
struct world {
	char dir[40];
	char names[32][40];
	size_t n;
	struct buf *said;
};

static void
put(struct world *w, const char *name, mode_t mode, const char *text,
    size_t len)
{
	char path[100];
	FILE *f;
	size_t i;

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	unlink(path);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
	for (i = 0; i < w->n; i++)
		if (strcmp(w->names[i], name) == 0)
			return;
	assert_true(w->n < COUNT(w->names));
	snprintf(w->names[w->n++], sizeof(w->names[0]), "%s", name);
}

static void
puts_file(struct world *w, const char *name, mode_t mode, const char *text)
{
	put(w, name, mode, text, strlen(text));
}

#define DIGEST                                                                 \
	"E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"

/* NULL when it was refused; said is without the directory. */
static struct conf *
supplied(struct world *w, const char *text, bool check)
{
	char path[100], *s, *said;
	size_t len = strlen(w->dir) + 1;
	struct conf *c;

	puts_file(w, "conf", 0600, text);
	snprintf(path, sizeof(path), "%s/conf", w->dir);
	buf_reset(w->said);
	c = conf_load(path, gather, w->said);
	if (c != NULL && !conf_supply(c, check, gather, w->said)) {
		conf_free(c);
		c = NULL;
	}
	said = strdup(buf_text(w->said));
	while ((s = strstr(said, w->dir)) != NULL)
		memmove(s, s + len, strlen(s + len) + 1);
	buf_reset(w->said);
	buf_puts(w->said, said);
	free(said);
	return c;
}

static struct conf *
must_supply(struct world *w, const char *text)
{
	struct conf *c = supplied(w, text, false);

	if (c == NULL || buf_len(w->said) > 0)
		fail_msg("said: %s", buf_text(w->said));
	return c;
}

static void
must_refuse(struct world *w, const char *text, const char *want)
{
	struct conf *c = supplied(w, text, false);

	if (c != NULL)
		fail_msg("was taken: %s", text);
	if (strcmp(buf_text(w->said), want) != 0)
		fail_msg(
		    "of: %s\nsaid: %swant: %s", text, buf_text(w->said), want);
}

static EVP_PKEY *
make_key(struct world *w, const char *name, const char *passphrase)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	BIO *b = BIO_new(BIO_s_mem());
	char *text;
	long len;

	assert_non_null(key);
	assert_int_equal(
	    PEM_write_bio_PKCS8PrivateKey(b, key,
		passphrase == NULL ? NULL : EVP_aes_128_cbc(), passphrase,
		passphrase == NULL ? 0 : (int)strlen(passphrase), NULL, NULL),
	    1);
	len = BIO_get_mem_data(b, &text);
	put(w, name, 0600, text, (size_t)len);
	BIO_free(b);
	return key;
}

static void
make_certificate(struct world *w, const char *name, EVP_PKEY *key)
{
	X509 *x = X509_new();
	BIO *b = BIO_new(BIO_s_mem());
	char *text;
	long len;

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509(b, x), 1);
	len = BIO_get_mem_data(b, &text);
	put(w, name, 0644, text, (size_t)len);
	BIO_free(b);
	X509_free(x);
}

static int
open_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	EVP_PKEY *key;

	strcpy(w->dir, "/tmp/outgoing.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->said = buf_new(1 << 20);
	key = make_key(w, "key", NULL);
	make_certificate(w, "cert", key);
	EVP_PKEY_free(key);
	EVP_PKEY_free(make_key(w, "other", NULL));
	EVP_PKEY_free(make_key(w, "locked", "x"));
	puts_file(w, "creds", 0600, "me user:hunter2\n");
	*state = w;
	return 0;
}

static int
close_world(void **state)
{
	struct world *w = *state;
	char path[100];
	size_t i;

	for (i = 0; i < w->n; i++) {
		snprintf(path, sizeof(path), "%s/%s", w->dir, w->names[i]);
		unlink(path);
	}
	rmdir(w->dir);
	buf_free(w->said);
	free(w);
	return 0;
}

#define PKI "pki m.example certificate \"cert\" key \"key\"\n"

static const char secrets[] =
    "table creds file:creds\ntable inline { me = \"user:hunter3\" }\n"
    "table src file:src\ntable open { example.org }\n"
    "action a relay via \"smtps+auth://me@x\" auth <creds> source <src> "
    "pki m.example tls verify ca \"cert\"\n"
    "action b relay via \"smtps+auth://me@y\" auth <inline> tls verify "
    "ca \"cert\"\n"
    "limit mta for domain <open> keep-alive 1\n"
    "trust-anchor \"anchor\"\n" PKI "accept for <open> relay\n";

static const struct conf_table *
held(const struct conf *c, const char *name)
{
	const struct conf_table *t = conf_table(c, name);

	return t != NULL && t->n > 0 ? t : NULL;
}

/* Each role is given what it works with, and no more. */
static void
test_who_sees(void **state)
{
	struct world *w = *state;
	struct conf *c, *s;
	struct buf *b;
	int who;

	puts_file(w, "src", 0644, "192.0.2.1\n2001:db8::1\n192.0.2.1\n");
	puts_file(w, "anchor", 0644, ". IN DS 1 8 2 " DIGEST "\r\n");
	c = must_supply(w, secrets);
	check_print(c);
	for (who = 0; who < ROLES; who++) {
		b = buf_new(CONF_TEXT_MAX);
		assert_int_equal(conf_print(c, (enum role)who, b), 0);
		if (who != ROLE_PARENT)
			assert_null(strstr(buf_text(b), "hunter"));
		buf_free(b);
		s = slice(c, (enum role)who);
		assert_true((held(s, "creds") != NULL) == (who == ROLE_MTA));
		if (who != ROLE_PARENT)
			assert_true(
			    (held(s, "inline") != NULL) == (who == ROLE_MTA));
		assert_true(
		    (who == ROLE_DNS) == (s->trust_anchor_text != NULL));
		if (s->npkis > 0) {
			assert_true(
			    (s->pkis[0].key_pem != NULL) == (who == ROLE_MTA));
			assert_true((s->pkis[0].certificate_pem != NULL) ==
			    (who == ROLE_MTA));
		}
		if (who == ROLE_DNS)
			assert_string_equal(s->trust_anchor_text,
			    ". IN DS 1 8 2 " DIGEST "\r\n");
		if (who == ROLE_LOOKUP)
			assert_non_null(held(s, "open"));
		if (who == ROLE_MTA) {
			assert_string_equal(
			    s->pkis[0].key_pem, c->pkis[0].key_pem);
			assert_string_equal(
			    conf_action(s, "a")->relay.auth.pairs[0].value,
			    "user:hunter2");
			assert_string_equal(
			    conf_action(s, "b")->relay.auth.pairs[0].value,
			    "user:hunter3");
			assert_int_equal(
			    conf_action(s, "a")->relay.source.n, 2);
			assert_string_equal(conf_action(s, "b")->relay.ca_pem,
			    c->pkis[0].certificate_pem);
			assert_int_equal(
			    conf_limit(s, "Example.org", CONF_LIMIT_KEEPALIVE),
			    1);
		}
		conf_free(s);
	}
	conf_free(c);
}

/* Any octet a file may hold comes to the mta as it was. */
static void
test_any_content(void **state)
{
	struct world *w = *state;
	const struct conf_list *auth;
	struct buf *b = buf_new(1 << 20);
	struct conf *c, *s;
	char *cr, *pem;
	size_t i, n = 0;
	FILE *f;
	char path[100];

	buf_puts(b, "me u:a\tb\rc\"d\\e#f$g{h}<i>,=\x80\xff \xc3\xa4\n");
	buf_puts(b, "long u:");
	for (i = 0; i < 60000; i++)
		buf_puts(b, i % 7 == 0 ? "\"" : "x");
	buf_puts(b, "\n\"quoted: label\" u:p\nME u:second\n");
	puts_file(w, "creds", 0600, buf_text(b));

	/* A certificate whose lines end in CR LF. */
	snprintf(path, sizeof(path), "%s/cert", w->dir);
	pem = calloc(1, 8192);
	cr = calloc(1, 16384);
	f = fopen(path, "r");
	assert_true(fread(pem, 1, 8191, f) > 0);
	fclose(f);
	for (i = 0; pem[i] != '\0'; i++) {
		if (pem[i] == '\n')
			cr[n++] = '\r';
		cr[n++] = pem[i];
	}
	puts_file(w, "crlf", 0644, cr);

	c = must_supply(w,
	    "table creds file:creds\naction a relay via smtps+auth://me@x "
	    "auth <creds> tls verify ca crlf\n");
	check_print(c);
	s = slice(c, ROLE_MTA);
	auth = &conf_action(s, "a")->relay.auth;
	assert_int_equal(auth->n, 3);
	assert_string_equal(auth->pairs[0].value,
	    "u:a\tb\rc\"d\\e#f$g{h}<i>,=\x80\xff \xc3\xa4");
	assert_int_equal(strlen(auth->pairs[1].value), 60002);
	assert_string_equal(auth->pairs[2].key, "quoted: label");
	assert_string_equal(conf_action(s, "a")->relay.ca_pem, cr);
	conf_free(s);
	conf_free(c);
	free(pem);
	free(cr);
	buf_free(b);
	puts_file(w, "creds", 0600, "me user:hunter2\n");
}

#define RELAY "table t file:t\naction a relay via <t>\n"
#define AUTH                                                                   \
	"table creds file:creds\naction a relay via "                          \
	"smtps+auth://me@x auth <creds>\n"

static void
test_refused(void **state)
{
	struct world *w = *state;

	must_refuse(w, RELAY,
	    "conf:1: table: t cannot be read: No such file or directory\n");
	puts_file(w, "t", 0644, "");
	must_refuse(w, RELAY, "conf:2: via: t is an empty table\n");
	puts_file(w, "t", 0644, "smtp://a\nfoo://b\n");
	must_refuse(w, RELAY,
	    "conf:2: via: table <t>: \"foo://b\" has an unknown scheme; there "
	    "are smtp, smtp+tls, tls, smtps, lmtp, and +auth behind those "
	    "with tls and smtps\n");
	puts_file(w, "t", 0644, "smtp://a\nx\001y\n");
	must_refuse(w, RELAY, "conf:1: table: t line 2: a control character\n");
	must_refuse(w, "table t file:\"/dev/null\"\naction a relay via <t>\n",
	    "conf:1: table: /dev/null is not a regular file\n");
	must_refuse(w, "table t { }\naction a relay source <t>\n",
	    "conf:2: source: t is an empty table\n");
	must_refuse(w,
	    "table creds file:creds\n"
	    "action a relay via smtps+auth://you@x auth <creds>\n",
	    "conf:2: auth: creds has no label \"you\"\n");
	puts_file(w, "creds", 0640, "me user:hunter2\n");
	must_refuse(w, AUTH,
	    "conf:1: table: creds has mode 0640: others than its owner may use "
	    "it; 0600 is right\n");
	puts_file(w, "creds", 0600, "me hunter2\n");
	must_refuse(w, AUTH,
	    "conf:2: auth: table <creds>: \"me\" has no "
	    "USER:PASSWORD\n");
	puts_file(w, "creds", 0600, "me user:hunter2\n");

	must_refuse(w, "action a relay protocols TLSv9\n",
	    "conf:1: protocols: TLSv9 is not understood: such as \"TLSv1.2, "
	    "TLSv1.3\"\n");
	must_refuse(w, "action a relay ciphers nonsense\n",
	    "conf:1: ciphers: nonsense holds what OpenSSL does not know\n");
	must_refuse(w, "action a relay ciphers HIGH:TLS_NOPE\n",
	    "conf:1: ciphers: HIGH:TLS_NOPE holds what OpenSSL does not "
	    "know\n");
	conf_free(must_supply(w,
	    "action a relay ciphers \"HIGH:TLS_AES_128_GCM_SHA256:!aNULL\"\n"
	    "action b relay ciphers TLS_AES_128_GCM_SHA256\n"));
	must_refuse(w, "action a relay tls verify ca creds\n",
	    "conf:1: ca: creds holds no certificate in PEM\n");
	puts_file(w, "t", 0644, "nothing\n");
	must_refuse(w, "\ntrust-anchor t\n",
	    "conf:2: trust-anchor: t line 1: not a DS or DNSKEY record\n");
}

static void
test_pki(void **state)
{
	static const char pki[] = "\npki m certificate cert\npki m key key\n";
	struct world *w = *state;
	char path[100], pem[8192] = "";
	FILE *f;

	conf_free(must_supply(w, pki));
	must_refuse(w, "pki m certificate cert key none\n",
	    "conf:1: key: none cannot be read: No such file or directory\n");
	must_refuse(w, "pki m certificate none key key\n",
	    "conf:1: certificate: none cannot be read: No such file or "
	    "directory\n");
	must_refuse(w, "\npki m certificate cert key other\n",
	    "conf:2: key: other does not fit the certificate\n");
	must_refuse(w, "pki m certificate cert key locked\n",
	    "conf:1: key: locked is locked by a passphrase\n");
	must_refuse(w, "pki m certificate key key creds\n",
	    "conf:1: certificate: key holds no certificate in PEM\n"
	    "conf:1: key: creds holds no private key in PEM\n");
	put(w, "nul", 0600, "a\0b", 3);
	must_refuse(w, "pki m certificate nul key key\n",
	    "conf:1: certificate: nul holds a NUL: it is no PEM\n");

	/* A second certificate that breaks off. */
	snprintf(path, sizeof(path), "%s/cert", w->dir);
	f = fopen(path, "r");
	assert_true(fread(pem, 1, 4000, f) > 100);
	fclose(f);
	memcpy(pem + strlen(pem), pem, 100);
	puts_file(w, "chain", 0644, pem);
	must_refuse(w, "pki m certificate chain key key\n",
	    "conf:1: certificate: chain holds a broken certificate, number "
	    "2\n");

	snprintf(path, sizeof(path), "%s/key", w->dir);
	assert_int_equal(chmod(path, 0644), 0);
	must_refuse(w, pki,
	    "conf:2: key: key has mode 0644: others than its owner may use it; "
	    "0600 is right\n");
	assert_int_equal(chmod(path, 0400), 0);
	conf_free(must_supply(w, pki));
}

/* Passwords in the configuration itself want it closed, too. */
static void
test_open_file(void **state)
{
	static const char text[] =
	    "table c { me = \"u:p\" }\n"
	    "action a relay via smtps+auth://me@x auth <c>\n";
	struct world *w = *state;
	struct buf *said = buf_new(1 << 16);
	char path[100];
	struct conf *c;

	conf_free(must_supply(w, text));
	snprintf(path, sizeof(path), "%s/conf", w->dir);
	assert_int_equal(chmod(path, 0644), 0);
	c = conf_load(path, gather, said);
	assert_non_null(c);
	assert_false(conf_supply(c, false, gather, said));
	assert_non_null(strstr(buf_text(said), "conf:1: table: "));
	assert_non_null(strstr(buf_text(said), "has mode 0644"));
	conf_free(c);
	buf_free(said);
}

/* More than a slice can carry is said when it is read. */
static void
test_too_long(void **state)
{
	struct world *w = *state;
	struct buf *b = buf_new(10u << 20), *printed = buf_new(CONF_TEXT_MAX);
	struct conf *c;
	int i;

	for (i = 0; buf_len(b) < (8u << 20) - 100; i++)
		buf_putf(b, "smtp://host%d.example\n", i);
	puts_file(w, "t", 0644, buf_text(b));
	c = must_supply(w, RELAY);
	assert_int_equal(conf_action(c, "a")->relay.nurls, i);
	assert_int_equal(conf_print(c, ROLE_MTA, printed), 0);
	conf_free(c);
	for (; buf_len(b) <= 8u << 20; i++)
		buf_putf(b, "smtp://host%d.example\n", i);
	puts_file(w, "t", 0644, buf_text(b));
	must_refuse(w, RELAY,
	    "conf:1: table: t is too long: together such files may hold "
	    "8388608 octets\n");
	puts_file(w, "t", 0644, "");
	buf_free(b);
	buf_free(printed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_invalid),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_who_sees),
		cmocka_unit_test(test_any_content),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_pki),
		cmocka_unit_test(test_open_file),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
