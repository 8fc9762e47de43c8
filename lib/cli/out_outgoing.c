/*
 * out_outgoing - routes, relays, sessions, limits; explain and why
 *
 * What has a name and an address does not fit behind numbers in 80 columns
 * where it is long: then it stands on a line of its own, set in.
 */
#include <stdio.h>
#include <string.h>

#include "lib/cli/out_table.h"

#define LINE 80 /* columns a row takes at most, where the width is unknown */
#define INDENT 7
#define LABEL 10 /* columns of the first word in explain and why */
#define ROUTE_USED 39
#define RELAY_WIDTH 30
#define RELAY_USED 53
#define SESSION_USED 43
#define LIMIT_USED 50

static unsigned
width_of(const struct out_shared *s)
{
	return s->o.width > 0 ? s->o.width : LINE;
}

/* The last cell of a row, on the next line when there is no room behind used
 * columns. */
static void
put_name(struct out_shared *s, unsigned used, const char *text)
{
	char cell[OUT_CELL_MAX];

	text_printable(cell, sizeof(cell), text);
	if (used + strlen(cell) > width_of(s))
		fprintf(s->o.to, "\n%*s", INDENT, "");
	fprintf(s->o.to, "%s\n", cell);
}

void
out_put_note(struct out_shared *s, const char *word, const char *text)
{
	if (*text == '\0')
		return;
	fprintf(s->o.to, "%*s%s: ", INDENT, "", word);
	out_put_rest(s, INDENT + (unsigned)strlen(word) + 2, text);
}

/* Seconds from now on until a time; "-" when it is past. */
static const char *
left(const struct out_shared *s, char span[TEXT_SPAN_MAX], int64_t until)
{
	return until > s->o.now ? out_span_cell(span, until - s->o.now) : "-";
}

static void
route_row(struct out_shared *s, const struct row *r)
{
	char id[24], flags[8], rate[16], span[TEXT_SPAN_MAX];
	uint64_t wait = row_u64(r, "timeout_s");

	fprintf(s->o.to, "%-6s %-4s %4llu %3llu %3llu %5s %7s ",
	    text_printable(id, sizeof(id), row_str(r, "id")),
	    text_printable(flags, sizeof(flags), row_str(r, "flags")),
	    (unsigned long long)row_u64(r, "connections"),
	    (unsigned long long)row_u64(r, "errors"),
	    (unsigned long long)row_u64(r, "penalty"),
	    wait > 0 ? out_span_cell(span, (int64_t)wait) : "-",
	    text_printable(rate, sizeof(rate), row_str(r, "rate")));
	put_name(s, ROUTE_USED, row_str(r, "name"));
	out_put_note(s, "error", row_str(r, "last_error"));
	if (s->o.why)
		out_put_note(s, "why", row_str(r, "why"));
}

static void
relay_row(struct out_shared *s, const struct row *r)
{
	char name[512];

	text_printable(name, sizeof(name), row_str(r, "name"));
	if (strlen(name) > RELAY_WIDTH)
		fprintf(s->o.to, "%s\n%*s", name, RELAY_WIDTH, "");
	else
		fprintf(s->o.to, "%-*s", RELAY_WIDTH, name);
	fprintf(s->o.to, " %4llu %6llu %4llu %3llu ",
	    (unsigned long long)row_u64(r, "connections"),
	    (unsigned long long)row_u64(r, "queued"),
	    (unsigned long long)row_u64(r, "domains"),
	    (unsigned long long)row_u64(r, "connectors"));
	put_name(s, RELAY_USED, row_str(r, "limit"));
	if (s->o.why)
		out_put_note(s, "why", row_str(r, "why"));
}

static void
session_row(struct out_shared *s, const struct row *r)
{
	char id[24], route[24], state[16], span[TEXT_SPAN_MAX],
	    size[TEXT_SPAN_MAX];

	fprintf(s->o.to, "%-8s %-6s %-8s %5llu %5s %5s ",
	    text_printable(id, sizeof(id), row_str(r, "session")),
	    text_printable(route, sizeof(route), row_str(r, "route")),
	    text_printable(state, sizeof(state), row_str(r, "state")),
	    (unsigned long long)row_u64(r, "messages"),
	    out_span_cell(span, (int64_t)row_u64(r, "since_s")),
	    text_size(size, row_u64(r, "octets")));
	put_name(s, SESSION_USED, row_str(r, "host"));
}

