/*
 * cat - envelopes and messages in clear text, wherever and however stored
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "lib/mail/envelope.h"
#include "lib/proto/record.h"
#include "tools/qtool/commands.h"
#include "tools/qtool/content.h"
#include "tools/qtool/outlet.h"
#include "tools/qtool/sight.h"

#define CHUNK 65536u
#define PREFIX_MIN 6
#define NAMES_MAX 65536 /* envelopes that one id may name */

enum part {
	PART_AUTO, /* of an envelope's id its text, else the message */
	PART_ENVELOPE,
	PART_HEADERS,
	PART_BODY,
	PART_EML,
	PART_RAW,
	PART_MBOX
};

static const char *const suffixes[] = {
	[PART_ENVELOPE] = "env",
	[PART_HEADERS] = "hdr",
	[PART_BODY] = "body",
	[PART_EML] = "eml",
	[PART_RAW] = "raw",
	[PART_MBOX] = "mbox",
};

struct cat {
	struct qtool *t;
	enum part part;
	unsigned redact;
	const char *dir; /* NULL: standard output */
	int dirfd;
	uint64_t *found; /* by the id at hand: evpids */
	size_t n, room;
	unsigned shown;
};

static void
keep(void *part, const struct view_envelope *ve)
{
	struct cat *c = part;

	if (c->n == NAMES_MAX)
		return;
	if (c->n == c->room) {
		c->room = c->room == 0 ? 64 : c->room * 2;
		c->found = mem_rearray(c->found, c->room, sizeof(*c->found));
	}
	c->found[c->n++] = ve->evpid;
}

/* A message without any envelope can be looked at all the same. */
static void
keep_alone(void *part, const struct view_message *m)
{
	struct cat *c = part;

	if (m->envelopes == 0 && m->status != VIEW_GONE && c->n < NAMES_MAX) {
		c->found = mem_rearray(c->found, c->n + 1, sizeof(*c->found));
		c->room = c->n + 1;
		c->found[c->n++] = ident_evpid(m->msgid, 0);
	}
}

static int
resolve(struct cat *c, const char *id, uint64_t *lo, uint64_t *hi)
{
	const struct view_visitor to = {
		.message = keep_alone, .envelope = keep, .ctx = c
	};
	size_t len = strlen(id);
	unsigned open;

	if (len < PREFIX_MIN || len > IDENT_EVPID_DIGITS ||
	    strspn(id, "0123456789abcdef") != len)
		return qtool_fail(c->t, EXIT_USAGE,
		    "'%.40s' is no id: 12 hex digits name a message, 16 an "
		    "envelope; 6 or more that are unique will do",
		    id);
	open = (unsigned)(IDENT_EVPID_DIGITS - len) * 4;
	*lo = strtoull(id, NULL, 16) << open;
	*hi = open == 0 ? *lo : *lo | ((UINT64_C(1) << open) - 1);
	c->n = 0;
	view_find(c->t->view, *lo, *hi, &to, 0);
	if (c->n == 0)
		return qtool_fail(
		    c->t, EXIT_NOINPUT, "there is no %s in the spool", id);
	if (len < IDENT_MSGID_DIGITS &&
	    ident_msgid(c->found[0]) != ident_msgid(c->found[c->n - 1]))
		return qtool_fail(c->t, EXIT_NOINPUT,
		    "%s is the beginning of several ids; give more of it", id);
	return EXIT_DONE;
}

/* Standard output, or a new file of that name. */
static FILE *
open_to(struct cat *c, uint64_t id, enum part part, int *code)
{
	char name[64], text[IDENT_TEXT_MAX];
	FILE *f = NULL;
	int fd;

	*code = EXIT_DONE;
	if (c->dir == NULL)
		return stdout;
	snprintf(name, sizeof(name), "%s.%s",
	    ident_rcpt(id) == 0 ? ident_msgid_text(text, ident_msgid(id))
				: ident_evpid_text(text, id),
	    suffixes[part]);
	fd = openat(c->dirfd, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd != -1 && (f = fdopen(fd, "w")) == NULL)
		close(fd);
	if (f == NULL)
		*code = qtool_fail(c->t, EXIT_CANTCREAT, "%s/%s: %s", c->dir,
		    name, strerror(errno));
	return f;
}

