/*
 * ctlrig - the real control role among roles that only echo
 *
 *	ctlrig SOCKET ROWS LINES [SILENT]
 *
 * Answers `show queue` with ROWS envelopes in slices, LINES trace lines as
 * soon as something is traced, and every other question with what was asked
 * and by whom. The role called SILENT never answers. Prints "pid N" of the
 * control role once it listens, and ends when its standard input ends.
 */
#include <sys/wait.h>

#include <event2/event.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/control/control.h"
#include "daemon/edge/query.h"
#include "daemon/edge/start.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/unixsock.h"
#include "lib/cli/exitcode.h"
#include "lib/mail/envelope.h"
#include "lib/proto/record.h"

#define NOBODY 65534
#define NOW 1795356151

struct rig;

struct fake { /* one role */
	struct rig *rig;
	enum role who;
	struct peer *peer;
	uint32_t ticket; /* of the listing under way */
	unsigned long at;
	size_t sent, sent_most;
};

struct rig {
	struct event_base *base;
	const char *path, *silent;
	unsigned long rows, lines;
	struct fake fakes[ROLES];
	struct buf *row;
	pid_t control;
};

static void
end(struct fake *f, uint32_t ticket, uint32_t done, const char *text)
{
	struct query_end m = { ticket, EXIT_DONE, done, 0, text };

	query_end_put(peer_begin(f->peer), &m);
	peer_send(f->peer, QUERY_END);
}

static void
send_row(struct fake *f, uint32_t ticket)
{
	struct buf *b = f->rig->row;
	struct query_row m = { ticket, buf_data(b), buf_len(b) };

	f->sent += m.len;
	query_row_put(peer_begin(f->peer), &m);
	peer_send(f->peer, QUERY_ROW);
	buf_reset(b);
}

static void
list(struct fake *f)
{
	struct buf *b = f->rig->row;
	char id[24];

	while (f->at < f->rig->rows && f->sent < QUERY_SLICE) {
		snprintf(id, sizeof(id), "%012lx0001", ++f->at);
		record_begin(b, "envelope");
		record_str(b, "evpid", id);
		id[12] = '\0';
		record_str(b, "msgid", id);
		record_str(b, "state", "deferred");
		record_str(b, "type", "mta");
		record_str(b, "action", "relay-1");
		record_str(b, "sender", "news@shop.example");
		record_str(b, "rcpt", "ann@yahoo.com");
		record_str(b, "dest", "ann@yahoo.com");
		record_u64(b, "arrival_time", NOW);
		record_u64(b, "expires", NOW + 4 * 86400);
		record_u64(b, "last_try", NOW);
		record_u64(b, "next_try", NOW + 400);
		record_u64(b, "tries", 1);
		record_u64(b, "message_size", 4096);
		record_u64(b, "gen", 2);
		record_str(b, "error", "421 4.7.0 mx.example [192.0.2.1] no");
		send_row(f, f->ticket);
	}
	if (f->at == f->rig->rows) {
		end(f, f->ticket, (uint32_t)f->at, "");
		f->ticket = 0;
	}
}

/* The one message it knows by id: 3f9a0c41d7b2, of two recipients. */
static void
list_known(struct fake *f, uint32_t ticket)
{
	static const char *const ids[] = { "3f9a0c41d7b20001",
		"3f9a0c41d7b20002" };
	struct buf *b = f->rig->row;
	size_t i;

	for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		record_begin(b, "envelope");
		record_str(b, "evpid", ids[i]);
		record_str(b, "msgid", "3f9a0c41d7b2");
		send_row(f, ticket);
	}
	end(f, ticket, 2, "");
}

static void
show_known(struct fake *f, uint32_t ticket, const char *id)
{
	struct buf *text = buf_new(ENVELOPE_TEXT_MAX);
	struct envelope e;

	envelope_init(&e);
	if (!ident_evpid_parse(id, &e.id))
		fatal("not the id of an envelope: %s", id);
	e.arrived = e.next_try = NOW;
	e.expires = NOW + 4 * 86400;
	e.generation = 3;
	envelope_set(&e.action, "relay-1");
	envelope_set(&e.sender, "news@shop.example");
	envelope_set(&e.recipient, "Ann@Example.Org");
	envelope_set(&e.destination, "ann@example.org");
	envelope_set(&e.from, "smtp [192.0.2.14]:40112");
	envelope_set(&e.error, "421 4.7.0 mx [192.0.2.1] later");
	envelope_print(&e, text);
	record_begin(f->rig->row, "message");
	record_str(f->rig->row, "text", buf_text(text));
	send_row(f, ticket);
	end(f, ticket, 1, "");
	envelope_clear(&e);
	buf_free(text);
}

