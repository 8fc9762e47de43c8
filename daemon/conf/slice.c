/*
 * slice - prints the part of a configuration that one role may see
 *
 * Every value is printed, defaults too, so that what a role reads does not
 * depend on where it runs. All strings are quoted.
 */
#include <netinet/in.h>

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "daemon/conf/conf.h"
#include "daemon/conf/lex.h"
#include "daemon/conf/slice.h"
#include "lib/base/buf.h"

int
slice_string(struct buf *b, const char *s)
{
	int bad = buf_puts(b, "\"");

	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			bad |= buf_puts(b, "\\");
		bad |= buf_put(b, s, 1);
	}
	return bad | buf_puts(b, "\"");
}

int
slice_option(struct buf *b, const char *word, const char *value)
{
	if (value == NULL)
		return 0;
	return buf_putf(b, " %s ", word) | slice_string(b, value);
}

static int
put_run(const struct conf *c, struct buf *b)
{
	if (!c->foreground && !c->verbose && !c->privileged && !c->paused_mta &&
	    !c->paused_mda && !c->paused_smtp)
		return 0;
	return buf_putf(b, "run%s%s%s%s%s%s\n",
	    c->foreground ? " foreground" : "", c->verbose ? " verbose" : "",
	    c->privileged ? " privileged" : "",
	    c->paused_mta ? " paused-mta" : "",
	    c->paused_mda ? " paused-mda" : "",
	    c->paused_smtp ? " paused-smtp" : "");
}

static int
put_hostname(const struct conf *c, struct buf *b)
{
	return buf_puts(b, "hostname ") | slice_string(b, c->hostname) |
	    buf_puts(b, "\n");
}

static int
put_spool(const struct conf *c, struct buf *b)
{
	return buf_puts(b, "spool ") | slice_string(b, c->spool) |
	    buf_puts(b, "\n");
}

static int
put_control(const struct conf *c, struct buf *b)
{
	return buf_puts(b, "control ") | slice_string(b, c->control) |
	    slice_option(b, "group", c->control_group) | buf_puts(b, "\n");
}

/* The address without its port. */
static int
put_address(struct buf *b, const struct sockaddr_storage *ss)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)ss;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;
	char text[INET6_ADDRSTRLEN] = "";

	if (ss->ss_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
		return buf_puts(b, text);
	}
	inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
	if (in6->sin6_scope_id != 0)
		return buf_putf(b, "%s%%%u", text, in6->sin6_scope_id);
	return buf_puts(b, text);
}

static int
put_listeners(const struct conf *c, struct buf *b)
{
	const struct conf_listener *l;
	size_t i;
	int bad = 0;

	for (i = 0; i < c->nlisteners; i++) {
		l = &c->listeners[i];
		bad |= buf_puts(b, "listen on ") | put_address(b, &l->addr) |
		    buf_putf(b, " port %u", l->port) |
		    slice_option(b, "hostname", l->hostname) |
		    slice_option(b, "tag", l->tag) | buf_puts(b, "\n");
	}
	return bad;
}

static int
put_limits(const struct conf *c, struct buf *b)
{
	return buf_putf(b,
	    "max-message-size %" PRIu64 "\n"
	    "max-recipients %u\n"
	    "max-sessions %u per-client %u\n"
	    "idle-timeout %u\n",
	    c->max_message_size, c->max_recipients, c->max_sessions,
	    c->max_sessions_per_client, c->idle_timeout);
}

static int
put_ttl(const struct conf *c, struct buf *b)
{
	return buf_putf(
	    b, "queue ttl %u bounce ttl %u\n", c->ttl, c->bounce_ttl);
}

static int
put_queue(const struct conf *c, struct buf *b)
{
	int bad = buf_putf(b, "queue reserve %u%%", c->reserve_percent);

	if (c->journal_size != 0)
		bad |= buf_putf(b, " journal %" PRIu64, c->journal_size);
	if (c->settle_now)
		bad |= buf_puts(b, " settle now");
	if (c->sync_files)
		bad |= buf_puts(b, " sync files");
	return bad | buf_puts(b, "\n");
}

