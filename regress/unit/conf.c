/*
 * The configuration: what is understood, what is refused and in which words.
 *
 * Long on purpose: nearly all of it is tables of cases.
 */
#include <sys/stat.h>

#include <netinet/in.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/conf/conf.h"
#include "daemon/conf/lex.h"
#include "lib/base/buf.h"
#include "lib/mail/backoff.h"

static void
gather(void *arg, const char *line)
{
	struct buf *b = arg;

	assert_int_equal(buf_puts(b, line), 0);
	assert_int_equal(buf_puts(b, "\n"), 0);
}

/* The configuration, or NULL with the errors in said. */
static struct conf *
parse(const char *text, struct buf *said)
{
	return conf_parse("t", text, strlen(text), gather, said);
}

static struct conf *
must_parse(const char *text)
{
	struct buf *said = buf_new(1 << 20);
	struct conf *c = parse(text, said);

	if (c == NULL)
		fail_msg("%s\nin: %s", buf_text(said), text);
	assert_int_equal(buf_len(said), 0);
	buf_free(said);
	return c;
}

static struct buf *
printed(const struct conf *c, enum role who)
{
	struct buf *b = buf_new(CONF_TEXT_MAX);

	assert_int_equal(conf_print(c, who, b), 0);
	return b;
}

/* What a role prints of what it was given is what it was given. */
static void
check_print(const struct conf *c, const char *from)
{
	struct buf *first, *second;
	struct conf *again;
	int who;

	for (who = 0; who < ROLES; who++) {
		first = printed(c, (enum role)who);
		again = must_parse(buf_text(first));
		second = printed(again, (enum role)who);
		if (strcmp(buf_text(first), buf_text(second)) != 0)
			fail_msg("%s of %s:\n%s---\n%s",
			    role_name((enum role)who), from, buf_text(first),
			    buf_text(second));
		buf_free(first);
		buf_free(second);
		conf_free(again);
	}
}

#define RULE "accept for any relay\n"

static const char *const valid[] = {
	"",
	"\n\n# nothing\n",
	"hostname mx.example.org",
	"hostname \"MX.Example.org\" # and a comment",
	"spool \"/var/spool/x\"\ncontrol \"/run/x\" group wheel\n",
	"control /run/x\n",
	"listen on 127.0.0.1 port 2525 tag here hostname a.example\n",
	"listen on ::1\nlisten on 127.0.0.1 inet4\n",
	"listen on fe80::1%1 port 26\n",
	"table a { }\ntable b { x }\ntable c { x, y, }\n",
	"table d {\n\troot = \"a, b@c\", # who\n\n\t\"k\" = v\n}\n",
	"table e file:/etc/passwd\ntable f file:\"/with space/x\"\n",
	"table g { \"a\\\"b\\\\c\" = \"\\\\\" }\n",
	"queue ttl 4d\nqueue bounce ttl 7d\nqueue retry relay 400\n"
	"queue retry local 10s\nqueue journal 64M\nqueue settle now\n"
	"queue sync files\nqueue reserve 5%\nqueue inflight relay 10\n"
	"queue inflight local 1\n",
	"queue sync files settle now inflight local 3 ttl 1h\n",
	"max-message-size 35M\nmax-recipients 100\n"
	"max-sessions 10 per-client 5\nidle-timeout 5m\n"
	"resolver 127.0.0.1 port 5353\nresolver ::1\nmta max-per-host 3\n",
	RULE,
	"accept from any for domain example.org alias <a> users <u> deliver "
	"to maildir \"/m/%{user}\" owner vmail\ntable a { }\ntable u { x }\n",
	"accept for local deliver to mbox\n",
	"accept for local users any deliver to mbox \"/m/x\" owner x\n",
	"accept for local deliver to mbox owner x ttl 4d\n",
	"reject from ! <n> sender ! <s> for ! <d>\ntable n { }\n"
	"table s { }\ntable d { }\n",
	"reject from 10.0.0.0/8 sender @spam.example for any\n",
	"reject from ! fe80::/10 sender A@B.example for ! local\n",
	"reject from 192.0.2.1 sender <> for domain \"*.example\"\n",
	"reject for domain ! <d>\ntable d { }\n",
	"accept for any relay via smtp://mx.example ttl 2h action out\n"
	"accept for domain x.example action out\n",
	"accept for any action \"late\"\naction late relay via "
	"\"smtp://[2001:db8::1]:26\"\n",
	"action a relay via \"smtp://127.0.0.1\"\n"
	"action b relay via \"smtp://[127.0.0.1]:2526\"\n"
	"action c deliver to maildir \"~/Maildir\"\n",
	"net = 10.0.0.0/8\ndir = \"/srv/mail\"\nn = 26\n"
	"listen on 127.0.0.1 port $n\naccept from $net for any "
	"users any deliver to maildir $dir/\"%{user}\" owner v\n",
	"accept for local deliver to maildir \"/%%/%{domain}/%{tag}\"\n",
	"accept \\\n  for any \\\r\n relay\r\n",
	"run foreground verbose privileged paused-mta paused-mda paused-smtp",
	"accept for domain [192.0.2.1] deliver to mbox\n",
};