static int
close_to(struct cat *c, FILE *f, int code)
{
	bool failed = ferror(f) != 0;

	if (f != stdout && fclose(f) == EOF)
		failed = true;
	if (failed && code == EXIT_DONE)
		return qtool_fail(c->t, EXIT_IOERR, "writing failed");
	return code;
}

static struct outlet *
make_outlet(struct cat *c, FILE *to, enum part part)
{
	const struct outlet_options o = { .to = to,
		.redact = c->redact,
		.header = part != PART_ENVELOPE,
		.headers_only = part == PART_HEADERS,
		.body_only = part == PART_BODY,
		.mbox = part == PART_MBOX,
		.terminal = to == stdout && isatty(STDOUT_FILENO) };

	return outlet_new(&o);
}

static int
refuse(
    struct cat *c, const char *id, enum view_status status, const char *reason)
{
	return qtool_fail(c->t,
	    status == VIEW_LOCKED            ? EXIT_CONFIG
		: status == VIEW_GONE        ? EXIT_NOINPUT
		: status == VIEW_UNAVAILABLE ? EXIT_NOPERM
					     : EXIT_DATAERR,
	    "%s: %s%s", id, reason,
	    status == VIEW_LOCKED ? "; name the ring with --keyring" : "");
}

struct envelope_text {
	struct cat *c;
	int code;
};

/* With -j: its fields. */
static void
show_object(struct cat *c, const struct view_envelope *ve)
{
	struct buf *b = buf_new(SIGHT_RECORD_MAX);
	struct sight s;

	sight_read(&s, ve, c->t->now);
	sight_put(&s, c->t->busy, b);
	if (!s.parsed && ve->text != NULL)
		record_str(b, "text", ve->text);
	(void)out_record(c->t->out, buf_data(b), buf_len(b));
	sight_clear(&s);
	buf_free(b);
}

/* With -j: the text, or its header. */
static int
cat_object(struct cat *c, uint64_t msgid, enum part part)
{
	struct content *text =
	    content_open(c->t->view, msgid, part == PART_HEADERS);
	struct buf *b = buf_new(CONTENT_MAX + 4096);
	char id[IDENT_TEXT_MAX];
	int code = EXIT_DONE;

	record_begin(b, "message");
	record_str(b, "msgid", ident_msgid_text(id, msgid));
	if (text == NULL)
		code = refuse(c, id, VIEW_BROKEN, "it cannot be read");
	else
		record_str(b, "text", content_text(text));
	if (text != NULL)
		(void)out_record(c->t->out, buf_data(b), buf_len(b));
	content_free(text);
	buf_free(b);
	return code;
}

static void
show_text(void *part, const struct view_envelope *ve)
{
	struct envelope_text *x = part;
	struct cat *c = x->c;
	char id[IDENT_TEXT_MAX];
	struct outlet *o;
	const char *check;
	size_t len = ve->len;
	FILE *to;

	if (c->t->o.json) {
		show_object(c, ve);
		return;
	}
	ident_evpid_text(id, ve->evpid);
	if (ve->text == NULL) {
		x->code = refuse(c, id, ve->status,
		    ve->reason != NULL ? ve->reason : "it has no text");
		return;
	}
	if ((to = open_to(c, ve->evpid, PART_ENVELOPE, &x->code)) == NULL)
		return;
	/* The check of what is left out does not fit. */
	check = c->redact == 0 ? NULL : memmem(ve->text, len, "\ncheck:", 7);
	if (check != NULL)
		len = (size_t)(check - ve->text) + 1;
	if (to == stdout && c->shown++ > 0)
		putchar('\n');
	o = make_outlet(c, to, PART_ENVELOPE);
	outlet_write(o, ve->text, len);
	outlet_end(o);
	if (ve->status != VIEW_WHOLE)
		qtool_note(c->t, "%s: %s", id, ve->reason);
	x->code = close_to(c, to, x->code);
}

/* Of a message no envelope is known: its key is missing, or it has none. */
static int
no_envelope(struct cat *c, uint64_t msgid)
{
	struct view_message m;
	struct view_stream *s = view_stream_open(c->t->view, msgid, &m);
	char id[IDENT_TEXT_MAX];

	ident_msgid_text(id, msgid);
	if (s == NULL)
		return refuse(c, id, m.status, m.reason);
	view_stream_close(s);
	return refuse(c, id, VIEW_GONE, "a message without any envelope");
}