static int
put_compression(const struct conf *c, struct buf *b)
{
	if (c->compression == 0)
		return buf_puts(b, "queue compression none\n");
	return buf_putf(b, "queue compression zstd:%d\n", c->compression);
}

static int
put_encryption(const struct conf *c, struct buf *b)
{
	int bad = buf_puts(b, "queue encryption");

	if (!c->seal)
		bad |= buf_puts(b, " none");
	if (c->keyed && c->keys_path == NULL)
		bad |= buf_puts(b, " given"); /* read from a slice */
	if (c->keys_path != NULL)
		bad |=
		    buf_puts(b, " key file:") | slice_string(b, c->keys_path);
	if (c->passphrase_path != NULL)
		bad |= buf_puts(b, " passphrase file:") |
		    slice_string(b, c->passphrase_path);
	return bad | buf_puts(b, "\n");
}

/* Without the paths: the keys come by themselves. */
static int
put_given(const struct conf *c, struct buf *b)
{
	return buf_putf(b, "queue encryption%s%s\n", c->seal ? "" : " none",
	    c->keyed ? " given" : "");
}

static int
put_retry(const struct conf *c, struct buf *b)
{
	return buf_putf(b,
	    "queue retry relay %u retry local %u\n"
	    "queue inflight relay %u inflight local %u\n",
	    c->retry_relay, c->retry_local, c->max_inflight_relay,
	    c->max_inflight_local);
}

static int
put_resolvers(const struct conf *c, struct buf *b)
{
	const struct sockaddr_storage *ss;
	unsigned port;
	size_t i;
	int bad = 0;

	for (i = 0; i < c->nresolvers; i++) {
		ss = &c->resolvers[i];
		port = ss->ss_family == AF_INET
		    ? ((const struct sockaddr_in *)ss)->sin_port
		    : ((const struct sockaddr_in6 *)ss)->sin6_port;
		bad |= buf_puts(b, "resolver ") | put_address(b, ss) |
		    buf_putf(b, " port %u\n", ntohs((uint16_t)port));
	}
	return bad;
}

static int
put_table(const struct conf_table *t, struct buf *b)
{
	size_t k;
	int bad;

	if (t->path == NULL && t->given)
		return slice_given_table(t, true, b);
	bad = buf_putf(b, "table %s ", t->name);
	if (t->path != NULL)
		return bad | buf_puts(b, "file:") | slice_string(b, t->path) |
		    buf_puts(b, "\n");
	bad |= buf_puts(b, "{\n");
	for (k = 0; k < t->n; k++) {
		bad |= buf_puts(b, "\t") | slice_string(b, t->keys[k]);
		if (t->values[k] != NULL && t->values[k][0] != '\0')
			bad |=
			    buf_puts(b, " = ") | slice_string(b, t->values[k]);
		bad |= buf_puts(b, ",\n");
	}
	return bad | buf_puts(b, "}\n");
}

static int
put_tables(const struct conf *c, struct buf *b)
{
	size_t i;
	int bad = 0;

	for (i = 0; i < c->ntables; i++)
		bad |= put_table(&c->tables[i], b);
	return bad;
}

/* Of those that hold passwords the names alone. */
static int
put_open_tables(const struct conf *c, struct buf *b)
{
	size_t i;
	int bad = 0;

	for (i = 0; i < c->ntables; i++)
		if (c->tables[i].secret)
			bad |= slice_given_table(&c->tables[i], false, b);
		else
			bad |= put_table(&c->tables[i], b);
	return bad;
}