static void
test_valid(void **state)
{
	struct conf *c;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(valid) / sizeof(valid[0]); i++) {
		c = must_parse(valid[i]);
		check_print(c, valid[i]);
		conf_free(c);
	}
}

#define HOST_PORT                                                              \
	" must end in HOST[:PORT], where HOST is a name, an IPv4 address or "  \
	"[ADDRESS]\n"

static const struct {
	const char *in;
	const char *said; /* every line of it */
} invalid[] = {
	{ "lissten on lo",
	    "t:1: unknown word \"lissten\", did you mean "
	    "\"listen\"?\n" },
	{ "frobnicate", "t:1: unknown word \"frobnicate\"\n" },
	{ "\"spool\" x", "t:1: expected a statement, not \"spool\"\n" },
	{ "{", "t:1: expected a statement, not \"{\"\n" },
	{ "hostname a:b",
	    "t:1: hostname: expected a domain name, not \"a:b\"\n" },
	{ "control /123456789/123456789/123456789/123456789/123456789/"
	  "123456789/123456789/123456789/123456789/123456789/123456789",
	    "t:1: control: the path is too long for a socket\n" },
	{ "spool", "t:1: spool: expected a path at the end of the line\n" },
	{ "spool a b",
	    "t:1: spool: expected the end of the line, not \"b\"\n" },
	{ "spool a\nspool b", "t:2: \"spool\" is given twice\n" },
	{ "hostname a..b",
	    "t:1: hostname: expected a domain name, not "
	    "\"a..b\"\n" },
	{ "control /x group",
	    "t:1: group: expected the name of a group at "
	    "the end of the line\n" },
	{ "control /x grup y",
	    "t:1: control: unknown word \"grup\", did you "
	    "mean \"group\"?\n" },
	{ "listen 127.0.0.1", "t:1: listen: expected on, not \"127.0.0.1\"\n" },
	{ "listen on",
	    "t:1: listen: expected an address or an interface at "
	    "the end of the line\n" },
	{ "listen on 127.0.0.1 port 0",
	    "t:1: port: expected a number from 1 "
	    "to 65535, not \"0\"\n" },
	{ "listen on 127.0.0.1 prot 25",
	    "t:1: listen: unknown word \"prot\", "
	    "did you mean \"port\"?\n" },
	{ "listen on 127.0.0.1 port 1 port 2",
	    "t:1: listen: \"port\" is given twice\n" },
	{ "listen on 127.0.0.1 inet6",
	    "t:1: listen: \"127.0.0.1\" is not an inet6 address\n" },
	{ "listen on ::1 inet4",
	    "t:1: listen: \"::1\" is not an inet4 address\n" },
	{ "listen on ::1 inet4 inet6",
	    "t:1: inet6: inet4 and inet6 exclude each other\n" },
	{ "listen on qqqqqqqq9",
	    "t:1: listen: \"qqqqqqqq9\" is no address and "
	    "no interface\n" },
	{ "listen on 127.0.0.1\nlisten on 127.0.0.1",
	    "t:2: listen: \"127.0.0.1\" port 25 is listened on already, by "
	    "line 1\n" },
	{ "listen on 127.0.0.1 tag \"a b\"",
	    "t:1: tag: expected a tag without blanks, not \"a b\"\n" },
	{ "table",
	    "t:1: table: expected the name of a table at the end of "
	    "the line\n" },
	{ "table a",
	    "t:1: table: expected file:PATH or { at the end of the "
	    "line\n" },
	{ "table a /x", "t:1: table: expected file:PATH or {, not \"/x\"\n" },
	{ "table a { x, }\ntable a { }",
	    "t:2: table: \"a\" is defined twice\n" },
	{ "table a { x, X = y }",
	    "t:1: table: the key \"x\" is given twice\n" },
	{ "table a { x y }", "t:1: table: expected a comma or }, not \"y\"\n" },
	{ "table a {\nx,\n", "t:1: table: the closing } is missing\n" },
	{ "table a { x = }\nspol",
	    "t:1: table: expected a value, not \"}\"\n"
	    "t:2: unknown word \"spol\", did you mean "
	    "\"spool\"?\n" },
	{ "table a { = x }", "t:1: table: expected a key or }, not \"=\"\n" },
	{ "queue", "t:1: queue: expected an option at the end of the line\n" },
	{ "queue tll 4d",
	    "t:1: queue: unknown word \"tll\", did you mean "
	    "\"ttl\"?\n" },
	{ "queue ttl 4x",
	    "t:1: ttl: expected a duration such as 30s, 5m, 4h "
	    "or 2d, at most 365d00h, not \"4x\"\n" },
	{ "queue ttl 4d\nqueue ttl 5d",
	    "t:2: queue: \"ttl\" is given twice\n" },
	{ "queue bounce 4d", "t:1: bounce: expected ttl, not \"4d\"\n" },
	{ "queue retry 4d", "t:1: retry: unknown word \"4d\"\n" },
	{ "queue retry local 1 retry local 2",
	    "t:1: retry: \"local\" is given twice\n" },
	{ "queue inflight relay x",
	    "t:1: relay: expected a number from 1 to "
	    "1000000, not \"x\"\n" },
	{ "queue journal 1K",
	    "t:1: journal: expected a size such as 512K, "
	    "35M or 2G, at least 1.0M, not \"1K\"\n" },
	{ "queue settle",
	    "t:1: settle: expected now at the end of the line\n" },
	{ "queue sync x", "t:1: sync: expected files, not \"x\"\n" },
	{ "queue reserve 5",
	    "t:1: reserve: expected a percentage from 0% to "
	    "90%, not \"5\"\n" },
	{ "queue reserve 91%",
	    "t:1: reserve: expected a percentage from 0% "
	    "to 90%, not \"91%\"\n" },
	{ "queue reserve 999999999%",
	    "t:1: reserve: expected a percentage from 0% to 90%, not "
	    "\"999999999%\"\n" },
	{ "max-message-size 1",
	    "t:1: max-message-size: expected a size such "
	    "as 512K, 35M or 2G, at least 1K, not "
	    "\"1\"\n" },
	{ "max-recipients 0",
	    "t:1: max-recipients: expected a number from 1 "
	    "to 65535, not \"0\"\n" },
	{ "max-sessions 1 per-clinet 2",
	    "t:1: max-sessions: unknown word \"per-clinet\", did you mean "
	    "\"per-client\"?\n" },
	{ "idle-timeout never",
	    "t:1: idle-timeout: expected a duration such "
	    "as 30s, 5m, 4h or 2d, at most 1d00h, not "
	    "\"never\"\n" },
	{ "resolver example.org",
	    "t:1: resolver: expected an address, not "
	    "\"example.org\"\n" },
	{ "resolver ::1 prt 1",
	    "t:1: resolver: unknown word \"prt\", did you "
	    "mean \"port\"?\n" },
	{ "mta fast", "t:1: mta: expected max-per-host, not \"fast\"\n" },
	{ "accept relay", "t:1: for: is missing: whose mail is it about?\n" },
	{ "accept for any", "t:1: accept: needs deliver, relay or action\n" },
	{ "accept for all relay",
	    "t:1: for: expected any, local, domain or a "
	    "table, not \"all\"\n" },
	{ "accept for any rely",
	    "t:1: accept: unknown word \"rely\", did you "
	    "mean \"relay\"?\n" },
	{ "reject for any relay",
	    "t:1: reject: takes no deliver, relay or action\n" },
	{ "reject for any users any",
	    "t:1: reject: takes no alias and no users\n" },
	{ "accept for any relay deliver to mbox",
	    "t:1: deliver: relay and deliver exclude each other\n" },
	{ "accept for local deliver maildir x",
	    "t:1: deliver: expected to, not \"maildir\"\n" },
	{ "accept for local deliver to nowhere",
	    "t:1: deliver: expected maildir or mbox, not \"nowhere\"\n" },
	{ "accept for local deliver to maildir \"/m/%{usr}\"",
	    "t:1: deliver: \"%{usr}\" is none of %{user}, %{tag}, %{domain}, "
	    "%%\n" },
	{ "accept for local deliver to mbox \"/m/100%\"",
	    "t:1: deliver: \"%\" is none of %{user}, %{tag}, %{domain}, "
	    "%%\n" },
	{ "accept for any via smtp://x deliver to mbox",
	    "t:1: via: belongs to relay\n" },
	{ "accept for any relay owner x", "t:1: owner: belongs to deliver\n" },
	{ "accept for any relay via x.example",
	    "t:1: via: \"x.example\" is no URL: SCHEME://HOST[:PORT]\n" },
	{ "accept for any relay via smtp://x:0",
	    "t:1: via: \"smtp://x:0\"" HOST_PORT },
	{ "accept for any relay via smtp://[::1",
	    "t:1: via: \"smtp://[::1\"" HOST_PORT },
	{ "accept for any relay via smtp://",
	    "t:1: via: \"smtp://\"" HOST_PORT },
	{ "accept from 1.2.3.4/33 for any relay",
	    "t:1: from: expected any, local, a table, an address or a "
	    "network, not \"1.2.3.4/33\"\n" },
	{ "accept sender x for any relay",
	    "t:1: sender: expected an address, @domain, <> or a table, not "
	    "\"x\"\n" },
	{ "accept for domain a/b relay",
	    "t:1: for: expected a domain, *.domain or a table, not "
	    "\"a/b\"\n" },
	{ "accept for any alias x relay",
	    "t:1: alias: expected a table: <name>, not \"x\"\n" },
	{ "accept for any users x relay",
	    "t:1: users: expected system, any or a table, not \"x\"\n" },
	{ "accept from any from any for any relay",
	    "t:1: accept: \"from\" is given twice\n" },
	{ "accept for <locl> relay\ntable local { }\n",
	    "t:1: there is no table <locl>, did you mean \"local\"?\n" },
	{ "accept for any action ot\naction out relay\n",
	    "t:1: action: there is no action \"ot\", did you mean \"out\"?\n" },
	{ "action out relay\naction out relay\n",
	    "t:2: action: \"out\" is defined twice\n" },
	{ "action out", "t:1: action: needs deliver or relay\n" },
	{ "action \"a b\" relay",
	    "t:1: action: expected the name of an action, not \"a b\"\n" },
	{ "spool \"abc\n", "t:1: \"abc\": the closing quote is missing\n" },
	{ "spool \"a\tb\"", "t:1: \"a\": a control character in a string\n" },
	{ "spool a\001b", "t:1: \"a\": a control character\n" },
	{ "spool $x", "t:1: \"$x\": no such macro\n" },
	{ "x = \n",
	    "t:1: expected the value of a macro at the end of the "
	    "line\n" },
	{ "x = a b\n", "t:1: expected the end of the line, not \"b\"\n" },
	{ "x-y = a\n",
	    "t:1: \"x-y\" is no name of a macro: letters, digits "
	    "and _\n" },
	{ "accept for <a relay",
	    "t:1: \"a\": the closing > of a table's name "
	    "is missing\n" },
	{ "spool >", "t:1: \">\": a > without its <\n" },
	{ "include \"/nonexistent/x\"",
	    "t:1: include \"/nonexistent/x\": No such file or directory\n" },
	{ "include /dev", "t:1: include \"/dev\": is not a regular file\n" },
	{ "spol a\n\nspool \\\n \\\n a b\nmta x\n",
	    "t:1: unknown word \"spol\", did you mean \"spool\"?\n"
	    "t:5: spool: expected the end of the line, not \"b\"\n"
	    "t:6: mta: expected max-per-host, not \"x\"\n" },
	{ "run slowly", "t:1: run: expected a flag, not \"slowly\"\n" },
};

