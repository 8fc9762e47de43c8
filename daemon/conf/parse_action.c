/*
 * parse_action - relay and deliver, with their options
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/conf/conf.h"
#include "daemon/conf/draft.h"
#include "daemon/conf/pairs.h"
#include "daemon/conf/parse.h"
#include "daemon/conf/url.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool
one_action(struct parse *p, struct draft *d)
{
	if (d->has_action)
		return parse_error(p, "relay and deliver exclude each other");
	d->has_action = true;
	return true;
}

static bool
on_relay(struct parse *p, void *ctx)
{
	struct draft *d = ctx;

	d->action.kind = CONF_RELAY;
	return one_action(p, d);
}

/* The path of a delivery, whose %{...} are filled in later. */
static bool
path_template(struct parse *p, char **path)
{
	static const char *const known[] = { "%%", "%{user}", "%{tag}",
		"%{domain}" };
	const char *s = p->tok.text;
	size_t i;

	if (p->tok.kind != LEX_WORD)
		return parse_expected(p, "a path");
	while ((s = strchr(s, '%')) != NULL) {
		for (i = 0; i < COUNT(known); i++)
			if (strncmp(s, known[i], strlen(known[i])) == 0)
				break;
		if (i == COUNT(known))
			return parse_error(p,
			    "\"%.20s\" is none of %%{user}, %%{tag}, "
			    "%%{domain}, %%%%",
			    s);
		s += strlen(known[i]);
	}
	/* The agent knows where that is. */
	if (p->tok.text[0] == '~')
		return parse_value(p, "a path", path);
	return parse_path(p, path);
}

/* maildir PATH | mbox [PATH]: without its quotes a path must look like one,
 * for an option may follow. */
static bool
on_deliver(struct parse *p, void *ctx)
{
	struct draft *d = ctx;

	if (!one_action(p, d))
		return false;
	if (!parse_accept(p, "to"))
		return parse_expected(p, "to");
	if (parse_accept(p, "maildir")) {
		d->action.kind = CONF_MAILDIR;
		return path_template(p, &d->action.path);
	}
	if (!parse_accept(p, "mbox"))
		return parse_expected(p, "maildir or mbox");
	d->action.kind = CONF_MBOX;
	if (p->tok.kind == LEX_WORD &&
	    (p->tok.quoted || strchr("/~.%", p->tok.text[0]) != NULL))
		return path_template(p, &d->action.path);
	return true;
}

static bool
on_ttl(struct parse *p, void *ctx)
{
	struct draft *d = ctx;

	d->has_ttl = true;
	return parse_span(p, 365u * 86400u, &d->action.ttl);
}

static bool
on_owner(struct parse *p, void *ctx)
{
	struct draft *d = ctx;

	d->has_owner = true;
	if (!p->is_slice && geteuid() == 0 && p->tok.kind == LEX_WORD &&
	    getpwnam(p->tok.text) == NULL)
		return parse_error(
		    p, "there is no user \"%.60s\"", p->tok.text);
	return parse_name(p, "the name of a user", &d->action.owner);
}

/* Of a draft whose next option is one of relays. */
static struct conf_relay *
relay_of(struct parse *p, void *ctx)
{
	struct draft *d = ctx;

	if (d->relay_word == NULL)
		d->relay_word = p->option;
	return &d->action.relay;
}

static bool
on_via(struct parse *p, void *ctx)
{
	struct conf_relay *r = relay_of(p, ctx);
	struct conf_url u;
	char why[320];

	if (p->tok.kind == LEX_TABLE)
		return parse_outgoing_use(p, &r->via, false);
	if (p->tok.kind != LEX_WORD)
		return parse_expected(p, "a URL or a table");
	if (!url_parse(&u, p->tok.text, why, sizeof(why)))
		return parse_error(p, "%s", why);
	r->urls = mem_zalloc(sizeof(u));
	r->urls[r->nurls++] = u;
	parse_next(p);
	return true;
}