/* relay with its options | deliver to KIND [PATH] [owner USER], and ttl. */
static int
put_action(struct buf *b, const struct conf_action *a)
{
	int bad = 0;

	switch (a->kind) {
	case CONF_RELAY:
		bad |= slice_relay(&a->relay, b);
		break;
	case CONF_MAILDIR:
		bad |= buf_puts(b, "deliver to") |
		    slice_option(b, "maildir", a->path);
		break;
	case CONF_MBOX:
		bad |= buf_puts(b, "deliver to mbox");
		if (a->path != NULL)
			bad |= buf_puts(b, " ") | slice_string(b, a->path);
		break;
	}
	bad |= slice_option(b, "owner", a->owner);
	if (a->ttl != 0)
		bad |= buf_putf(b, " ttl %u", a->ttl);
	return bad;
}

static int
put_actions(const struct conf *c, struct buf *b, bool relay, bool deliver)
{
	const struct conf_action *a;
	size_t i;
	int bad = 0;

	for (i = 0; i < c->nactions; i++) {
		a = &c->actions[i];
		if (a->kind == CONF_RELAY ? !relay : !deliver)
			continue;
		bad |= buf_puts(b, "action ") | slice_string(b, a->name) |
		    buf_puts(b, " ") | put_action(b, a) | buf_puts(b, "\n");
	}
	return bad;
}

static int
put_from(struct buf *b, const struct conf_rule *r)
{
	int bad = buf_puts(b, r->from_not ? " from ! " : " from ");

	switch (r->from) {
	case CONF_FROM_LOCAL:
		return bad | buf_puts(b, "local");
	case CONF_FROM_ANY:
		return bad | buf_puts(b, "any");
	case CONF_FROM_TABLE:
		return bad | buf_putf(b, "<%s>", r->from_what);
	case CONF_FROM_CIDR:
		return bad | slice_string(b, r->from_what);
	}
	return -1;
}

static int
put_sender(struct buf *b, const struct conf_rule *r)
{
	if (r->sender == NULL)
		return 0;
	if (r->sender[0] == '<')
		return buf_puts(b, r->sender_not ? " sender ! " : " sender ") |
		    buf_puts(b, r->sender);
	return buf_puts(b, r->sender_not ? " sender ! " : " sender ") |
	    slice_string(b, r->sender);
}

static int
put_for(struct buf *b, const struct conf_rule *r)
{
	int bad = buf_puts(b, r->for_not ? " for ! " : " for ");

	switch (r->dest) {
	case CONF_FOR_ANY:
		return bad | buf_puts(b, "any");
	case CONF_FOR_LOCAL:
		return bad | buf_puts(b, "local");
	case CONF_FOR_DOMAIN:
		return bad | buf_puts(b, "domain ") |
		    slice_string(b, r->dest_what);
	case CONF_FOR_TABLE:
		return bad | buf_putf(b, "domain <%s>", r->dest_what);
	}
	return -1;
}

static int
put_users(struct buf *b, const struct conf_rule *r)
{
	switch (r->users) {
	case CONF_USERS_SYSTEM:
		return buf_puts(b, " users system");
	case CONF_USERS_ANY:
		return buf_puts(b, " users any");
	case CONF_USERS_TABLE:
		return buf_putf(b, " users <%s>", r->users_table);
	}
	return -1;
}

static int
put_rule(const struct conf *c, struct buf *b, const struct conf_rule *r)
{
	int bad = buf_puts(b, r->accept ? "accept" : "reject") |
	    put_from(b, r) | put_sender(b, r) | put_for(b, r);

	if (r->aliases != NULL)
		bad |= buf_putf(b, " alias <%s>", r->aliases);
	if (r->accept)
		bad |= put_users(b, r) |
		    slice_option(b, "action", c->actions[r->action].name);
	return bad;
}

static int
put_rules(const struct conf *c, struct buf *b)
{
	size_t i;
	int bad = 0;

	for (i = 0; i < c->nrules; i++)
		bad |= put_rule(c, b, &c->rules[i]) | buf_puts(b, "\n");
	return bad;
}

/* A role names a rule by its line in the administrator's file. */
static int
put_lined_rules(const struct conf *c, struct buf *b)
{
	size_t i;
	int bad = 0;

	for (i = 0; i < c->nrules; i++)
		bad |= buf_putf(b, "rule-line %u\n", c->rules[i].line) |
		    put_rule(c, b, &c->rules[i]) | buf_puts(b, "\n");
	return bad;
}