static void
test_invalid(void **state)
{
	struct buf *said = buf_new(1 << 20);
	struct conf *c;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
		buf_reset(said);
		c = parse(invalid[i].in, said);
		if (c != NULL)
			fail_msg("was accepted: %s", invalid[i].in);
		if (strcmp(buf_text(said), invalid[i].said) != 0)
			fail_msg("of: %s\nsaid: %swant: %s", invalid[i].in,
			    buf_text(said), invalid[i].said);
	}
	buf_free(said);
}

/* All orders of n options give the same configuration. */
static void
permute(const char *head, const char *tail, const char **options, size_t n,
    size_t at, struct buf *want)
{
	char text[1024];
	const char *swap;
	struct buf *have;
	struct conf *c;
	size_t i;

	if (at == n) {
		snprintf(text, sizeof(text), "%s", head);
		for (i = 0; i < n; i++)
			snprintf(text + strlen(text),
			    sizeof(text) - strlen(text), " %s", options[i]);
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    "\n%s", tail);
		c = must_parse(text);
		have = printed(c, ROLE_PARENT);
		if (buf_len(want) == 0)
			buf_puts(want, buf_text(have));
		else if (strcmp(buf_text(want), buf_text(have)) != 0)
			fail_msg("%s\n%s", text, buf_text(have));
		buf_free(have);
		conf_free(c);
		return;
	}
	for (i = at; i < n; i++) {
		swap = options[at];
		options[at] = options[i];
		options[i] = swap;
		permute(head, tail, options, n, at + 1, want);
		swap = options[at];
		options[at] = options[i];
		options[i] = swap;
	}
}

