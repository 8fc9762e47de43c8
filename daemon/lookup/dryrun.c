#include "daemon/lookup/dryrun.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/cli/exitcode.h"
#include "lib/mail/addr.h"
#include "lib/proto/record.h"

#define RULE_TEXT_MAX 1024
#define ACTION_TEXT_MAX 512

static const char *const causes[EXPAND_VERDICTS] = {
	[EXPAND_OK] = "",
	[EXPAND_REJECTED] = "no-rule",
	[EXPAND_SYNTAX] = "syntax",
	[EXPAND_NO_USER] = "no-user",
	[EXPAND_LOOP] = "loop",
	[EXPAND_WIDE] = "too-many",
	[EXPAND_TROUBLE] = "lookup-trouble",
};

/* The rule that decides about the address itself, before its aliases. */
static enum rule_result
rule_of(const struct expand_world *w, const char *recipient, const char *sender,
    const struct conf_rule **rule)
{
	struct rule_question q = { .client = "local" };
	char key[ADDR_TEXT_MAX];
	struct addr a;

	*rule = NULL;
	if (addr_parse(&a, recipient, strlen(recipient), true, true) !=
		ADDR_OK ||
	    addr_is_null(&a))
		return RULE_NO;
	if (a.domain[0] == '\0')
		snprintf(
		    a.domain, sizeof(a.domain), "%s", w->rules.conf->hostname);
	text_lower(a.domain);
	snprintf(key, sizeof(key), "%s", sender);
	text_lower(key);
	q.sender = key;
	q.domain = a.domain;
	return rule_find(&w->rules, &q, rule);
}

static const char *
verdict_name(enum expand_verdict v, const struct conf_rule *rule)
{
	if (v == EXPAND_OK)
		return "accepted";
	if (v == EXPAND_TROUBLE)
		return "later";
	return v == EXPAND_REJECTED && rule == NULL ? "no rule" : "refused";
}

static void
send_rule(const struct expand_world *w, struct answer *a, const char *recipient,
    const char *sender, enum expand_verdict v)
{
	const struct conf_rule *rule = NULL;
	enum rule_result found = rule_of(w, recipient, sender, &rule);
	char text[RULE_TEXT_MAX] = "";
	const char *cause = causes[v];
	struct buf *b = answer_row(a);

	if (found == RULE_YES && !rule->accept && v == EXPAND_REJECTED)
		cause = "rejected";
	if (rule != NULL)
		conf_rule_text(w->rules.conf, rule, text, sizeof(text));
	record_begin(b, "rule");
	record_str(b, "rcpt", recipient);
	record_str(b, "sender", sender);
	record_str(b, "verdict", verdict_name(v, rule));
	record_u64(b, "line", rule != NULL ? rule->line : 0);
	record_str(b, "text", text);
	record_str(b, "reply", expand_reply(v));
	record_str(b, "cause", cause);
	answer_send(a);
}

static void
send_target(struct answer *a, const struct expand_target *t)
{
	char text[ACTION_TEXT_MAX];
	struct buf *b = answer_row(a);

	record_begin(b, "target");
	record_str(b, "dest", t->destination);
	record_str(b, "action", t->action->name);
	record_str(b, "carrier", t->action->kind == CONF_RELAY ? "mta" : "mda");
	record_str(b, "text", conf_action_text(t->action, text, sizeof(text)));
	answer_send(a);
}

void
dryrun_answer(const struct expand_world *w, struct answer *a,
    const struct query_ask *q, struct unpack *args)
{
	const char *recipient, *sender;
	struct expand *e;
	size_t i;

	if (q->n != 2) {
		answer_end(
		    a, EXIT_USAGE, 0, 0, "a recipient and a sender are wanted");
		return;
	}
	recipient = unpack_str(args);
	sender = unpack_str(args);
	if (strlen(recipient) >= ADDR_TEXT_MAX ||
	    strlen(sender) >= ADDR_TEXT_MAX) {
		answer_end(a, EXIT_USAGE, 0, 0, "an address is too long");
		return;
	}
	e = expand_run(w, "local", sender, recipient);
	if (expand_result(e) == EXPAND_SYNTAX) {
		answer_end(a, EXIT_USAGE, 0, 0,
		    "that is no address: local@domain is wanted");
		expand_free(e);
		return;
	}
	send_rule(w, a, recipient, sender, expand_result(e));
	for (i = 0; i < expand_count(e); i++)
		send_target(a, expand_target(e, i));
	answer_end(a, EXIT_DONE, (uint32_t)expand_count(e), 0, "");
	expand_free(e);
}