static bool
on_source(struct parse *p, void *ctx)
{
	struct conf_relay *r = relay_of(p, ctx);

	if (p->tok.kind == LEX_TABLE)
		return parse_outgoing_use(p, &r->source.table, false);
	if (p->tok.kind != LEX_WORD || !pairs_address_ok(p->tok.text))
		return parse_expected(p, "an address or a table");
	pairs_add(&r->source, p->tok.text, "");
	parse_next(p);
	return true;
}

static bool
on_helo(struct parse *p, void *ctx)
{
	struct conf_relay *r = relay_of(p, ctx);

	if (p->tok.kind == LEX_TABLE)
		return parse_outgoing_use(p, &r->helo.table, false);
	if (p->tok.kind != LEX_WORD || !parse_domain_ok(p->tok.text))
		return parse_expected(p, "a name or a table");
	pairs_add(&r->helo, "", p->tok.text);
	parse_next(p);
	return true;
}

static bool
on_auth(struct parse *p, void *ctx)
{
	return parse_outgoing_use(p, &relay_of(p, ctx)->auth.table, true);
}

static bool
on_as(struct parse *p, void *ctx)
{
	static const char what[] = "user@domain, user or @domain";
	struct conf_relay *r = relay_of(p, ctx);
	const char *s = p->tok.text;

	if (p->tok.kind != LEX_WORD || !pairs_sender_ok(s))
		return parse_expected(p, what);
	return parse_value(p, what, &r->as);
}

/* Without its quotes a name must look like one, for an option may follow. */
static bool
on_backup(struct parse *p, void *ctx)
{
	struct conf_relay *r = relay_of(p, ctx);

	r->backup = true;
	if (p->tok.kind != LEX_WORD ||
	    (!p->tok.quoted && strchr(p->tok.text, '.') == NULL))
		return true;
	return parse_domain(p, &r->backup_name);
}

static bool
on_tls(struct parse *p, void *ctx)
{
	struct conf_relay *r = relay_of(p, ctx);

	if (r->tls == CONF_TLS_NONE)
		return parse_error(p, "tls and no-tls exclude each other");
	r->tls = parse_accept(p, "verify") ? CONF_TLS_VERIFY : CONF_TLS_MUST;
	return true;
}

static bool
on_no_tls(struct parse *p, void *ctx)
{
	struct conf_relay *r = relay_of(p, ctx);

	if (r->tls != CONF_TLS_TRY)
		return parse_error(p, "tls and no-tls exclude each other");
	r->tls = CONF_TLS_NONE;
	return true;
}

static bool
words(struct parse *p, const char *what, char **value)
{
	if (p->tok.kind != LEX_WORD || p->tok.text[0] == '\0')
		return parse_expected(p, what);
	return parse_value(p, what, value);
}

/* Kept without its blanks: one form for who hands it to OpenSSL. */
static bool
on_protocols(struct parse *p, void *ctx)
{
	struct conf_relay *r = relay_of(p, ctx);
	char *from, *to;

	if (!words(p, "versions of TLS", &r->protocols))
		return false;
	for (from = to = r->protocols; *from != '\0'; from++)
		if (*from != ' ')
			*to++ = *from;
	*to = '\0';
	return to > r->protocols || parse_error(p, "names none");
}

static bool
on_ciphers(struct parse *p, void *ctx)
{
	return words(p, "a list of ciphers", &relay_of(p, ctx)->ciphers);
}

static bool
on_pki(struct parse *p, void *ctx)
{
	struct conf_relay *r = relay_of(p, ctx);

	struct parse_place at = { p->tok.file, p->tok.line };

	if (!parse_domain(p, &r->pki))
		return false;
	parse_use(p, PARSE_PKI, r->pki)->at = at;
	return true;
}

static bool
on_ca(struct parse *p, void *ctx)
{
	return parse_path(p, &relay_of(p, ctx)->ca);
}