static void
test_permutations(void **state)
{
	const char *local[] = { "from ! 10.0.0.0/8", "sender @a.example",
		"for domain <d>", "alias <a>", "users any", "deliver to mbox",
		"owner x" };
	const char *relay[] = { "from any", "for any", "relay",
		"via smtp://x:26", "ttl 2h", "action out" };
	const char *listen[] = { "port 26", "hostname x", "inet4", "tag t" };
	const char *queue[] = { "ttl 1d", "bounce ttl 2d", "retry relay 3",
		"retry local 4", "settle now", "reserve 7%" };
	const struct {
		const char *head, *tail;
		const char **options;
		size_t n;
	} cases[] = {
		{ "accept", "table a { }\ntable d { }\n", local, 7 },
		{ "accept", "", relay, 6 },
		{ "listen on 127.0.0.1", "", listen, 4 },
		{ "queue", "", queue, 6 },
	};
	struct buf *want = buf_new(CONF_TEXT_MAX);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_reset(want);
		permute(cases[i].head, cases[i].tail, cases[i].options,
		    cases[i].n, 0, want);
	}
	buf_free(want);
}

/* Four days of 400 s x n^2, or 10 s where it is delivered here. */
static void
test_retry_defaults(void **state)
{
	struct conf *c = must_parse("");

	(void)state;
	assert_int_equal(c->retry_relay, BACKOFF_RELAY);
	assert_int_equal(c->retry_local, BACKOFF_LOCAL);
	assert_int_equal(c->ttl, 4 * 24 * 3600);
	conf_free(c);
}

