/*
 * parse_set - the statements that set one thing, and the table of all
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <netinet/in.h>

#include <arpa/inet.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/conf/conf.h"
#include "daemon/conf/parse.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define YEAR (365u * 86400u)

static bool
on_hostname(struct parse *p, void *unused)
{
	(void)unused;
	return parse_domain(p, &p->conf->hostname);
}

static bool
on_spool(struct parse *p, void *unused)
{
	(void)unused;
	return parse_path(p, &p->conf->spool);
}

static bool
on_group(struct parse *p, void *unused)
{
	(void)unused;
	if (!p->is_slice && p->tok.kind == LEX_WORD &&
	    getgrnam(p->tok.text) == NULL)
		return parse_error(
		    p, "there is no group \"%.60s\"", p->tok.text);
	return parse_name(p, "the name of a group", &p->conf->control_group);
}

static bool
on_control(struct parse *p, void *unused)
{
	static const struct parse_word words[] = {
		{ "group", on_group, false },
	};
	struct sockaddr_un un;
	uint32_t seen = 0;

	(void)unused;
	if (!parse_path(p, &p->conf->control))
		return false;
	if (strlen(p->conf->control) >= sizeof(un.sun_path))
		return parse_error(p, "the path is too long for a socket");
	return parse_words(p, words, COUNT(words), NULL, &seen);
}

static bool
on_ttl(struct parse *p, void *unused)
{
	(void)unused;
	return parse_span(p, YEAR, &p->conf->ttl);
}

static bool
on_bounce(struct parse *p, void *unused)
{
	(void)unused;
	if (!parse_accept(p, "ttl"))
		return parse_expected(p, "ttl");
	return parse_span(p, YEAR, &p->conf->bounce_ttl);
}

static bool
on_retry_relay(struct parse *p, void *unused)
{
	(void)unused;
	return parse_span(p, 86400, &p->conf->retry_relay);
}

static bool
on_retry_local(struct parse *p, void *unused)
{
	(void)unused;
	return parse_span(p, 86400, &p->conf->retry_local);
}

static bool
on_retry(struct parse *p, void *unused)
{
	static const struct parse_word words[] = {
		{ "relay", on_retry_relay, false },
		{ "local", on_retry_local, false },
	};

	(void)unused;
	return parse_one(p, words, COUNT(words), NULL, &p->seen[2]);
}

static bool
on_inflight_relay(struct parse *p, void *unused)
{
	(void)unused;
	return parse_u32(p, 1, 1000000, &p->conf->max_inflight_relay);
}

static bool
on_inflight_local(struct parse *p, void *unused)
{
	(void)unused;
	return parse_u32(p, 1, 1000000, &p->conf->max_inflight_local);
}

static bool
on_inflight(struct parse *p, void *unused)
{
	static const struct parse_word words[] = {
		{ "relay", on_inflight_relay, false },
		{ "local", on_inflight_local, false },
	};

	(void)unused;
	return parse_one(p, words, COUNT(words), NULL, &p->seen[3]);
}

static bool
on_journal(struct parse *p, void *unused)
{
	(void)unused;
	return parse_size(p, 1u << 20, &p->conf->journal_size);
}

static bool
on_settle(struct parse *p, void *unused)
{
	(void)unused;
	p->conf->settle_now = true;
	return parse_accept(p, "now") || parse_expected(p, "now");
}

static bool
on_sync(struct parse *p, void *unused)
{
	(void)unused;
	p->conf->sync_files = true;
	return parse_accept(p, "files") || parse_expected(p, "files");
}

static bool
on_reserve(struct parse *p, void *unused)
{
	char digits[8];
	uint64_t v = 0;
	size_t len;

	(void)unused;
	len = p->tok.kind == LEX_WORD ? strlen(p->tok.text) : 0;
	if (len < 2 || len > sizeof(digits) || p->tok.text[len - 1] != '%')
		return parse_expected(p, "a percentage from 0% to 90%");
	memcpy(digits, p->tok.text, len - 1);
	digits[len - 1] = '\0';
	if (!text_number(digits, 90, &v))
		return parse_expected(p, "a percentage from 0% to 90%");
	p->conf->reserve_percent = (unsigned)v;
	parse_next(p);
	return true;
}

static bool
on_queue(struct parse *p, void *unused)
{
	static const struct parse_word words[] = {
		{ "ttl", on_ttl, false },
		{ "bounce", on_bounce, false },
		{ "retry", on_retry, true },
		{ "inflight", on_inflight, true },
		{ "journal", on_journal, false },
		{ "settle", on_settle, false },
		{ "sync", on_sync, false },
		{ "reserve", on_reserve, false },
		{ "compression", parse_compression, false },
		{ "encryption", parse_encryption, false },
	};

	(void)unused;
	/* At least one, and as many as there are. */
	return parse_one(p, words, COUNT(words), NULL, &p->seen[1]) &&
	    parse_words(p, words, COUNT(words), NULL, &p->seen[1]);
}