static void
hoststat_row(struct out_shared *s, const struct row *r)
{
	char name[512], span[TEXT_SPAN_MAX];
	int64_t when = (int64_t)row_u64(r, "time");

	text_printable(name, sizeof(name), row_str(r, "domain"));
	if (strlen(name) > RELAY_WIDTH)
		fprintf(s->o.to, "%s\n%*s", name, RELAY_WIDTH, "");
	else
		fprintf(s->o.to, "%-*s", RELAY_WIDTH, name);
	fprintf(s->o.to, " %5s ",
	    out_span_cell(span, when > 0 ? s->o.now - when : 0));
	out_put_rest(s, RELAY_WIDTH + 7, row_str(r, "status"));
}

static void
limit_row(struct out_shared *s, const struct row *r)
{
	char name[64], value[24], use[24] = "-";

	if (row_field(r, "in_use") != NULL)
		snprintf(use, sizeof(use), "%llu",
		    (unsigned long long)row_u64(r, "in_use"));
	fprintf(s->o.to, "%-32s %8s %6s ",
	    text_printable(name, sizeof(name), row_str(r, "name")),
	    text_printable(value, sizeof(value), row_str(r, "value")), use);
	put_name(s, LIMIT_USED, row_str(r, "domain"));
	out_put_note(s, "binds", row_str(r, "binding"));
}

static void
steer_row(struct out_shared *s, const struct row *r)
{
	char part[16], span[TEXT_SPAN_MAX];
	int64_t until = (int64_t)row_u64(r, "until");

	fprintf(s->o.to, "%-7s %5s ",
	    text_printable(part, sizeof(part), row_str(r, "part")),
	    until == 0 ? "-" : left(s, span, until));
	put_name(s, 14, row_str(r, "name"));
	out_put_note(s, "reason", row_str(r, "reason"));
}

/*
 * explain and why: a word and what there is to say of it, wrapped on a
 * terminal.
 */
static void
put_said(struct out_shared *s, const char *label, const char *text)
{
	char cell[OUT_CELL_MAX];
	const char *at = text_printable(cell, sizeof(cell), text);
	unsigned col = LABEL, room = s->o.width;
	size_t len;

	fprintf(s->o.to, "%-*s", LABEL, label);
	for (;;) {
		len = strcspn(at, " ");
		if (room > 0 && col > LABEL && col + len + 1 > room) {
			fprintf(s->o.to, "\n%*s", LABEL, "");
			col = LABEL;
		}
		fprintf(
		    s->o.to, "%s%.*s", col > LABEL ? " " : "", (int)len, at);
		col += (unsigned)len + (col > LABEL ? 1 : 0);
		at += len;
		if (*at == '\0')
			break;
		at++;
	}
	putc('\n', s->o.to);
}

static void
rule_row(struct out_shared *s, const struct row *r)
{
	char text[OUT_CELL_MAX];

	if (row_str(r, "text")[0] == '\0')
		put_said(s, "rule", "none fits");
	else {
		snprintf(text, sizeof(text), "line %llu: %s",
		    (unsigned long long)row_u64(r, "line"), row_str(r, "text"));
		put_said(s, "rule", text);
	}
	if (row_str(r, "reply")[0] == '\0')
		return;
	snprintf(text, sizeof(text), "%s: %s", row_str(r, "verdict"),
	    row_str(r, "reply"));
	put_said(s, "answer", text);
}

static void
target_row(struct out_shared *s, const struct row *r)
{
	char text[OUT_CELL_MAX];

	snprintf(text, sizeof(text), "%s by action %s: %s", row_str(r, "dest"),
	    row_str(r, "action"), row_str(r, "text"));
	put_said(s, "target", text);
}