static void
test_values(void **state)
{
	struct conf *c = must_parse(
	    "table a { Root = \"x, y\", z }\n"
	    "accept from any for domain \"*.B.example\" alias <a> deliver to "
	    "mbox\n"
	    "accept for any relay via smtp://127.0.0.1:2526\n"
	    "accept for <a> relay action relay-1\n"
	    "accept for local deliver to maildir \"~/M\"\n"
	    "accept for domain q.example action maildir-1\n"
	    "accept for domain r.example action relay-2\n");
	const struct conf_action *a;
	char text[200];

	(void)state;
	assert_int_equal(c->nrules, 6);
	assert_int_equal(c->nactions, 4);
	assert_int_equal(c->rules[0].from, CONF_FROM_ANY);
	assert_int_equal(c->rules[1].from, CONF_FROM_LOCAL);
	assert_string_equal(c->rules[0].dest_what, "*.b.example");
	assert_string_equal(c->rules[0].aliases, "a");
	assert_string_equal(c->actions[0].name, "mbox-1");
	/* relay-1 was taken. */
	assert_string_equal(c->actions[1].name, "relay-2");
	assert_string_equal(c->actions[3].name, "maildir-1");
	assert_int_equal(c->rules[0].users, CONF_USERS_SYSTEM);
	assert_int_equal(c->rules[1].users, CONF_USERS_ANY);
	assert_int_equal(c->rules[4].users, CONF_USERS_SYSTEM);
	assert_int_equal(c->rules[4].action, 3);
	assert_int_equal(c->rules[5].users, CONF_USERS_ANY);
	assert_int_equal(c->rules[5].action, 1);
	a = conf_action(c, "relay-2");
	assert_int_equal(a->relay.nurls, 1);
	assert_string_equal(a->relay.urls[0].host, "[127.0.0.1]");
	assert_int_equal(a->relay.urls[0].port, 2526);
	assert_string_equal(conf_action_text(a, text, sizeof(text)),
	    "relay via \"smtp://127.0.0.1:2526\"");
	assert_string_equal(
	    conf_action_text(conf_action(c, "maildir-1"), text, sizeof(text)),
	    "deliver to maildir \"~/M\"");
	assert_null(conf_action(c, "nothing"));
	assert_int_equal(conf_table(c, "a")->n, 2);
	assert_string_equal(conf_table(c, "a")->keys[0], "Root");
	assert_string_equal(conf_table(c, "a")->values[0], "x, y");
	assert_string_equal(conf_table(c, "a")->values[1], "");
	assert_int_equal(c->ttl, 4 * 86400);
	conf_free(c);
}