static int
put_relays(const struct conf *c, struct buf *b)
{
	return put_actions(c, b, true, false);
}

static int
put_delivers(const struct conf *c, struct buf *b)
{
	return put_actions(c, b, false, true);
}

static int
put_all_actions(const struct conf *c, struct buf *b)
{
	return put_actions(c, b, true, true);
}

#define BIT(role) (1u << (role))
#define EVERYONE (~0u)
#define ONLY(roles) ((roles) | BIT(ROLE_PARENT))

static const struct {
	unsigned who;
	int (*put)(const struct conf *, struct buf *);
} parts[] = {
	{ EVERYONE, put_run },
	{ EVERYONE, put_hostname },
	{ ONLY(BIT(ROLE_SPOOLER)), put_spool },
	{ ONLY(BIT(ROLE_CONTROL)), put_control },
	{ ONLY(BIT(ROLE_SMTP) | BIT(ROLE_LOOKUP) | BIT(ROLE_MTA)),
	    put_listeners },
	{ ONLY(BIT(ROLE_SMTP)), put_limits },
	{ ONLY(BIT(ROLE_SPOOLER) | BIT(ROLE_LOOKUP) | BIT(ROLE_SCHEDULER)),
	    put_ttl },
	{ ONLY(BIT(ROLE_SPOOLER)), put_queue },
	{ ONLY(BIT(ROLE_SPOOLER)), put_compression },
	{ BIT(ROLE_PARENT), put_encryption },
	{ BIT(ROLE_SPOOLER), put_given },
	{ ONLY(BIT(ROLE_SCHEDULER) | BIT(ROLE_SPOOLER)), put_retry },
	{ ONLY(BIT(ROLE_DNS)), put_resolvers },
	{ ONLY(BIT(ROLE_DNS)), slice_trust_anchor },
	{ BIT(ROLE_DNS), slice_given_anchor },
	{ BIT(ROLE_PARENT), put_tables },
	{ BIT(ROLE_LOOKUP), put_open_tables },
	{ BIT(ROLE_MTA), slice_outgoing_tables },
	{ BIT(ROLE_SPOOLER), slice_table_names },
	{ ONLY(BIT(ROLE_MTA)), slice_limits },
	{ ONLY(BIT(ROLE_LOOKUP) | BIT(ROLE_SPOOLER) | BIT(ROLE_MTA)),
	    slice_pkis },
	{ ONLY(BIT(ROLE_MTA)), put_relays },
	{ ONLY(BIT(ROLE_MDA)), put_delivers },
	{ ONLY(BIT(ROLE_LOOKUP) | BIT(ROLE_SPOOLER)), put_all_actions },
	{ BIT(ROLE_PARENT), put_rules },
	{ BIT(ROLE_LOOKUP), put_lined_rules },
	{ BIT(ROLE_MTA), slice_given_texts },
};

int
conf_print(const struct conf *c, enum role who, struct buf *b)
{
	size_t i;
	int bad = 0;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		/* put_all_actions has these already. */
		if (who == ROLE_PARENT &&
		    (parts[i].put == put_relays ||
			parts[i].put == put_delivers))
			continue;
		if ((parts[i].who & BIT(who)) != 0)
			bad |= parts[i].put(c, b);
	}
	return bad != 0 ? -1 : 0;
}

const char *
conf_action_text(const struct conf_action *a, char *dst, size_t size)
{
	struct buf *b = buf_new(3 * LEX_WORD_MAX);

	put_action(b, a);
	snprintf(dst, size, "%s", buf_text(b));
	buf_free(b);
	return dst;
}

const char *
conf_rule_text(
    const struct conf *c, const struct conf_rule *r, char *dst, size_t size)
{
	struct buf *b = buf_new(8 * LEX_WORD_MAX);

	put_rule(c, b, r);
	snprintf(dst, size, "%s", buf_text(b));
	buf_free(b);
	return dst;
}