/* Each text field of the mta's account of a relay under its own name. */
static void
way_row(struct out_shared *s, const struct row *r)
{
	char name[LABEL + 8], *under;
	size_t i;

	for (i = 0; i < r->n; i++) {
		if (r->fields[i].kind != RECORD_STR ||
		    r->fields[i].str[0] == '\0')
			continue;
		text_printable(name, sizeof(name), r->fields[i].name);
		while ((under = strchr(name, '_')) != NULL)
			*under = ' ';
		put_said(s, name, r->fields[i].str);
	}
}

static void
mx_row(struct out_shared *s, const struct row *r)
{
	char text[OUT_CELL_MAX];
	const char *route = row_str(r, "route"), *why = row_str(r, "why");

	snprintf(text, sizeof(text), "%llu %s%s%s%s%s",
	    (unsigned long long)row_u64(r, "preference"), row_str(r, "host"),
	    *route != '\0' ? ", route " : "", route, *why != '\0' ? ": " : "",
	    why);
	put_said(s, "host", text);
}

static void
cause_row(struct out_shared *s, const struct row *r)
{
	char text[OUT_CELL_MAX];

	snprintf(text, sizeof(text), "%s: %s", row_str(r, "cause"),
	    row_str(r, "text"));
	put_said(s, "now", text);
}

static void
why_row(struct out_shared *s, const struct row *r)
{
	char text[OUT_CELL_MAX], span[TEXT_SPAN_MAX], when[TEXT_TIME_MAX];
	int64_t arrived = (int64_t)row_u64(r, "arrival_time");

	snprintf(text, sizeof(text), "%s to %s, from %s", row_str(r, "evpid"),
	    row_str(r, "rcpt"),
	    row_str(r, "sender")[0] == '\0' ? "<>" : row_str(r, "sender"));
	put_said(s, "envelope", text);
	snprintf(text, sizeof(text), "%s, %llu tries, arrived %s ago",
	    row_str(r, "state"), (unsigned long long)row_u64(r, "tries"),
	    text_span(span, s->o.now - arrived));
	if (row_u64(r, "expires") > 0) {
		strlcat(text, ", expires ", sizeof(text));
		strlcat(text, text_time(when, (int64_t)row_u64(r, "expires")),
		    sizeof(text));
	}
	put_said(s, "state", text);
	cause_row(s, r);
}

/* The seconds from arrival, so that the row is seen: 400, 1600, 3600. */
static void
attempt_row(struct out_shared *s, const struct row *r)
{
	char text[256], when[TEXT_TIME_MAX], span[TEXT_SPAN_MAX];
	int64_t at = (int64_t)row_u64(r, "next_try");

	snprintf(text, sizeof(text), "%llu at %llu s, %s, in %s",
	    (unsigned long long)row_u64(r, "n"),
	    (unsigned long long)row_u64(r, "after_s"), text_time(when, at),
	    text_span(span, at - s->o.now));
	put_said(s, "attempt", text);
}

const struct out_layout out_outgoing[] = {
	{ "route", "ROUTE  FLAG CONN ERR PEN  WAIT   OUT/s SOURCE -> HOST",
	    route_row },
	{ "relay", "RELAY                          CONN QUEUED DOMS SRC LIMIT",
	    relay_row },
	{ "session", "SESSION  ROUTE  STATE     MAIL  TIME  SENT HOST",
	    session_row },
	{ "hoststat", "DOMAIN                           AGE STATUS",
	    hoststat_row },
	{ "limit",
	    "LIMIT                               VALUE IN-USE FOR DOMAIN",
	    limit_row },
	{ "steer", "PAUSED   LEFT NAME", steer_row },
	{ "rule", NULL, rule_row },
	{ "target", NULL, target_row },
	{ "way", NULL, way_row },
	{ "mx", NULL, mx_row },
	{ "cause", NULL, cause_row },
	{ "why", NULL, why_row },
	{ "attempt", NULL, attempt_row },
};
const size_t out_outgoing_n = sizeof(out_outgoing) / sizeof(out_outgoing[0]);