const struct parse_word draft_words[] = {
	{ "deliver", on_deliver, false },
	{ "relay", on_relay, false },
	{ "ttl", on_ttl, false },
	{ "owner", on_owner, false },
	{ "via", on_via, false },
	{ "source", on_source, false },
	{ "helo", on_helo, false },
	{ "auth", on_auth, false },
	{ "as", on_as, false },
	{ "backup", on_backup, false },
	{ "tls", on_tls, false },
	{ "no-tls", on_no_tls, false },
	{ "protocols", on_protocols, false },
	{ "ciphers", on_ciphers, false },
	{ "pki", on_pki, false },
	{ "ca", on_ca, false },
};
const size_t draft_word_count = COUNT(draft_words);

bool
draft_fault(struct parse *p, const char *text)
{
	lex_error(p->lex, p->statement.file, p->statement.line, "%s", text);
	return false;
}

const char *
draft_refuses(const struct conf_relay *r, const struct conf_url *u)
{
	bool secure = u->tls || u->transport == CONF_SMTPS;
	bool asked = r->tls == CONF_TLS_MUST || r->tls == CONF_TLS_VERIFY;

	if (secure && r->tls == CONF_TLS_NONE)
		return "no-tls: contradicts the URL, which asks for TLS";
	if (u->label != NULL && r->auth.table == NULL)
		return "auth: is missing: the URL has +auth";
	if (u->path == NULL)
		return NULL;
	if (asked)
		return "tls: there is none on a unix socket";
	if (r->source.n > 0 || r->source.table != NULL)
		return "source: a unix socket has none";
	return NULL;
}

static bool
check_relay(struct parse *p, const struct conf_relay *r)
{
	bool via = r->via != NULL || r->nurls > 0;
	const char *why;

	if (r->auth.table != NULL && !via)
		return draft_fault(p, "auth: needs via with +auth in its URL");
	if (r->backup && via)
		return draft_fault(
		    p, "backup: is about MX, of which via asks none");
	if (r->tls == CONF_TLS_NONE &&
	    (r->protocols != NULL || r->ciphers != NULL || r->pki != NULL ||
		r->ca != NULL))
		return draft_fault(
		    p, "no-tls: with protocols, ciphers, pki or ca");
	if (r->ca != NULL && r->tls != CONF_TLS_VERIFY)
		return draft_fault(p, "ca: is of use with tls verify only");
	if (r->via != NULL || r->nurls == 0)
		return true;
	why = draft_refuses(r, &r->urls[0]);
	if (why != NULL)
		return draft_fault(p, why);
	if (r->auth.table != NULL && r->urls[0].label == NULL)
		return draft_fault(
		    p, "auth: is of use with +auth in the URL only");
	return true;
}

bool
draft_check_action(struct parse *p, const struct draft *d)
{
	bool relay = d->has_action && d->action.kind == CONF_RELAY;
	char text[80];

	if (d->relay_word != NULL && !relay) {
		snprintf(
		    text, sizeof(text), "%s: belongs to relay", d->relay_word);
		return draft_fault(p, text);
	}
	if (d->has_ttl && !d->has_action)
		return draft_fault(p, "ttl: belongs to relay or deliver");
	if (d->has_owner && (relay || !d->has_action))
		return draft_fault(p, "owner: belongs to deliver");
	return !relay || check_relay(p, &d->action.relay);
}

void
draft_free_action(struct conf_action *a)
{
	struct conf_relay *r = &a->relay;
	size_t i;

	for (i = 0; i < r->nurls; i++)
		url_clear(&r->urls[i]);
	free(r->urls);
	free(r->via);
	pairs_clear(&r->source);
	pairs_clear(&r->helo);
	pairs_clear(&r->auth);
	free(r->as);
	free(r->backup_name);
	free(r->protocols);
	free(r->ciphers);
	free(r->pki);
	free(r->ca);
	free(r->ca_pem);
	free(a->name);
	free(a->path);
	free(a->owner);
	free(a->place);
	memset(a, 0, sizeof(*a));
}
