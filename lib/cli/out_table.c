#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/cli/exitcode.h"
#include "lib/cli/out_table.h"

#define CELL_MAX OUT_CELL_MAX
#define ID_MAX 40
#define ENVELOPE_USED 55 /* columns before the recipient */
#define WIDE_USED 117 /* before the error */
#define HOST_WIDTH 30
#define HOST_USED 66 /* before the error */
#define COST_USED 49 /* before the operation */
#define ROLE_USED 25 /* columns before key=value */

static char
state_letter(const char *state)
{
	static const struct {
		const char *state;
		char letter;
	} letters[] = {
		{ "ready", 'R' },
		{ "deferred", 'D' },
		{ "held", 'H' },
		{ "inflight", 'I' },
		{ "paused", 'P' },
		{ "bounce", 'B' },
		{ "failed", 'B' },
		{ "corrupt", 'X' },
		{ "broken", 'X' },
		{ "locked", 'L' },
		{ "unavailable", 'X' },
		{ "locked", 'L' },
		{ "offline", 'O' },
	};
	size_t i;

	for (i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		if (strcmp(letters[i].state, state) == 0)
			return letters[i].letter;
	return '?';
}

/* Remote text, cut to what is left of the line behind used columns. */
void
out_put_rest(struct out_shared *s, unsigned used, const char *text)
{
	char cell[CELL_MAX];
	size_t room = sizeof(cell);

	if (s->o.width > 0)
		room = s->o.width > used ? s->o.width - used + 1 : 1;
	if (room > sizeof(cell))
		room = sizeof(cell);
	fputs(text_printable(cell, room, text), s->o.to);
	putc('\n', s->o.to);
}

/* A span in five columns: 22h, not 22h10m; 12d, not 12d03h. */
const char *
out_span_cell(char span[TEXT_SPAN_MAX], int64_t seconds)
{
	text_span(span, seconds);
	if (strlen(span) > 5)
		span[strcspn(span, "dh") + 1] = '\0';
	return span;
}

static const char *
next_cell(struct out_shared *s, const struct row *r, char span[TEXT_SPAN_MAX])
{
	int64_t next = (int64_t)row_u64(r, "next_try");

	switch (state_letter(row_str(r, "state"))) {
	case 'H':
	case 'P':
		return "hold";
	case 'I':
	case 'L':
	case 'X':
		return "-";
	default:
		break;
	}
	if (next <= s->o.now)
		return "now";
	return out_span_cell(span, next - s->o.now);
}

/* No part is cut but the last: it was asked for. */
static void
put_wide(struct out_shared *s, const struct row *r)
{
	const char *why = row_str(r, "error");
	char cell[CELL_MAX];

	if (why[0] == '\0')
		why = row_str(r, "reason");
	fprintf(s->o.to, "%-30s ",
	    text_printable(cell, sizeof(cell), row_str(r, "rcpt")));
	text_printable(cell, sizeof(cell), row_str(r, "sender"));
	fprintf(s->o.to, "%-30s ", cell[0] == '\0' ? "<>" : cell);
	out_put_rest(s, WIDE_USED, why);
}

static void
envelope_row(struct out_shared *s, const struct row *r)
{
	char age[TEXT_SPAN_MAX], next[TEXT_SPAN_MAX], size[TEXT_SPAN_MAX];
	char id[ID_MAX];
	int64_t arrived = (int64_t)row_u64(r, "arrival_time");

	out_span_cell(age, arrived > 0 ? s->o.now - arrived : 0);
	fprintf(s->o.to, "%-30s %c %3llu %5s %5s %5s ",
	    text_printable(id, sizeof(id), row_str(r, "evpid")),
	    state_letter(row_str(r, "state")),
	    (unsigned long long)row_u64(r, "tries"), age, next_cell(s, r, next),
	    text_size(size, row_u64(r, "message_size")));
	if (s->o.wide)
		put_wide(s, r);
	else
		out_put_rest(s, ENVELOPE_USED, row_str(r, "rcpt"));
}

/* HOST is a name and its address, which are long: two lines where it is. */
static void
host_row(struct out_shared *s, const struct row *r)
{
	char host[256], state[16], age[TEXT_SPAN_MAX];
	int64_t last = (int64_t)row_u64(r, "last_connect");

	text_printable(host, sizeof(host), row_str(r, "host"));
	if (strlen(host) > HOST_WIDTH)
		fprintf(s->o.to, "%s\n%*s", host, HOST_WIDTH, "");
	else
		fprintf(s->o.to, "%-*s", HOST_WIDTH, host);
	fprintf(s->o.to, " %-10s %4llu %7llu %4llu %5s ",
	    text_printable(state, sizeof(state), row_str(r, "state")),
	    (unsigned long long)row_u64(r, "connections"),
	    (unsigned long long)row_u64(r, "delivered"),
	    (unsigned long long)row_u64(r, "failures"),
	    last > 0 ? out_span_cell(age, s->o.now - last) : "-");
	out_put_rest(s, HOST_USED, row_str(r, "error"));
	out_put_note(s, "reason", row_str(r, "reason"));
}

/* A value as one word, for key=value. */
static const char *
word_of(const struct record_field *f, char cell[CELL_MAX])
{
	switch (f->kind) {
	case RECORD_STR:
		return text_quote(cell, CELL_MAX, f->str);
	case RECORD_U64:
		snprintf(cell, CELL_MAX, "%llu", (unsigned long long)f->u64);
		break;
	case RECORD_I64:
		snprintf(cell, CELL_MAX, "%lld", (long long)f->i64);
		break;
	case RECORD_BOOL:
		return f->flag ? "yes" : "no";
	}
	return cell;
}

/* key=value words from field number from on, wrapped behind indent columns. */
static void
put_words(struct out_shared *s, const struct row *r, size_t from,
    unsigned indent, unsigned used)
{
	char cell[CELL_MAX], word[CELL_MAX + 64], name[64];
	unsigned len, at = used;
	size_t i;

	for (i = from; i < r->n; i++) {
		if (strcmp(r->fields[i].name, "alarm") == 0)
			continue;
		snprintf(word, sizeof(word), "%s=%s",
		    text_printable(name, sizeof(name), r->fields[i].name),
		    word_of(&r->fields[i], cell));
		len = (unsigned)strlen(word) + 1;
		if (s->o.width > 0 && at > indent && at + len > s->o.width) {
			fprintf(s->o.to, "\n%*s", (int)indent, "");
			at = indent;
		}
		fprintf(s->o.to, " %s", word);
		at += len;
	}
	putc('\n', s->o.to);
}

/* What needs a person gets a line of its own. */
static void
put_alarm(struct out_shared *s, const struct row *r)
{
	char cell[CELL_MAX];
	const char *alarm = row_str(r, "alarm");

	if (alarm[0] != '\0')
		fprintf(s->o.to, "! %s\n",
		    text_printable(cell, sizeof(cell), alarm));
}

static void
role_row(struct out_shared *s, const struct row *r)
{
	char name[24], up[TEXT_SPAN_MAX];

	fprintf(s->o.to, "%-10s %7llu %6s",
	    text_printable(name, sizeof(name), row_str(r, "role")),
	    (unsigned long long)row_u64(r, "pid"),
	    text_span(up, (int64_t)row_u64(r, "uptime_s")));
	/* role, pid and uptime_s come first (daemon/proc/answer.c) */
	put_words(s, r, 3, ROLE_USED, ROLE_USED);
	put_alarm(s, r);
}

static void
status_row(struct out_shared *s, const struct row *r)
{
	char host[256], version[64], up[TEXT_SPAN_MAX];

	fprintf(s->o.to, "%s %s, up %s\n",
	    text_printable(host, sizeof(host), row_str(r, "host")),
	    text_printable(version, sizeof(version), row_str(r, "version")),
	    text_span(up, (int64_t)row_u64(r, "uptime_s")));
	put_alarm(s, r);
}

static void
stat_row(struct out_shared *s, const struct row *r)
{
	size_t n = s->nstats++;

	s->stats = mem_rearray(s->stats, n + 1, sizeof(*s->stats));
	s->stats[n].name = mem_strdup(row_str(r, "name"));
	s->stats[n].value = row_u64(r, "value");
}

/* As it is for a program; a terminal must not obey it. */
static void
message_row(struct out_shared *s, const struct row *r)
{
	const char *at = row_str(r, "text");
	char line[CELL_MAX], cell[CELL_MAX * 4];
	size_t len;

	if (s->o.width == 0) {
		fputs(at, s->o.to);
		return;
	}
	while (*at != '\0') {
		len = strcspn(at, "\r\n\t");
		if (len >= sizeof(line))
			len = sizeof(line) - 1;
		memcpy(line, at, len);
		line[len] = '\0';
		fputs(text_printable(cell, sizeof(cell), line), s->o.to);
		at += len;
		if (*at == '\n' || *at == '\t')
			putc(*at++, s->o.to);
		else if (*at == '\r')
			at++;
	}
}

static const char *
micros(char cell[TEXT_SPAN_MAX], uint64_t us)
{
	if (us < 1000)
		snprintf(cell, TEXT_SPAN_MAX, "%uus", (unsigned)us);
	else if (us < 1000000)
		snprintf(cell, TEXT_SPAN_MAX, "%.*fms", us < 10000,
		    (double)us / 1e3);
	else
		snprintf(cell, TEXT_SPAN_MAX, "%.2fs", (double)us / 1e6);
	return cell;
}

static void
cost_row(struct out_shared *s, const struct row *r)
{
	char total[TEXT_SPAN_MAX], avg[TEXT_SPAN_MAX], p99[TEXT_SPAN_MAX],
	    most[TEXT_SPAN_MAX];

	fprintf(s->o.to, "%5.1f %8s %8llu %7s %7s %7s  ",
	    (double)row_u64(r, "permille") / 10.0,
	    micros(total, row_u64(r, "total_us")),
	    (unsigned long long)row_u64(r, "calls"),
	    micros(avg, row_u64(r, "avg_us")),
	    micros(p99, row_u64(r, "p99_us")),
	    micros(most, row_u64(r, "max_us")));
	out_put_rest(s, COST_USED, row_str(r, "operation"));
}

static void
problem_row(struct out_shared *s, const struct row *r)
{
	char file[512], reason[CELL_MAX];

	fprintf(s->o.to, "%s %s  %s: %s\n", row_str(r, "class"),
	    text_printable(file, sizeof(file), row_str(r, "file")),
	    row_str(r, "name"),
	    text_printable(reason, sizeof(reason), row_str(r, "reason")));
}

static void
mend_row(struct out_shared *s, const struct row *r)
{
	char how[512];
	const char *result = row_str(r, "result");

	problem_row(s, r);
	fprintf(s->o.to, "    %s%s %s%s%s\n",
	    strcmp(result, "would") == 0 ? "would " : "", row_str(r, "act"),
	    text_printable(how, sizeof(how), row_str(r, "how")),
	    strcmp(result, "failed") == 0 ? ": " : "",
	    strcmp(result, "failed") == 0 ? result : "");
}

static void
verified_row(struct out_shared *s, const struct row *r)
{
	uint64_t ms = row_u64(r, "elapsed_ms"),
		 octets = row_u64(r, "read_bytes");
	char size[TEXT_SPAN_MAX], rate[TEXT_SPAN_MAX];
	unsigned n = 0;
	size_t i;

	for (i = 0; i < r->n; i++)
		if (r->fields[i].name[0] == 'Q')
			fprintf(s->o.to, "%s%s %llu", n++ == 0 ? "" : ", ",
			    r->fields[i].name,
			    (unsigned long long)r->fields[i].u64);
	if (n > 0)
		putc('\n', s->o.to);
	fprintf(s->o.to,
	    "%llu messages, %llu envelopes, %llu covered by the journal: "
	    "%llu problem%s\n",
	    (unsigned long long)row_u64(r, "messages"),
	    (unsigned long long)row_u64(r, "envelopes"),
	    (unsigned long long)row_u64(r, "covered"),
	    (unsigned long long)row_u64(r, "problems"),
	    row_u64(r, "problems") == 1 ? "" : "s");
	fprintf(s->o.to, "%s read in %llu.%03llus, %s/s, %llu files/s\n",
	    text_size(size, octets), (unsigned long long)(ms / 1000),
	    (unsigned long long)(ms % 1000),
	    text_size(rate, octets * 1000 / (ms + 1)),
	    (unsigned long long)(row_u64(r, "files") * 1000 / (ms + 1)));
}

static void
key_row(struct out_shared *s, const struct row *r)
{
	char when[TEXT_TIME_MAX], age[TEXT_SPAN_MAX] = "-", test[256];
	int64_t oldest = (int64_t)row_u64(r, "oldest"),
		created = (int64_t)row_u64(r, "created");

	if (oldest != 0)
		out_span_cell(age, s->o.now - oldest);
	fprintf(s->o.to, "%-16s %-8s %-10.10s %8llu %9llu %5llu %6s %s\n",
	    row_str(r, "kid"), row_str(r, "state"),
	    created == 0 ? "-" : text_time(when, created),
	    (unsigned long long)row_u64(r, "messages"),
	    (unsigned long long)row_u64(r, "envelopes"),
	    (unsigned long long)row_u64(r, "elsewhere"), age,
	    text_printable(test, sizeof(test), row_str(r, "test")));
}

static void
any_row(struct out_shared *s, const struct row *r)
{
	char type[64];

	fputs(text_printable(type, sizeof(type), r->type), s->o.to);
	put_words(s, r, 0, 2, (unsigned)strlen(type));
	put_alarm(s, r);
}

static const struct out_layout layouts[] = {
	{ "envelope",
	    "ENVELOPE                       S TRY   AGE  NEXT  SIZE RCPT",
	    envelope_row },
	{ "host",
	    "HOST                           STATE      CONN    MAIL FAIL  LAST "
	    "ERROR",
	    host_row },
	{ "role", "ROLE           PID     UP", role_row },
	{ "status", NULL, status_row },
	{ "stat", NULL, stat_row },
	{ "message", NULL, message_row },
	{ "cost", "%TIME    TOTAL    CALLS     AVG     P99     MAX  OPERATION",
	    cost_row },
	{ "problem", NULL, problem_row },
	{ "mend", NULL, mend_row },
	{ "key",
	    "KID              STATE    CREATED    MESSAGES ENVELOPES OTHER "
	    "OLDEST",
	    key_row },
	{ "verified", NULL, verified_row },
};
static const char wide_head[] =
    "                           SENDER                         ERROR";
static const struct out_layout any_layout = { "", NULL, any_row };

static const struct out_layout *
layout_of(const struct row *r)
{
	size_t i;

	for (i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		if (strcmp(layouts[i].type, r->type) == 0)
			return &layouts[i];
	for (i = 0; i < out_outgoing_n; i++)
		if (strcmp(out_outgoing[i].type, r->type) == 0)
			return &out_outgoing[i];
	return &any_layout;
}

static void
list_row(struct out_shared *s, const struct row *r)
{
	const struct out_layout *l = layout_of(r);

	if (l != s->layout && l->head != NULL)
		fprintf(s->o.to, "%s%s\n", l->head,
		    l->row == envelope_row && s->o.wide ? wide_head : "");
	s->layout = l;
	l->row(s, r);
}

/* TIME TEXT; the text begins with trace=SUBSYSTEM itself. */
static void
list_line(
    struct out_shared *s, const char *sub, uint64_t when_ms, const char *text)
{
	char when[TEXT_TIME_MAX], cell[CELL_MAX * 2];

	(void)sub;
	text_time(when, (int64_t)(when_ms / 1000));
	fprintf(s->o.to, "%.8s.%03u %s\n", when + strlen("2026-11-22T"),
	    (unsigned)(when_ms % 1000),
	    text_printable(cell, sizeof(cell), text));
}

static int
by_name(const void *a, const void *b)
{
	const struct out_stat *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static void
put_stats(struct out_shared *s)
{
	char name[256];
	size_t i;

	if (s->nstats > 0)
		qsort(s->stats, s->nstats, sizeof(*s->stats), by_name);
	for (i = 0; i < s->nstats; i++)
		fprintf(s->o.to, "%s=%llu\n",
		    text_printable(name, sizeof(name), s->stats[i].name),
		    (unsigned long long)s->stats[i].value);
}

/* What a verb did. Errors are the tool's to print. */
static void
put_result(struct out_shared *s, const struct out_end *e)
{
	char cell[CELL_MAX];

	/* Behind rows it is a note, which the tool keeps out of them. */
	if (e->status >= EXIT_REFUSED || s->n > 0)
		return;
	if (e->text[0] != '\0')
		fprintf(s->o.to, "%s\n",
		    text_printable(cell, sizeof(cell), e->text));
	else if (e->done + e->skipped > 0)
		fprintf(s->o.to, "%llu done, %llu skipped\n",
		    (unsigned long long)e->done,
		    (unsigned long long)e->skipped);
}

static void
list_end(struct out_shared *s, const struct out_end *e)
{
	put_stats(s);
	/* Totals are for people; a program counts lines. */
	if (s->o.width > 0 && s->layout == &layouts[0])
		fprintf(s->o.to, "%llu shown\n", (unsigned long long)s->n);
	put_result(s, e);
}

const struct out_writer out_list = { NULL, list_row, list_line, list_end };

static void
detail_value(struct out_shared *s, const struct record_field *f)
{
	char cell[CELL_MAX], when[TEXT_TIME_MAX], span[TEXT_SPAN_MAX];
	int64_t t = f->kind == RECORD_I64 ? f->i64 : (int64_t)f->u64;

	if (f->kind == RECORD_STR) {
		fputs(text_printable(cell, sizeof(cell), f->str), s->o.to);
	} else if (f->kind == RECORD_BOOL || row_time_name(f->name) == NULL) {
		fputs(word_of(f, cell), s->o.to);
	} else if (t <= 0) {
		putc('-', s->o.to);
	} else {
		fprintf(s->o.to, "%s (%s%s%s)", text_time(when, t),
		    t > s->o.now ? "in " : "",
		    text_span(span, t > s->o.now ? t - s->o.now : s->o.now - t),
		    t > s->o.now ? "" : " ago");
	}
}

static void
detail_row(struct out_shared *s, const struct row *r)
{
	char name[64];
	size_t i;

	if (strcmp(r->type, "message") == 0) {
		message_row(s, r);
		return;
	}
	if (s->n > 1)
		putc('\n', s->o.to);
	for (i = 0; i < r->n; i++) {
		if (r->fields[i].kind == RECORD_STR &&
		    r->fields[i].str[0] == '\0' &&
		    strcmp(r->fields[i].name, "sender") != 0)
			continue;
		text_printable(name, sizeof(name), r->fields[i].name);
		fprintf(s->o.to, "%s:%*s", name,
		    strlen(name) < 14 ? 14 - (int)strlen(name) : 1, "");
		detail_value(s, &r->fields[i]);
		putc('\n', s->o.to);
	}
}

static void
detail_end(struct out_shared *s, const struct out_end *e)
{
	put_result(s, e);
}

const struct out_writer out_detail = { NULL, detail_row, list_line,
	detail_end };

static void
mailq_row(struct out_shared *s, const struct row *r)
{
	char cell[CELL_MAX], when[TEXT_TIME_MAX];
	const char *msgid = row_str(r, "msgid"), *error = row_str(r, "error");

	if (strcmp(r->type, "envelope") != 0)
		return;
	if (s->layout == NULL)
		fprintf(s->o.to, "%-13s %9s %-20s %s\n", "-Queue ID----",
		    "--Size---", "----Arrival Time----", "-Sender/Recipient--");
	s->layout = &layouts[0];
	if (strcmp(msgid, s->last_msgid) != 0) {
		strlcpy(s->last_msgid, msgid, sizeof(s->last_msgid));
		s->bytes += row_u64(r, "message_size");
		fprintf(s->o.to, "%-12.12s%c %9llu %s ", s->last_msgid,
		    state_letter(row_str(r, "state")) == 'I'       ? '*'
			: state_letter(row_str(r, "state")) == 'H' ? '!'
								   : ' ',
		    (unsigned long long)row_u64(r, "message_size"),
		    text_time(when, (int64_t)row_u64(r, "arrival_time")));
		text_printable(cell, sizeof(cell), row_str(r, "sender"));
		fprintf(
		    s->o.to, "%s\n", cell[0] == '\0' ? "MAILER-DAEMON" : cell);
	}
	if (error[0] != '\0')
		fprintf(s->o.to, "%8s(%s)\n", "",
		    text_printable(cell, sizeof(cell), error));
	fprintf(s->o.to, "%45s%s\n", "",
	    text_printable(cell, sizeof(cell), row_str(r, "rcpt")));
}

static void
mailq_end(struct out_shared *s, const struct out_end *e)
{
	if (s->n == 0 && e->status == EXIT_DONE)
		fputs("Mail queue is empty\n", s->o.to);
	else if (s->n > 0)
		fprintf(s->o.to, "-- %llu Kbytes in %llu Requests.\n",
		    (unsigned long long)(s->bytes + 1023) / 1024,
		    (unsigned long long)s->n);
}

const struct out_writer out_mailq = { NULL, mailq_row, list_line, mailq_end };