static void
write_file(const char *dir, const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
remove_files(const char *dir)
{
	static const char *const names[] = { "main", "other", "loop" };
	char path[256];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
}

static void
test_files(void **state)
{
	char dir[] = "/tmp/conf.XXXXXX", path[256], want[1024];
	struct buf *said = buf_new(1 << 20);
	struct conf *c;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/main", dir);
	write_file(dir, "main",
	    "spool \"./q\"\ninclude other\ncontrol \"sock\"\n"
	    "table b file:b.txt\naccept for local deliver to maildir "
	    "\"~/Maildir\"\nmax-recipients 7\n");
	write_file(dir, "other", "hostname x.example");
	c = conf_load(path, gather, said);
	if (c == NULL)
		fail_msg("%s", buf_text(said));
	snprintf(want, sizeof(want), "%s/q", dir);
	assert_string_equal(c->spool, want);
	snprintf(want, sizeof(want), "%s/sock", dir);
	assert_string_equal(c->control, want);
	snprintf(want, sizeof(want), "%s/b.txt", dir);
	assert_string_equal(c->tables[0].path, want);
	assert_string_equal(c->actions[0].path, "~/Maildir");
	assert_string_equal(c->hostname, "x.example");
	assert_int_equal(c->max_recipients, 7);
	check_print(c, path);
	conf_free(c);

	/* Names of the system. ~ is the user's, and nowhere else. */
	write_file(dir, "main",
	    "control sock group no-such-group\nspool ~/q\n"
	    "accept for local deliver to mbox owner no-such-user\n");
	assert_null(conf_load(path, gather, said));
	snprintf(want, sizeof(want),
	    "%s:1: group: there is no group \"no-such-group\"\n", path);
	if (geteuid() == 0)
		snprintf(want + strlen(want), sizeof(want) - strlen(want),
		    "%s:3: owner: there is no user \"no-such-user\"\n", path);
	assert_string_equal(buf_text(said), want);
	buf_reset(said);
	write_file(dir, "main", "spool ~/q\n");
	c = conf_load(path, gather, said);
	assert_non_null(c);
	snprintf(want, sizeof(want), "%s/~/q", dir);
	assert_string_equal(c->spool, want);
	conf_free(c);

	/* The files errors are in; what follows an include goes on. */
	write_file(dir, "main", "\ninclude other\nspol x\nrun verbose\n");
	write_file(dir, "other", "hostname x\nmta x\n");
	assert_null(conf_load(path, gather, said));
	snprintf(want, sizeof(want),
	    "%s/other:2: mta: expected max-per-host, not \"x\"\n"
	    "%s:3: unknown word \"spol\", did you mean \"spool\"?\n"
	    "%s:4: run: is a statement of the daemon's own\n",
	    dir, path, path);
	assert_string_equal(buf_text(said), want);

	buf_reset(said);
	write_file(dir, "main", "include loop\n");
	write_file(dir, "loop", "\ninclude loop\n");
	assert_null(conf_load(path, gather, said));
	snprintf(want, sizeof(want),
	    "%s/loop:2: include \"%s/loop\": includes are nested too "
	    "deeply\n",
	    dir, dir);
	assert_string_equal(buf_text(said), want);

	remove_files(dir);
	snprintf(path, sizeof(path), "%s/loop", dir);
	buf_reset(said);
	assert_null(conf_load(path, gather, said));
	assert_non_null(strstr(buf_text(said), "No such file"));
	rmdir(dir);
	buf_free(said);
}

/* As root an agent becomes somebody: a user of the system or the owner. */
static void
test_owner(void **state)
{
	char path[] = "/tmp/conf.XXXXXX", want[512] = "";
	struct buf *said = buf_new(1 << 20);
	struct conf *c;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd != -1);
	assert_true(
	    write(fd, "accept for any users any deliver to mbox\n", 41) == 41);
	close(fd);
	c = conf_load(path, gather, said);
	if (geteuid() == 0)
		snprintf(want, sizeof(want),
		    "%s:1: users: who are not of the system need an owner "
		    "for action \"mbox-1\" when root starts the daemon\n",
		    path);
	assert_int_equal(c == NULL, geteuid() == 0);
	assert_string_equal(buf_text(said), want);
	conf_free(c);
	unlink(path);
	buf_free(said);
}