static bool
about_known(struct fake *f, const struct query_ask *q, struct unpack args)
{
	const char *id = q->n == 1 ? unpack_str(&args) : "";

	if (strncmp(id, "3f9a0c41d7b2", strlen("3f9a0c41d7b2")) != 0)
		return false;
	if (q->what == QUERY_QUEUE)
		list_known(f, q->ticket);
	else if (q->what == QUERY_ENVELOPE)
		show_known(f, q->ticket, id);
	else
		return false;
	return true;
}

/* "spooler what=2 uid=0 reason=x args=a,b" */
static void
echo(struct fake *f, const struct query_ask *q, struct unpack *args)
{
	struct buf *b = buf_new(1 << 20);
	unsigned i;

	buf_putf(b, "%s what=%d uid=%u reason=%s args=", role_name(f->who),
	    q->what, q->uid, q->reason);
	for (i = 0; i < q->n; i++)
		buf_putf(b, "%s%s", i > 0 ? "," : "", unpack_str(args));
	if (unpack_done(args) == -1)
		fatal("malformed question");
	end(f, q->ticket, q->n, buf_text(b));
	buf_free(b);
}

static int
on_ask(void *arg, struct message *m)
{
	struct fake *f = arg;
	struct query_ask q;

	if (query_ask_get(&m->body, &q) == -1)
		return -1;
	if (strcmp(role_name(f->who), f->rig->silent) == 0)
		return 0;
	if (q.what == QUERY_QUEUE && q.n == 0) {
		f->ticket = q.ticket;
		f->at = 0;
		f->sent = 0;
		list(f);
	} else if (q.what == QUERY_STATUS) {
		record_begin(f->rig->row, "role");
		record_str(f->rig->row, "role", role_name(f->who));
		record_u64(f->rig->row, "pid", (uint64_t)getpid());
		record_u64(f->rig->row, "uptime_s", 1);
		record_u64(f->rig->row, "sent_most", f->sent_most);
		send_row(f, q.ticket);
		end(f, q.ticket, 1, "");
	} else if (!about_known(f, &q, m->body)) {
		echo(f, &q, &m->body);
	}
	return 0;
}

static int
on_more(void *arg, struct message *m)
{
	struct fake *f = arg;
	struct query_more q;

	if (query_more_get(&m->body, &q) == -1)
		return -1;
	if (f->sent > f->sent_most)
		f->sent_most = f->sent;
	f->sent = 0;
	if (q.ticket == f->ticket && f->ticket != 0)
		list(f);
	return 0;
}

static int
on_cancel(void *arg, struct message *m)
{
	struct fake *f = arg;
	struct query_cancel q;

	if (query_cancel_get(&m->body, &q) == -1)
		return -1;
	fprintf(stderr, "rig: cancelled by %s\n", role_name(f->who));
	if (q.ticket == f->ticket)
		f->ticket = 0;
	return 0;
}

static int
on_trace(void *arg, struct message *m)
{
	struct fake *f = arg;
	struct query_trace q;
	struct query_line l = { .sub = TRACE_MTA };
	char text[128];
	unsigned long i;

	if (query_trace_get(&m->body, &q) == -1)
		return -1;
	if (f->who == ROLE_MTA)
		fprintf(stderr, "rig: mask %x\n", q.mask);
	if (f->who != ROLE_MTA || (q.mask & 1u << TRACE_MTA) == 0)
		return 0;
	for (i = 0; i < f->rig->lines; i++) {
		snprintf(text, sizeof(text), "trace=mta n=%lu", i);
		l.line = text;
		query_line_put(peer_begin(f->peer), &l);
		peer_send(f->peer, QUERY_LINE);
	}
	return 0;
}

static int
on_ready(void *arg, struct message *m)
{
	struct fake *f = arg;

	(void)m;
	printf("pid %ld\n", (long)f->rig->control);
	fflush(stdout);
	return 0;
}

