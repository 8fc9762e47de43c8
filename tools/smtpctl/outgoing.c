#include "tools/smtpctl/outgoing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/cli/exitcode.h"
#include "lib/cli/row.h"
#include "lib/proto/ctl_client.h"
#include "tools/smtpctl/request.h"

/* An alias may lead to a thousand: nobody reads that many. */
#define PLACES_MAX 20

struct place { /* where mail is relayed */
	char *action, *destination;
};

struct places {
	struct place all[PLACES_MAX];
	size_t n, more; /* more: left out */
};

static int
show_row(struct session *s, void *arg, const void *record, size_t len)
{
	(void)arg;
	return out_record(s->out, record, len);
}

static int
run_with(struct session *s, const struct action *a, int argc,
    char *const argv[], const char *last)
{
	char *with[4];
	int i, n = 0;

	for (i = 0; i < argc && i < 2; i++)
		with[n++] = argv[i];
	with[n] = mem_strdup(last);
	i = request_run(s, a, n + 1, with);
	free(with[n]);
	return i;
}

int
outgoing_list(
    struct session *s, const struct action *a, int argc, char *const argv[])
{
	if (!s->o.why)
		return request_run(s, a, argc, argv);
	return run_with(s, a, argc, argv, "why");
}

int
outgoing_pause(
    struct session *s, const struct action *a, int argc, char *const argv[])
{
	char seconds[24];

	snprintf(seconds, sizeof(seconds), "%lld", (long long)s->o.pause);
	return run_with(s, a, argc, argv, seconds);
}

static void
keep_place(struct places *p, const struct row *r)
{
	const char *action = row_str(r, "action"), *dest = row_str(r, "dest");
	size_t i;

	for (i = 0; i < p->n; i++)
		if (strcmp(p->all[i].action, action) == 0 &&
		    strcmp(p->all[i].destination, dest) == 0)
			return;
	if (p->n == PLACES_MAX) {
		p->more++;
		return;
	}
	p->all[p->n].action = mem_strdup(action);
	p->all[p->n++].destination = mem_strdup(dest);
}

/* Of envelopes that rest for a reason of their own, the mta knows nothing. */
static bool
is_place(const struct row *r)
{
	static const char *const states[] = { "ready", "deferred", "inflight" };
	size_t i;

	if (strcmp(r->type, "target") == 0)
		return strcmp(row_str(r, "carrier"), "mta") == 0;
	if (strcmp(r->type, "why") != 0 ||
	    strcmp(row_str(r, "carrier"), "mta") != 0)
		return false;
	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (strcmp(row_str(r, "state"), states[i]) == 0)
			return true;
	return false;
}

static int
show_place(struct session *s, void *arg, const void *record, size_t len)
{
	struct places *p = arg;
	struct row r;

	if (row_read(&r, record, len) == -1)
		return -1;
	if (is_place(&r))
		keep_place(p, &r);
	return out_record(s->out, record, len);
}

static int
ask(struct session *s, const char *command, const char *const *args, size_t n,
    struct request_sums *sum, request_row row, void *arg)
{
	(void)ctl_client_ask(s->client, command, s->o.reason, 0, args, n);
	return request_answer(s, sum, true, row, arg);
}

/* What the mta has to say of each place. */
static int
show_relays(struct session *s, const struct places *p, struct request_sums *all)
{
	struct request_sums sum;
	const char *args[2];
	size_t i;
	int code;

	for (i = 0; i < p->n; i++) {
		memset(&sum, 0, sizeof(sum));
		args[0] = p->all[i].action;
		args[1] = p->all[i].destination;
		code = ask(s, "explain relay", args, 2, &sum, show_row, NULL);
		if (code != EXIT_DONE)
			return code;
		if (sum.status > all->status) {
			all->status = sum.status;
			snprintf(all->text, sizeof(all->text), "%.200s: %.700s",
			    args[1], sum.text);
		}
	}
	if (p->more > 0 && all->text[0] == '\0')
		snprintf(all->text, sizeof(all->text),
		    "and %zu more places, which are not explained", p->more);
	return EXIT_DONE;
}

/* What is paused as a whole, which the mta does not know. */
static int
show_pauses(struct session *s)
{
	struct request_sums sum = { 0 };

	return ask(s, "explain pauses", NULL, 0, &sum, show_row, NULL);
}

static int
ask_in_turn(struct session *s, const struct action *a, const char *command,
    const char *const *args, size_t n, bool pauses)
{
	struct request_sums sum = { 0 };
	struct places p = { .n = 0 };
	size_t i;
	int code = session_open(s);

	if (code == EXIT_DONE)
		code = ask(s, command, args, n, &sum, show_place, &p);
	if (code == EXIT_DONE && sum.status < EXIT_REFUSED && pauses)
		code = show_pauses(s);
	if (code == EXIT_DONE && sum.status < EXIT_REFUSED)
		code = show_relays(s, &p, &sum);
	if (code == EXIT_DONE)
		code = request_finish(s, a, &sum);
	for (i = 0; i < p.n; i++) {
		free(p.all[i].action);
		free(p.all[i].destination);
	}
	return code;
}

int
outgoing_explain(
    struct session *s, const struct action *a, int argc, char *const argv[])
{
	const char *args[2] = { argv[0], s->o.from };

	(void)argc;
	if (args[1] == NULL || strcmp(args[1], "<>") == 0)
		args[1] = "";
	return ask_in_turn(s, a, "explain rule", args, 2, true);
}

int
outgoing_why(
    struct session *s, const struct action *a, int argc, char *const argv[])
{
	const char *args[1] = { argv[0] };
	char err[256];

	if (strcmp(argv[0], "all") == 0)
		return session_fail(s, EXIT_USAGE,
		    "why is asked of one envelope or message: give its id");
	if (request_check(a->ids, argc, argv, err, sizeof(err)) != NULL)
		return session_fail(s, EXIT_USAGE, err);
	return ask_in_turn(s, a, "why", args, 1, false);
}