static void
test_bounds(void **state)
{
	struct buf *text = buf_new(CONF_TEXT_MAX + 10);
	struct buf *said = buf_new(1 << 20);
	struct conf *c;
	size_t lines = 0;
	const char *s;
	int i;

	(void)state;
	buf_puts(text, "spool \"");
	for (i = 0; i < (int)LEX_WORD_MAX; i++)
		buf_puts(text, "x");
	buf_puts(text, "\"\n");
	c = must_parse(buf_text(text));
	assert_int_equal(strlen(c->spool), LEX_WORD_MAX);
	conf_free(c);
	buf_truncate(text, buf_len(text) - 2);
	buf_puts(text, "x\"\n");
	assert_null(parse(buf_text(text), said));
	assert_non_null(strstr(buf_text(said), "the word is too long"));

	/* Macros that double: the word is bounded, not the memory. */
	buf_reset(text);
	buf_reset(said);
	buf_puts(text, "m0 = xxxxxxxx\n");
	for (i = 1; i < 40; i++)
		buf_putf(text, "m%d = $m%d$m%d\n", i, i - 1, i - 1);
	assert_null(parse(buf_text(text), said));
	assert_non_null(strstr(buf_text(said), "the word is too long"));

	/* Errors are counted, and stop. */
	buf_reset(text);
	buf_reset(said);
	for (i = 0; i < 1000; i++)
		buf_puts(text, "x\n");
	assert_null(parse(buf_text(text), said));
	for (s = buf_text(said); *s != '\0'; s++)
		lines += *s == '\n';
	assert_int_equal(lines, LEX_REPORTS_MAX);
	assert_non_null(strstr(buf_text(said), "t:100: too many errors"));

	buf_reset(said);
	assert_null(conf_parse("t", "x\0y", 3, gather, said));
	assert_null(conf_parse("t", "\0", 1, gather, said));
	buf_free(text);
	buf_free(said);
}

