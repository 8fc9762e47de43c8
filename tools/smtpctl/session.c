#include "tools/smtpctl/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/mono.h"
#include "lib/base/text.h"
#include "lib/cli/exitcode.h"
#include "lib/cli/terminal.h"
#include "lib/proto/ctl_client.h"

static void
make_out(struct session *s)
{
	struct out_options o = { .form = s->o.json ? OUT_JSON : s->form,
		.to = stdout,
		.width = terminal_width(),
		.now = mono_wall(),
		.why = s->o.why,
		.host = s->client != NULL ? ctl_client_host(s->client) : "",
		.command = s->command != NULL ? s->command : "" };

	s->out = out_new(&o);
}

int
session_fail(struct session *s, int code, const char *text)
{
	struct out_end end = { .status = code, .text = text };
	char clean[2048];

	if (s->o.json) {
		if (s->out == NULL)
			make_out(s);
		out_finish(s->out, &end);
	}
	fflush(stdout);
	fprintf(stderr, "smtpctl: %s: %s\n", exitcode_name((enum exitcode)code),
	    text_printable(clean, sizeof(clean), text));
	return code;
}

void
session_note(struct session *s, const char *text)
{
	char clean[2048];

	if (s->o.json || text[0] == '\0' || out_count(s->out) == 0)
		return;
	fflush(stdout);
	fprintf(stderr, "smtpctl: %s\n",
	    text_printable(clean, sizeof(clean), text));
}

int
session_open(struct session *s)
{
	char err[512];
	int code;

	s->client = ctl_client_open(s->o.socket, &code, err, sizeof(err));
	if (s->client == NULL)
		return session_fail(s, code, err);
	make_out(s);
	return EXIT_DONE;
}

void
session_close(struct session *s)
{
	out_free(s->out);
	ctl_client_free(s->client);
}
