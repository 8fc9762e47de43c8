#include "tools/smtpctl/request.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "lib/cli/exitcode.h"
#include "lib/proto/ctl_client.h"

#define BATCH 1000 /* ids of one request */
#define PREFIX_MIN 6

static bool
is_prefix(const char *id)
{
	size_t len = strlen(id);

	return len >= PREFIX_MIN && len <= IDENT_EVPID_DIGITS &&
	    strspn(id, "0123456789abcdef") == len;
}

static bool
is_whole(const char *id)
{
	uint64_t v;

	return ident_msgid_parse(id, &v) || ident_evpid_parse(id, &v);
}

const char *
request_check(
    enum ids ids, int argc, char *const argv[], char *err, size_t size)
{
	int i;

	for (i = 0; i < argc; i++) {
		if (ids == IDS_NONE)
			break;
		if (strcmp(argv[i], "all") == 0 &&
		    (ids == IDS_ALL || ids == IDS_PREFIX)) {
			if (argc == 1)
				break;
			snprintf(err, size, "all stands alone");
			return err;
		}
		if (ids == IDS_PREFIX ? is_prefix(argv[i]) : is_whole(argv[i]))
			continue;
		snprintf(err, size,
		    "'%s' is no id: 12 hex digits name a message, 16 an "
		    "envelope%s",
		    argv[i],
		    ids == IDS_PREFIX    ? "; 6 or more that are unique will do"
			: ids == IDS_ALL ? "; all names every one"
					 : "");
		return err;
	}
	return NULL;
}

static void
add_end(struct request_sums *sum, const struct ctl_end *end, bool first)
{
	if (end->status > sum->status)
		sum->status = end->status;
	sum->done += end->done;
	sum->skipped += end->skipped;
	/* Of several batches the counts say it all, unless one failed. */
	if (first || end->status >= EXIT_REFUSED)
		strlcpy(sum->text, end->text, sizeof(sum->text));
	else
		sum->text[0] = '\0';
}

static int
show_row(struct session *s, void *arg, const void *record, size_t len)
{
	(void)arg;
	return out_record(s->out, record, len);
}

int
request_answer(struct session *s, struct request_sums *sum, bool first,
    request_row row, void *arg)
{
	struct ctl_event e;

	for (;;) {
		if (ctl_client_idle(s->client))
			fflush(stdout);
		switch (ctl_client_next(s->client, 0, &e)) {
		case CTL_GOT_ROW:
			if (row(s, arg, e.row.record, e.row.len) == 0)
				break;
			return session_fail(
			    s, EXIT_PROTOCOL, "the daemon sent a bad record");
		case CTL_GOT_END:
			add_end(sum, &e.end, first);
			return EXIT_DONE;
		case CTL_GOT_SIGNAL:
			return session_fail(s, EXIT_TEMPFAIL,
			    "interrupted; what was asked for may be done");
		case CTL_GOT_GONE:
			return session_fail(s, EXIT_UNAVAILABLE,
			    "the daemon closed the connection");
		default:
			return session_fail(s, EXIT_PROTOCOL,
			    "the daemon sent what is no answer");
		}
		if (ferror(stdout))
			return EXIT_IOERR;
	}
}

int
request_finish(
    struct session *s, const struct action *a, const struct request_sums *sum)
{
	struct out_end end = { .status = sum->status,
		.done = sum->done,
		.skipped = sum->skipped,
		.text = sum->text };

	if (sum->status >= EXIT_REFUSED)
		return session_fail(s, sum->status,
		    sum->text[0] != '\0' ? sum->text : "it failed");
	/* "1 done" of what is not counted in envelopes says nothing. */
	if (a->ids == IDS_NONE && !s->o.json)
		end.done = 0;
	out_finish(s->out, &end);
	session_note(s, sum->text);
	return sum->status;
}

int
request_run(
    struct session *s, const struct action *a, int argc, char *const argv[])
{
	struct request_sums sum = { 0 };
	char err[256];
	const char *command = a->command != NULL ? a->command : s->command;
	int code, n, at = 0;

	if (request_check(a->ids, argc, argv, err, sizeof(err)) != NULL)
		return session_fail(s, EXIT_USAGE, err);
	if (a->ids == IDS_PREFIX && argc == 1 && strcmp(argv[0], "all") == 0)
		argc = 0;
	code = session_open(s);
	if (code != EXIT_DONE)
		return code;
	do {
		n = argc - at < BATCH ? argc - at : BATCH;
		/* When it cannot be written, why is there to be read. */
		(void)ctl_client_ask(s->client, command, s->o.reason, 0,
		    (const char *const *)argv + at, (size_t)n);
		code = request_answer(s, &sum, at == 0, show_row, NULL);
		if (code != EXIT_DONE)
			return code;
		at += n;
	} while (at < argc);
	return request_finish(s, a, &sum);
}