static int
cat_envelope(struct cat *c, uint64_t evpid)
{
	struct envelope_text x = { .c = c };
	const struct view_visitor to = { .envelope = show_text, .ctx = &x };

	if (ident_rcpt(evpid) == 0)
		return no_envelope(c, ident_msgid(evpid));
	view_find(c->t->view, evpid, evpid, &to,
	    VIEW_TEXTS | (c->t->o.json ? VIEW_HEADS : 0));
	return x.code;
}

static int
cat_raw(struct cat *c, uint64_t id)
{
	char chunk[CHUNK], text[IDENT_TEXT_MAX];
	uint64_t at, len;
	int code, fd = view_raw(c->t->view, id, &at, &len);
	size_t want;
	ssize_t n;
	FILE *to;

	if (fd == -1)
		return qtool_fail(c->t,
		    errno == ENOENT ? EXIT_NOINPUT : EXIT_NOPERM, "%s: %s%s",
		    ident_evpid_text(text, id), layout_reason(errno),
		    errno == ENOENT ? " (what only the journal has is shown "
				      "without --raw)"
				    : "");
	if ((to = open_to(c, id, PART_RAW, &code)) == NULL) {
		close(fd);
		return code;
	}
	for (; len > 0; at += (uint64_t)n, len -= (uint64_t)n) {
		want = len < sizeof(chunk) ? (size_t)len : sizeof(chunk);
		if ((n = pread(fd, chunk, want, (off_t)at)) <= 0)
			break;
		fwrite(chunk, 1, (size_t)n, to);
	}
	close(fd);
	if (len > 0)
		code = qtool_fail(c->t, EXIT_IOERR, "%s: it cannot be read",
		    ident_evpid_text(text, id));
	return close_to(c, to, code);
}

/* "From sender date", by the message's first envelope. */
static void
mbox_line(struct view_stream *s, const struct view_message *m, FILE *to)
{
	struct envelope e;
	char when[64], reason[64];
	time_t arrived = (time_t)m->arrived;
	struct tm tm;
	size_t len = 0;
	char *record = view_stream_record(s, &len);
	const char *sender = "MAILER-DAEMON", *end;

	envelope_init(&e);
	end = record == NULL ? NULL : memmem(record, len, "\ncheck: ", 8);
	if (end != NULL && (end = strchr(end + 1, '\n')) != NULL &&
	    envelope_parse(&e, record, (size_t)(end - record) + 1, reason,
		sizeof(reason)) == ENVELOPE_OK &&
	    e.sender[0] != '\0' && strchr(e.sender, ' ') == NULL)
		sender = e.sender;
	gmtime_r(&arrived, &tm);
	strftime(when, sizeof(when), "%a %b %e %H:%M:%S %Y", &tm);
	fprintf(to, "From %s %s\n", sender, when);
	envelope_clear(&e);
	free(record);
}

static int
cat_message(struct cat *c, uint64_t msgid, enum part part)
{
	struct view_message m;
	struct view_stream *s = view_stream_open(c->t->view, msgid, &m);
	char chunk[CHUNK], id[IDENT_TEXT_MAX];
	struct outlet *o;
	ssize_t n = 1;
	FILE *to;
	int code;

	ident_msgid_text(id, msgid);
	if (s == NULL)
		return refuse(c, id, m.status, m.reason);
	to = open_to(c, ident_evpid(msgid, 0), part, &code);
	if (to == NULL) {
		view_stream_close(s);
		return code;
	}
	if (part == PART_MBOX)
		mbox_line(s, &m, to);
	o = make_outlet(c, to, part);
	while (n > 0 && !outlet_enough(o)) {
		n = view_stream_read(s, chunk, sizeof(chunk));
		if (n > 0)
			outlet_write(o, chunk, (size_t)n);
	}
	outlet_end(o);
	if (part == PART_MBOX)
		putc('\n', to);
	if (n == -1)
		code = refuse(c, id, VIEW_BROKEN, view_stream_why(s));
	view_stream_close(s);
	c->shown++;
	return close_to(c, to, code);
}