static void
test_big_table(void **state)
{
	struct buf *text = buf_new(CONF_TEXT_MAX);
	struct conf *c;
	int i;

	(void)state;
	buf_puts(text, "table t {\n");
	for (i = 0; i < 20000; i++)
		buf_putf(text, "user%d@example.org = v%d\n,", i, i);
	buf_puts(text, "}\naccept for <t> relay\n");
	c = must_parse(buf_text(text));
	assert_int_equal(c->tables[0].n, 20000);
	assert_string_equal(c->tables[0].values[19999], "v19999");
	check_print(c, "a big table");
	conf_free(c);
	buf_free(text);
}

/* Nobody sees what is not its business. */
static void
test_slices(void **state)
{
	static const struct {
		enum role who;
		const char *sees, *not ;
	} cases[] = {
		{ ROLE_CONTROL, "control \"/c\" group \"g\"", "spool" },
		{ ROLE_SMTP, "listen on 127.0.0.1", "accept" },
		{ ROLE_SMTP, "max-sessions 2000", "table" },
		{ ROLE_LOOKUP, "table t", "spool" },
		{ ROLE_LOOKUP, "accept from local for any", "control" },
		{ ROLE_DNS, "resolver 127.0.0.1 port 53", "table" },
		{ ROLE_SPOOLER, "spool \"/s\"", "table" },
		{ ROLE_SPOOLER, "action \"relay-1\" relay", "resolver" },
		{ ROLE_SCHEDULER, "queue retry relay 400", "action" },
		{ ROLE_MTA, "action \"relay-1\" relay", "mbox" },
		{ ROLE_MDA, "action \"mbox-1\" deliver", "relay" },
		{ ROLE_MDA, "run verbose", "listen" },
		{ ROLE_PARENT, "accept", "paused" },
	};
	struct conf *c = must_parse(
	    "run verbose\nspool /s\ncontrol /c group g\n"
	    "listen on 127.0.0.1\ntable t { x }\nresolver 127.0.0.1\n"
	    "accept for any relay\naccept for local deliver to mbox\n");
	struct buf *b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		b = printed(c, cases[i].who);
		if (strstr(buf_text(b), cases[i].sees) == NULL ||
		    strstr(buf_text(b), cases[i].not ) != NULL)
			fail_msg("%zu: %s", i, buf_text(b));
		buf_free(b);
	}
	conf_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_invalid),
		cmocka_unit_test(test_permutations),
		cmocka_unit_test(test_retry_defaults),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_big_table),
		cmocka_unit_test(test_slices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
