#include "tools/smtpctl/stream.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/cli/cost.h"
#include "lib/cli/exitcode.h"
#include "lib/proto/ctl_client.h"

#define SUBS_MAX 32

struct lines {
	uint64_t seen, lost;
	struct cost *cost; /* profile; NULL: trace */
	bool begun;
};

struct names {
	const char *name[SUBS_MAX];
	size_t n;
};

/* What can be traced by name. */
static size_t
all_names(const char *names[TRACE_SUBS + 2])
{
	size_t n = 0;
	int i;

	for (i = 0; i < TRACE_PROFILE_IMSG; i++)
		names[n++] = trace_name((enum trace_sub)i);
	names[n++] = "transfer"; /* the old name of mta */
	names[n++] = "all";
	return n;
}

/* Takes words apart at commas and completes them. -1 with a reason. */
static int
subsystems(int argc, char *const argv[], struct names *to, struct buf *why)
{
	const char *known[TRACE_SUBS + 2];
	size_t n = all_names(known), len;
	const char *at;
	char word[64];
	int i, hit;

	for (i = 0; i < argc; i++) {
		for (at = argv[i]; *at != '\0'; at += len + (at[len] == ',')) {
			len = strcspn(at, ",");
			snprintf(word, sizeof(word), "%.*s", (int)len, at);
			hit = grammar_choose(known, n, "subsystem", word, why);
			if (hit == -1)
				return -1;
			if (to->n < SUBS_MAX)
				to->name[to->n++] = known[hit];
		}
	}
	return 0;
}

static void
to_out(void *arg, const void *record, size_t len)
{
	(void)out_record(arg, record, len);
}

/* The closing words. People get them on stderr, behind the lines. */
static int
close_stream(struct session *s, struct lines *l)
{
	struct out_end end = {
		.done = l->seen, .skipped = l->lost, .text = ""
	};
	uint64_t shown = out_count(s->out);

	if (l->cost != NULL)
		cost_each(l->cost, to_out, s->out);
	out_finish(s->out, &end);
	fflush(stdout);
	if (!s->o.json)
		fprintf(stderr, "%llu seen, %llu shown, %llu lost\n",
		    (unsigned long long)(l->seen + l->lost),
		    (unsigned long long)shown, (unsigned long long)l->lost);
	return EXIT_DONE;
}

static void
on_line(struct session *s, struct lines *l, const struct ctl_line *line)
{
	l->seen++;
	out_line(s->out, trace_name((enum trace_sub)line->sub), line->when,
	    line->text);
	if (l->cost != NULL)
		(void)cost_add(l->cost, line->text);
}

/* The first LOST says that the roles have been told. */
static void
on_lost(struct session *s, struct lines *l, const struct ctl_lost *lost)
{
	l->lost = lost->lines;
	if (!l->begun && !s->o.json)
		fprintf(stderr, "%s: on, until ^C\n", s->command);
	l->begun = true;
}

static int
read_lines(struct session *s, struct lines *l)
{
	uint64_t deadline = 0;
	struct ctl_event e;

	if (s->o.seconds > 0)
		deadline = mono_ms() + (uint64_t)s->o.seconds * 1000;
	while (s->o.count == 0 || l->seen < s->o.count) {
		if (ctl_client_idle(s->client))
			fflush(stdout);
		switch (ctl_client_next(s->client, deadline, &e)) {
		case CTL_GOT_LINE:
			on_line(s, l, &e.line);
			break;
		case CTL_GOT_LOST:
			on_lost(s, l, &e.lost);
			break;
		case CTL_GOT_NOTHING:
		case CTL_GOT_SIGNAL:
			return close_stream(s, l);
		case CTL_GOT_END:
			return session_fail(s, e.end.status, e.end.text);
		case CTL_GOT_GONE:
			return session_fail(s, EXIT_UNAVAILABLE,
			    "the daemon closed the connection");
		default:
			return session_fail(s, EXIT_PROTOCOL,
			    "the daemon sent what is no trace line");
		}
		if (ferror(stdout))
			return EXIT_IOERR;
		/* A fast stream must not outrun its own time. */
		if (deadline != 0 && mono_ms() >= deadline)
			return close_stream(s, l);
	}
	return close_stream(s, l);
}

/* Switches for the log alone: one request, one end. */
static int
switch_only(struct session *s, const char *command, const char *const *names,
    size_t n, uint32_t flags)
{
	struct out_end end = { .text = "" };
	struct ctl_event e;
	int code = session_open(s);

	if (code != EXIT_DONE)
		return code;
	(void)ctl_client_ask(s->client, command, s->o.reason, flags, names, n);
	if (ctl_client_next(s->client, 0, &e) != CTL_GOT_END)
		return session_fail(
		    s, EXIT_UNAVAILABLE, "the daemon closed the connection");
	if (e.end.status >= EXIT_REFUSED)
		return session_fail(s, e.end.status, e.end.text);
	end.text = e.end.text;
	out_finish(s->out, &end);
	return e.end.status;
}

static int
stream(struct session *s, const char *const *names, size_t n, struct cost *cost)
{
	struct lines l = { .cost = cost };
	int code;

	if (s->o.sticky)
		return switch_only(s, "trace", names, n, CTL_STICKY);
	code = session_open(s);
	if (code != EXIT_DONE)
		return code;
	(void)ctl_client_ask(s->client, "trace", s->o.reason, 0, names, n);
	return read_lines(s, &l);
}

int
stream_trace(
    struct session *s, const struct action *a, int argc, char *const argv[])
{
	struct buf *why = buf_new(4096);
	struct names names = { .n = 0 };
	int code;

	(void)a;
	if (subsystems(argc, argv, &names, why) == -1)
		code = session_fail(s, EXIT_USAGE, buf_text(why));
	else
		code = stream(s, names.name, names.n, NULL);
	buf_free(why);
	return code;
}

int
stream_untrace(
    struct session *s, const struct action *a, int argc, char *const argv[])
{
	struct buf *why = buf_new(4096);
	struct names names = { .n = 0 };
	int code;

	if (a->arg != NULL)
		names.name[names.n++] = a->arg;
	if (subsystems(argc, argv, &names, why) == -1)
		code = session_fail(s, EXIT_USAGE, buf_text(why));
	else
		code = switch_only(s, "untrace", names.name, names.n, 0);
	buf_free(why);
	return code;
}

int
stream_profile(
    struct session *s, const struct action *a, int argc, char *const argv[])
{
	struct cost *cost = cost_new();
	int code;

	(void)argc;
	(void)argv;
	code = stream(s, &a->arg, 1, cost);
	cost_free(cost);
	return code;
}