static bool
on_message_size(struct parse *p, void *unused)
{
	(void)unused;
	return parse_size(p, 1024, &p->conf->max_message_size);
}

static bool
on_recipients(struct parse *p, void *unused)
{
	(void)unused;
	return parse_u32(p, 1, 65535, &p->conf->max_recipients);
}

static bool
on_per_client(struct parse *p, void *unused)
{
	(void)unused;
	return parse_u32(p, 1, 1000000, &p->conf->max_sessions_per_client);
}

static bool
on_sessions(struct parse *p, void *unused)
{
	static const struct parse_word words[] = {
		{ "per-client", on_per_client, false },
	};
	uint32_t seen = 0;

	(void)unused;
	return parse_u32(p, 1, 1000000, &p->conf->max_sessions) &&
	    parse_words(p, words, COUNT(words), NULL, &seen);
}

static bool
on_idle(struct parse *p, void *unused)
{
	(void)unused;
	return parse_span(p, 86400, &p->conf->idle_timeout);
}

static bool
on_resolver_port(struct parse *p, void *ctx)
{
	uint32_t port;

	if (!parse_u32(p, 1, 65535, &port))
		return false;
	*(uint16_t *)ctx = (uint16_t)port;
	return true;
}

static bool
on_resolver(struct parse *p, void *unused)
{
	static const struct parse_word words[] = {
		{ "port", on_resolver_port, false },
	};
	struct sockaddr_storage ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;
	struct sockaddr_in *in = (struct sockaddr_in *)&ss;
	struct conf *c = p->conf;
	uint16_t port = 53;
	uint32_t seen = 0;

	(void)unused;
	memset(&ss, 0, sizeof(ss));
	if (p->tok.kind == LEX_WORD &&
	    inet_pton(AF_INET, p->tok.text, &in->sin_addr) == 1)
		ss.ss_family = AF_INET;
	else if (p->tok.kind == LEX_WORD &&
	    inet_pton(AF_INET6, p->tok.text, &in6->sin6_addr) == 1)
		ss.ss_family = AF_INET6;
	else
		return parse_expected(p, "an address");
	if (c->nresolvers == 16)
		return parse_error(p, "there are more than 16");
	parse_next(p);
	if (!parse_words(p, words, COUNT(words), &port, &seen))
		return false;
	if (ss.ss_family == AF_INET)
		in->sin_port = htons(port);
	else
		in6->sin6_port = htons(port);
	c->resolvers = mem_rearray(c->resolvers, c->nresolvers + 1, sizeof(ss));
	c->resolvers[c->nresolvers++] = ss;
	return true;
}

/* What the command line said, on its way to a role. */
static bool
on_run(struct parse *p, void *unused)
{
	struct conf *c = p->conf;
	const struct {
		const char *word;
		bool *flag;
	} flags[] = {
		{ "foreground", &c->foreground },
		{ "verbose", &c->verbose },
		{ "privileged", &c->privileged },
		{ "paused-mta", &c->paused_mta },
		{ "paused-mda", &c->paused_mda },
		{ "paused-smtp", &c->paused_smtp },
	};
	size_t i;

	(void)unused;
	if (!p->is_slice)
		return parse_error(p, "is a statement of the daemon's own");
	while (!parse_at_end(p)) {
		for (i = 0; i < COUNT(flags); i++)
			if (parse_accept(p, flags[i].word))
				break;
		if (i == COUNT(flags))
			return parse_expected(p, "a flag");
		*flags[i].flag = true;
	}
	return true;
}

static bool
on_rule_line(struct parse *p, void *unused)
{
	uint32_t line = 0;

	(void)unused;
	if (!p->is_slice)
		return parse_error(p, "is a statement of the daemon's own");
	if (!parse_u32(p, 0, UINT32_MAX, &line))
		return false;
	p->rule_line = line;
	return true;
}

const struct parse_word parse_statements[] = {
	{ "accept", parse_rule_accept, true },
	{ "reject", parse_rule_reject, true },
	{ "action", parse_rule_action, true },
	{ "table", parse_table, true },
	{ "listen", parse_listen, true },
	{ "include", parse_include, true },
	{ "queue", on_queue, true },
	{ "resolver", on_resolver, true },
	{ "hostname", on_hostname, false },
	{ "spool", on_spool, false },
	{ "control", on_control, false },
	{ "max-message-size", on_message_size, false },
	{ "max-recipients", on_recipients, false },
	{ "max-sessions", on_sessions, false },
	{ "idle-timeout", on_idle, false },
	{ "mta", parse_mta, false },
	{ "limit", parse_limit, true },
	{ "pki", parse_pki, true },
	{ "trust-anchor", parse_trust_anchor, false },
	{ "given", parse_given, true },
	{ "run", on_run, false },
	{ "rule-line", on_rule_line, true },
};
const size_t parse_statement_count = COUNT(parse_statements);
