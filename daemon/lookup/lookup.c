#include "daemon/lookup/lookup.h"

#include <stdlib.h>

#include "daemon/conf/network.h"
#include "daemon/edge/ask.h"
#include "daemon/lookup/dryrun.h"
#include "daemon/lookup/expand.h"
#include "daemon/lookup/table.h"
#include "daemon/lookup/user.h"
#include "daemon/proc/answer.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/base/text.h"
#include "lib/mail/addr.h"

struct lookup {
	struct proc *proc;
	const struct conf *conf; /* lent until the next configuration */
	struct tables *tables;
	struct users *users;
	struct network *own;
	size_t nown;
	uint64_t now; /* of this turn, mono_ms */
	uint64_t lookups, rejects, tempfails, targets; /* counters */
};

static enum rule_result
found(enum table_result r)
{
	static const enum rule_result is[] = { [TABLE_NONE] = RULE_NO,
		[TABLE_FOUND] = RULE_YES,
		[TABLE_TROUBLE] = RULE_TROUBLE };

	return is[r];
}

static enum rule_result
has(void *arg, const char *table, const char *key)
{
	struct lookup *l = arg;

	return found(table_find(l->tables, table, key, NULL));
}

static enum rule_result
has_address(void *arg, const char *table, const struct network *address)
{
	struct lookup *l = arg;

	return found(table_find_address(l->tables, table, address));
}

static enum rule_result
alias(void *arg, const char *table, const char *key, const char **value)
{
	struct lookup *l = arg;

	return found(table_find(l->tables, table, key, value));
}

static enum rule_result
user(void *arg, const char *name)
{
	static const enum rule_result is[] = { [USER_NONE] = RULE_NO,
		[USER_FOUND] = RULE_YES,
		[USER_TROUBLE] = RULE_TROUBLE };
	struct lookup *l = arg;

	return is[users_find(l->users, name, l->now)];
}

static void
put_targets(struct lookup *l, struct buf *b, const struct expand *e)
{
	const struct expand_target *t;
	struct ask_target out;
	size_t i;

	for (i = 0; i < expand_count(e); i++) {
		t = expand_target(e, i);
		out.kind = t->action->kind == CONF_RELAY ? ENVELOPE_RELAY
							 : ENVELOPE_DELIVER;
		out.action = t->action->name;
		out.destination = t->destination;
		out.ttl = t->action->ttl != 0 ? t->action->ttl : l->conf->ttl;
		ask_target_put(b, &out);
	}
}

static void
trace_answer(const struct ask_rcpt *q, const struct expand *e)
{
	char sender[ADDR_TEXT_MAX], rcpt[ADDR_TEXT_MAX];

	if (!trace_on(TRACE_LOOKUP))
		return;
	trace(TRACE_LOOKUP,
	    "client=%s sender=%s rcpt=%s targets=%zu reply=\"%s\"", q->client,
	    text_quote(sender, sizeof(sender), q->sender),
	    text_quote(rcpt, sizeof(rcpt), q->recipient), expand_count(e),
	    expand_reply(expand_result(e)));
}

/* The world as it is now. */
static struct expand_world
world_of(struct lookup *l)
{
	const struct expand_world w = {
		.rules = { l->conf, l->own, l->nown, has, has_address, l },
		.alias = alias,
		.user = user,
	};

	l->now = mono_ms();
	tables_now(l->tables, l->now);
	return w;
}

static int
answer(struct lookup *l, struct message *m, enum role who)
{
	struct expand_world world;
	struct peer *peer = proc_peer(l->proc, who);
	struct ask_answer a = { .verdict = ASK_ACCEPT };
	struct ask_rcpt q;
	struct expand *e;
	struct buf *b;

	if (ask_rcpt_get(&m->body, &q) == -1)
		return -1;
	world = world_of(l);
	e = expand_run(&world, q.client, q.sender, q.recipient);
	trace_answer(&q, e);
	l->lookups++;
	l->targets += expand_count(e);
	if (expand_result(e) == EXPAND_TROUBLE) {
		a.verdict = ASK_TEMPFAIL;
		l->tempfails++;
	} else if (expand_result(e) != EXPAND_OK) {
		a.verdict = ASK_REJECT;
		l->rejects++;
	}
	a.ticket = q.ticket;
	a.reply = expand_reply(expand_result(e));
	a.n = (uint16_t)expand_count(e);
	b = peer_begin(peer);
	ask_answer_put(b, &a);
	put_targets(l, b, e);
	peer_send(peer, ASK_ANSWER);
	expand_free(e);
	return 0;
}

static int
on_smtp_ask(void *arg, struct message *m)
{
	return answer(arg, m, ROLE_SMTP);
}

static int
on_spooler_ask(void *arg, struct message *m)
{
	return answer(arg, m, ROLE_SPOOLER);
}

static int
on_explain(
    void *arg, struct answer *a, const struct query_ask *q, struct unpack *args)
{
	struct expand_world world = world_of(arg);

	dryrun_answer(&world, a, q, args);
	return 0;
}

static const struct answer_entry answers[] = {
	{ QUERY_EXPLAIN_RULE, on_explain },
};

static void *
prepare(struct proc *p, const struct conf *conf)
{
	struct lookup *l = mem_zalloc(sizeof(*l));

	l->proc = p;
	l->conf = conf;
	l->users = users_new();
	return l;
}

static void
configure(void *arg, const struct conf *conf)
{
	struct lookup *l = arg;

	l->conf = conf;
	l->tables = tables_new(conf, l->tables);
	tables_now(l->tables, mono_ms());
	free(l->own);
	l->own = network_own(&l->nown);
}

static void
start(void *arg)
{
	struct lookup *l = arg;

	answer_register(
	    l->proc, answers, sizeof(answers) / sizeof(answers[0]), l);
	answer_counter(l->proc, "lookups", &l->lookups);
	answer_counter(l->proc, "rejects", &l->rejects);
	answer_counter(l->proc, "tempfails", &l->tempfails);
	answer_counter(l->proc, "targets", &l->targets);
}

static const struct handler from_smtp[] = {
	{ ASK_RCPT, "ask-rcpt", on_smtp_ask },
};
static const struct handler from_spooler[] = {
	{ ASK_RCPT, "ask-rcpt", on_spooler_ask },
};
static const struct proc_peer peers[] = {
	{ ROLE_SMTP, from_smtp, 1 },
	{ ROLE_SPOOLER, from_spooler, 1 },
};

const struct proc_role lookup_role = {
	.id = ROLE_LOOKUP,
	.keeps_root = true,
	.peers = peers,
	.npeers = sizeof(peers) / sizeof(peers[0]),
	.prepare = prepare,
	.start = start,
	.configure = configure,
};