/* All that one argument names. */
static int
cat_id(struct cat *c, const char *id)
{
	enum part part = c->part;
	uint64_t lo = 0, hi = 0;
	int code = resolve(c, id, &lo, &hi);
	size_t i;

	if (code != EXIT_DONE)
		return code;
	if (part == PART_AUTO)
		part = lo == hi ? PART_ENVELOPE : PART_EML;
	if (part == PART_RAW)
		return cat_raw(c,
		    lo == hi ? lo : ident_evpid(ident_msgid(c->found[0]), 0));
	if (part != PART_ENVELOPE && part != PART_MBOX && c->dir == NULL &&
	    c->shown > 0)
		return qtool_fail(c->t, EXIT_USAGE,
		    "several messages want --mbox or --out DIR");
	if (part != PART_ENVELOPE && c->t->o.json)
		return cat_object(c, ident_msgid(c->found[0]), part);
	if (part != PART_ENVELOPE)
		return cat_message(c, ident_msgid(c->found[0]), part);
	for (i = 0; i < c->n && code == EXIT_DONE; i++)
		code = cat_envelope(c, c->found[i]);
	return code;
}

enum {
	OPT_REDACT = QTOOL_OPTION_FIRST,
	OPT_OUT,
	OPT_PART /* and the parts behind it */
};

static const struct option longs[] = {
	{ "redact", required_argument, NULL, OPT_REDACT },
	{ "out", required_argument, NULL, OPT_OUT },
	{ "envelope", no_argument, NULL, OPT_PART + PART_ENVELOPE },
	{ "headers", no_argument, NULL, OPT_PART + PART_HEADERS },
	{ "body", no_argument, NULL, OPT_PART + PART_BODY },
	{ "eml", no_argument, NULL, OPT_PART + PART_EML },
	{ "raw", no_argument, NULL, OPT_PART + PART_RAW },
	{ "mbox", no_argument, NULL, OPT_PART + PART_MBOX },
	{ NULL, 0, NULL, 0 },
};

static int
take_option(struct cat *c, int opt)
{
	if (opt == OPT_REDACT) {
		c->redact = outlet_redaction(optarg);
		if (c->redact != 0)
			return 0;
		return qtool_fail(c->t, EXIT_USAGE,
		    "--redact takes addr, subject and body, with commas");
	}
	if (opt == OPT_OUT) {
		c->dir = optarg;
		return 0;
	}
	if (opt < OPT_PART)
		return EXIT_USAGE;
	if (c->part != PART_AUTO && c->part != (enum part)(opt - OPT_PART))
		return qtool_fail(c->t, EXIT_USAGE,
		    "one of --envelope --headers --body --eml --raw --mbox");
	c->part = (enum part)(opt - OPT_PART);
	return 0;
}

int
cat_run(struct qtool *t, int argc, char *argv[])
{
	struct cat c = { .t = t, .dirfd = -1 };
	int opt, code = 0, i;

	while (
	    code == 0 && (opt = qtool_getopt(t, argc, argv, "", longs)) != -1)
		code = take_option(&c, opt);
	if (code == 0 && t->o.json &&
	    (c.redact != 0 || c.dir != NULL || c.part == PART_RAW))
		code = qtool_fail(t, EXIT_USAGE,
		    "-j goes with neither --redact nor --out nor --raw");
	if (code == 0 && c.part == PART_RAW && c.redact != 0)
		code = qtool_fail(t, EXIT_USAGE,
		    "what is raw cannot be redacted: leave one out");
	if (code == 0 && c.dir != NULL) {
		c.dirfd = open(c.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (c.dirfd == -1)
			code = qtool_fail(t, EXIT_CANTCREAT, "%s: %s", c.dir,
			    strerror(errno));
	}
	if (code == 0)
		code = qtool_open(t);
	if (code == 0)
		qtool_begin(t, OUT_LIST);
	for (i = optind; code == 0 && i < argc; i++)
		code = cat_id(&c, argv[i]);
	if (code == 0 && t->o.json)
		(void)qtool_end(t, code, 0, 0, "");
	free(c.found);
	if (c.dirfd != -1)
		close(c.dirfd);
	return code;
}