static const struct handler handlers[] = {
	{ START_READY, "start-ready", on_ready },
	{ QUERY_ASK, "query-ask", on_ask },
	{ QUERY_MORE, "query-more", on_more },
	{ QUERY_CANCEL, "query-cancel", on_cancel },
	{ QUERY_TRACE, "query-trace", on_trace },
};

static void
on_stdin(evutil_socket_t fd, short what, void *arg)
{
	char c;

	(void)what;
	if (read(fd, &c, 1) <= 0)
		event_base_loopbreak(((struct rig *)arg)->base);
}

static struct peer *
to_control(struct rig *r)
{
	return r->fakes[ROLE_PARENT].peer;
}

static void
configure(struct rig *r)
{
	struct buf *text = buf_new(4096);
	struct start_conf c = { .last = true };

	buf_putf(text, "hostname \"mx1\"\ncontrol \"%s\" group \"games\"\n",
	    r->path);
	c.text = buf_data(text);
	c.len = buf_len(text);
	start_conf_put(peer_begin(to_control(r)), &c);
	peer_send(to_control(r), START_CONF);
	buf_free(text);
}

static void
introduce(struct rig *r, enum role who)
{
	struct start_peer m = { .role = (uint8_t)who };
	struct fake *f = &r->fakes[who];
	int pair[2];

	if (unixsock_pair(pair) == -1)
		fatal("socketpair");
	f->peer = peer_new(r->base, pair[0], ROLE_CONTROL, NULL, NULL);
	peer_handlers(
	    f->peer, handlers, sizeof(handlers) / sizeof(handlers[0]), f);
	start_peer_put(peer_begin(to_control(r)), &m);
	peer_send_fd(to_control(r), START_PEER, pair[1]);
}

static void
start(struct rig *r)
{
	struct start_socket s = { 0 };
	struct fake *parent = &r->fakes[ROLE_PARENT];
	int pair[2], fd = unixsock_listen(r->path, 0666), i;

	if (fd == -1 || unixsock_pair(pair) == -1)
		fatal("%s: cannot listen", r->path);
	r->control = fork();
	if (r->control == 0) {
		dup2(pair[1], PROC_PARENT_FD);
		closefrom(PROC_PARENT_FD + 1);
		log_open("control", true);
		proc_main(&control_role);
	}
	close(pair[1]);
	r->base = event_base_new();
	parent->peer = peer_new(r->base, pair[0], ROLE_CONTROL, NULL, NULL);
	peer_handlers(parent->peer, handlers,
	    sizeof(handlers) / sizeof(handlers[0]), parent);
	configure(r);
	for (i = ROLE_PARENT + 1; i < ROLES; i++)
		if (i != ROLE_CONTROL)
			introduce(r, (enum role)i);
	start_socket_put(peer_begin(to_control(r)), &s);
	peer_send_fd(to_control(r), START_SOCKET, fd);
	peer_begin(to_control(r));
	peer_send(to_control(r), START_GO);
}

int
main(int argc, char *argv[])
{
	struct rig r = { .row = buf_new(65536), .silent = "" };
	struct event *ev;
	int i;

	if (argc < 4)
		fatal("usage: ctlrig SOCKET ROWS LINES [SILENT]");
	/* As root a role would want its own user: this is about callers. */
	if (geteuid() == 0 &&
	    (setgroups(0, NULL) == -1 || setgid(NOBODY) == -1 ||
		setuid(NOBODY) == -1))
		fatal("cannot become nobody");
	signal(SIGPIPE, SIG_IGN);
	log_open("rig", true);
	r.path = argv[1];
	r.rows = strtoul(argv[2], NULL, 10);
	r.lines = strtoul(argv[3], NULL, 10);
	if (argc > 4)
		r.silent = argv[4];
	for (i = 0; i < ROLES; i++) {
		r.fakes[i].rig = &r;
		r.fakes[i].who = (enum role)i;
	}
	start(&r);
	ev =
	    event_new(r.base, STDIN_FILENO, EV_READ | EV_PERSIST, on_stdin, &r);
	event_add(ev, NULL);
	event_base_dispatch(r.base);
	kill(r.control, SIGKILL);
	waitpid(r.control, NULL, 0);
	unlink(r.path);
	return 0;
}
