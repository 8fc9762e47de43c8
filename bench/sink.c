/*
 * sink - an SMTP server that takes everything, or fails on demand
 *
 * What it has accepted is written down, a line per recipient, at the moment
 * the 250 is sent: "RUN/NUMBER RECIPIENT whole" (or "damaged" when the body is
 * not what its checksum says, or "- RECIPIENT other" for mail that is not from
 * flood). bench/tally holds that against the books of flood.
 */
#include <sys/socket.h>

#include <err.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <getopt.h>
#include <jansson.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bench/lib/catch.h"
#include "bench/lib/grey.h"
#include "bench/lib/opt.h"
#include "bench/lib/whims.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"

#define SINK_LINE_MAX (64u << 10)
#define SINK_TICK_US 20000

struct sink {
	const char *host, *port, *ids_path;
	struct whims whims;
	unsigned tempfail_data, drop; /* percent */
	unsigned delay; /* ms before the answer to the final dot */
	unsigned linger; /* ms from the last expected to the end */
	uint64_t exit_after; /* recipients; 0: never */
	unsigned greylist; /* seconds; 0: no such thing */
	bool greylist_client; /* one pair known: so is the client */
	bool json;

	struct event_base *base;
	FILE *ids;
	uint64_t done_at; /* monotonic us when exit_after was reached */

	unsigned open, peak;
	uint64_t sessions, messages, recipients, octets, other, damaged;
	uint64_t rcpt_refused, rcpt_deferred, data_deferred, dropped;
	uint64_t first, last; /* monotonic us of deliveries */
};

struct client {
	struct sink *s;
	struct bufferevent *bev;
	struct event *later; /* the delayed answer */
	bool mail, data, closing;
	char *sender;
	char **rcpt;
	unsigned nrcpt, room;
	struct catch in;
};

static void
rcpt_forget(struct client *c)
{
	for (unsigned i = 0; i < c->nrcpt; i++)
		free(c->rcpt[i]);
	c->nrcpt = 0;
	c->mail = false;
	free(c->sender);
	c->sender = NULL;
}

static void
client_free(struct client *c)
{
	c->s->open--;
	rcpt_forget(c);
	free(c->rcpt);
	event_free(c->later);
	bufferevent_free(c->bev);
	free(c);
}

static void
say(struct client *c, const char *reply)
{
	evbuffer_add_printf(bufferevent_get_output(c->bev), "%s\r\n", reply);
}

/* The address between the angle brackets; false when there are none. */
static bool
path(const char *line, char **address)
{
	const char *open = strchr(line, '<');
	const char *close = open != NULL ? strchr(open, '>') : NULL;

	if (close == NULL)
		return false;
	*address = mem_strndup(open + 1, (size_t)(close - open - 1));
	return true;
}

static void
on_hello(struct client *c, const char *line)
{
	bool extended = line[0] == 'E' || line[0] == 'e';

	rcpt_forget(c);
	say(c,
	    extended ? "250-sink.invalid\r\n250-PIPELINING\r\n"
		       "250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE"
		     : "250 sink.invalid");
}

static void
on_mail(struct client *c, const char *line)
{
	if (c->mail || !path(line, &c->sender)) {
		say(c,
		    c->mail ? "503 5.5.1 there is a transaction"
			    : "501 5.5.4 no path");
		return;
	}
	c->mail = true;
	say(c, "250 2.1.0 ok");
}

static void
on_rcpt(struct client *c, const char *line)
{
	struct sink *s = c->s;
	const char *code;
	char *address, reply[64];

	if (!c->mail || !path(line, &address)) {
		say(c, c->mail ? "501 5.5.4 no path" : "503 5.5.1 no MAIL");
		return;
	}
	if ((code = whims_refusal(&s->whims, c->sender, address)) != NULL) {
		if (code[0] == '5')
			s->rcpt_refused++;
		else
			s->rcpt_deferred++;
		snprintf(reply, sizeof(reply), "%s %c.%s as asked for", code,
		    code[0], code[0] == '5' ? "1.1" : "2.0");
		free(address);
		say(c, reply);
		return;
	}
	if (c->nrcpt == c->room) {
		c->room = c->room > 0 ? c->room * 2 : 8;
		c->rcpt = mem_rearray(c->rcpt, c->room, sizeof(*c->rcpt));
	}
	c->rcpt[c->nrcpt++] = address;
	say(c, "250 2.1.5 ok");
}

static void
on_data(struct client *c, const char *line)
{
	(void)line;
	if (c->nrcpt == 0) {
		say(c, "503 5.5.1 no recipient");
		return;
	}
	c->data = true;
	memset(&c->in, 0, sizeof(c->in));
	say(c, "354 go on");
}

static void
on_rset(struct client *c, const char *line)
{
	(void)line;
	rcpt_forget(c);
	say(c, "250 2.0.0 ok");
}

static void
on_noop(struct client *c, const char *line)
{
	(void)line;
	say(c, "250 2.0.0 ok");
}

static void
on_quit(struct client *c, const char *line)
{
	(void)line;
	say(c, "221 2.0.0 bye");
	c->closing = true;
}

static const struct {
	const char *verb;
	void (*fn)(struct client *, const char *);
} verbs[] = {
	{ "EHLO", on_hello },
	{ "HELO", on_hello },
	{ "MAIL", on_mail },
	{ "RCPT", on_rcpt },
	{ "DATA", on_data },
	{ "RSET", on_rset },
	{ "NOOP", on_noop },
	{ "QUIT", on_quit },
};

static void
command(struct client *c, const char *line)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strncasecmp(line, verbs[i].verb, 4) == 0) {
			verbs[i].fn(c, line);
			return;
		}
	}
	say(c, "500 5.5.2 unknown command");
}

static void
write_down(struct client *c)
{
	struct sink *s = c->s;
	const char *how = "other";

	s->messages++;
	s->recipients += c->nrcpt;
	s->octets += c->in.octets;
	s->last = mono_us();
	if (s->first == 0)
		s->first = s->last;
	if (c->in.noted) {
		how = catch_whole(&c->in) ? "whole" : "damaged";
		s->damaged += !catch_whole(&c->in);
	} else {
		s->other++;
	}
	for (unsigned i = 0; s->ids != NULL && i < c->nrcpt; i++)
		fprintf(s->ids, "%s %s %s\n", c->in.noted ? c->in.id : "-",
		    c->rcpt[i], how);
	if (s->exit_after > 0 && s->recipients >= s->exit_after &&
	    s->done_at == 0)
		s->done_at = s->last;
}

/* The answer to the final dot. */
static void
conclude(struct client *c)
{
	if (whims_chance(c->s->tempfail_data)) {
		c->s->data_deferred++;
		say(c, "451 4.3.0 as asked for");
	} else {
		write_down(c);
		say(c, "250 2.0.0 taken");
	}
	c->data = false;
	rcpt_forget(c);
}

static void
on_line(struct client *c, const char *line, size_t len)
{
	struct sink *s = c->s;
	const struct timeval wait = { s->delay / 1000,
		(suseconds_t)(s->delay % 1000) * 1000 };

	if (!c->data) {
		command(c, line);
	} else if (catch_line(&c->in, line, len)) {
		if (whims_chance(s->drop)) {
			s->dropped++;
			c->closing = true;
		} else if (s->delay > 0) {
			bufferevent_disable(c->bev, EV_READ);
			event_add(c->later, &wait);
		} else {
			conclude(c);
		}
	}
}

static bool
waits(const struct client *c)
{
	return c->closing || event_pending(c->later, EV_TIMEOUT, NULL);
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct client *c = arg;
	struct evbuffer *in = bufferevent_get_input(bev);

	while (!waits(c)) {
		struct evbuffer_ptr end =
		    evbuffer_search_eol(in, NULL, NULL, EVBUFFER_EOL_LF);
		size_t len = (size_t)end.pos + 1;
		unsigned char *line;

		if (end.pos == -1) {
			c->closing = evbuffer_get_length(in) > SINK_LINE_MAX;
			break;
		}
		line = evbuffer_pullup(in, (ev_ssize_t)len);
		if (!c->data) /* commands are read as strings */
			line[len - 1] = '\0';
		on_line(c, (const char *)line, len);
		evbuffer_drain(in, len);
	}
	if (c->closing && evbuffer_get_length(bufferevent_get_output(bev)) == 0)
		client_free(c);
}

static void
on_written(struct bufferevent *bev, void *arg)
{
	struct client *c = arg;

	(void)bev;
	if (c->closing)
		client_free(c);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) != 0)
		client_free(arg);
}

static void
on_later(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;

	(void)fd;
	(void)what;
	conclude(c);
	bufferevent_enable(c->bev, EV_READ);
	on_read(c->bev, c);
}

static void
on_accept(struct evconnlistener *listener, evutil_socket_t fd,
    struct sockaddr *from, int fromlen, void *arg)
{
	struct sink *s = arg;
	struct client *c = mem_zalloc(sizeof(*c));
	int on = 1;

	(void)listener;
	(void)from;
	(void)fromlen;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->s = s;
	c->later = evtimer_new(s->base, on_later, c);
	c->bev = bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (c->bev == NULL || c->later == NULL)
		errx(1, "no room for a client");
	bufferevent_setcb(c->bev, on_read, on_written, on_event, c);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	s->sessions++;
	if (++s->open > s->peak)
		s->peak = s->open;
	say(c, "220 sink.invalid ESMTP");
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct sink *s = arg;

	(void)fd;
	(void)what;
	if (s->ids != NULL)
		(void)fflush(s->ids);
	if (s->done_at != 0 &&
	    mono_us() >= s->done_at + s->linger * UINT64_C(1000))
		event_base_loopbreak(s->base);
}

static void
on_signal(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(((struct sink *)arg)->base);
}

/* From now on it takes everything. */
static void
on_usr1(evutil_socket_t fd, short what, void *arg)
{
	struct sink *s = arg;

	(void)fd;
	(void)what;
	s->tempfail_data = s->drop = 0;
	memset(&s->whims, 0, sizeof(s->whims));
}

static void
listen_on(struct sink *s)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV | AI_PASSIVE },
			*found;
	int error = getaddrinfo(s->host, s->port, &hints, &found);
	struct evconnlistener *listener;
	struct sockaddr_storage bound;
	socklen_t len = sizeof(bound);
	char port[16];

	if (error != 0)
		errx(
		    2, "%s port %s: %s", s->host, s->port, gai_strerror(error));
	listener = evconnlistener_new_bind(s->base, on_accept, s,
	    LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_FREE, 1024, found->ai_addr,
	    (int)found->ai_addrlen);
	if (listener == NULL ||
	    getsockname(evconnlistener_get_fd(listener),
		(struct sockaddr *)&bound, &len) == -1 ||
	    getnameinfo((struct sockaddr *)&bound, len, NULL, 0, port,
		sizeof(port), NI_NUMERICSERV) != 0)
		err(1, "%s port %s", s->host, s->port);
	printf("listening on port %s\n", port);
	(void)fflush(stdout);
	freeaddrinfo(found);
}

static _Noreturn void
usage(int status)
{
	static const char text[] =
	    "usage: sink [--host ADDR] [--port N]   (0: any; the first line "
	    "of\n"
	    "                     the output names it)\n"
	    "  --reject-rcpt P    refuse P percent of the recipients with 550\n"
	    "  --tempfail P       and P percent with 451\n"
	    "  --rcpt GLOB=CODE   this reply to recipients like that\n"
	    "  --greylist SEC     451 until so long after a pair of sender "
	    "and\n"
	    "                     recipient was seen first\n"
	    "  --greylist-client  one pair let through: so is all that "
	    "follows\n"
	    "  --tempfail-data P  451 to P percent of the messages\n"
	    "  --drop P           hang up instead of answering the final dot\n"
	    "  --delay MS         before the answer to the final dot\n"
	    "  --ids FILE         a line per recipient taken\n"
	    "  --exit-after N     recipients taken, then\n"
	    "  --linger MS        wait so long for more (0)\n"
	    "  (SIGUSR1 ends all failing on demand)\n"
	    "  --json             one object at the end instead of text\n";

	fputs(text, status == 0 ? stdout : stderr);
	exit(status);
}

enum option_id {
	OPT_HOST = 1000,
	OPT_PORT,
	OPT_REJECT_RCPT,
	OPT_TEMPFAIL,
	OPT_RCPT,
	OPT_GREYLIST,
	OPT_GREYLIST_CLIENT,
	OPT_TEMPFAIL_DATA,
	OPT_DROP,
	OPT_DELAY,
	OPT_IDS,
	OPT_EXIT_AFTER,
	OPT_LINGER,
	OPT_JSON,
	OPT_HELP
};

static const struct option options[] = {
	{ "host", required_argument, NULL, OPT_HOST },
	{ "port", required_argument, NULL, OPT_PORT },
	{ "reject-rcpt", required_argument, NULL, OPT_REJECT_RCPT },
	{ "tempfail", required_argument, NULL, OPT_TEMPFAIL },
	{ "rcpt", required_argument, NULL, OPT_RCPT },
	{ "greylist", required_argument, NULL, OPT_GREYLIST },
	{ "greylist-client", no_argument, NULL, OPT_GREYLIST_CLIENT },
	{ "tempfail-data", required_argument, NULL, OPT_TEMPFAIL_DATA },
	{ "drop", required_argument, NULL, OPT_DROP },
	{ "delay", required_argument, NULL, OPT_DELAY },
	{ "ids", required_argument, NULL, OPT_IDS },
	{ "exit-after", required_argument, NULL, OPT_EXIT_AFTER },
	{ "linger", required_argument, NULL, OPT_LINGER },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static void
option(struct sink *s, int id, const char *name, const char *arg)
{
	switch (id) {
	case OPT_HOST:
		s->host = arg;
		break;
	case OPT_PORT:
		s->port = arg;
		break;
	case OPT_REJECT_RCPT:
		s->whims.reject = opt_number(name, arg, 0, 100);
		break;
	case OPT_TEMPFAIL:
		s->whims.tempfail = opt_number(name, arg, 0, 100);
		break;
	case OPT_RCPT:
		whims_rule(&s->whims, arg);
		break;
	case OPT_GREYLIST:
		s->greylist = opt_number(name, arg, 0, 86400);
		break;
	case OPT_GREYLIST_CLIENT:
		s->greylist_client = true;
		break;
	case OPT_TEMPFAIL_DATA:
		s->tempfail_data = opt_number(name, arg, 0, 100);
		break;
	case OPT_DROP:
		s->drop = opt_number(name, arg, 0, 100);
		break;
	case OPT_DELAY:
		s->delay = opt_number(name, arg, 0, 600000);
		break;
	case OPT_IDS:
		s->ids_path = arg;
		break;
	case OPT_EXIT_AFTER:
		s->exit_after = opt_number(name, arg, 0, UINT32_MAX);
		break;
	case OPT_LINGER:
		s->linger = opt_number(name, arg, 0, 600000);
		break;
	case OPT_JSON:
		s->json = true;
		break;
	default:
		usage(id == OPT_HELP ? 0 : 2);
	}
}

static void
report(const struct sink *s)
{
	const struct {
		const char *name;
		uint64_t v;
	} counts[] = {
		{ "sessions", s->sessions },
		{ "peak_sessions", s->peak },
		{ "messages", s->messages },
		{ "recipients", s->recipients },
		{ "octets", s->octets },
		{ "other", s->other },
		{ "damaged", s->damaged },
		{ "rcpt_refused", s->rcpt_refused },
		{ "rcpt_deferred", s->rcpt_deferred },
		{ "data_deferred", s->data_deferred },
		{ "dropped", s->dropped },
		{ "first_us", s->first },
		{ "last_us", s->last },
	};
	json_t *root = json_object();

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		if (s->json)
			json_object_set_new(root, counts[i].name,
			    json_integer((json_int_t)counts[i].v));
		else
			printf("%-13s %llu\n", counts[i].name,
			    (unsigned long long)counts[i].v);
	}
	if (s->json) {
		json_dumpf(root, stdout, JSON_COMPACT);
		printf("\n");
	}
	json_decref(root);
}

int
main(int argc, char **argv)
{
	static struct sink s = { .host = "127.0.0.1", .port = "2526" };
	const struct timeval tick = { 0, SINK_TICK_US };
	struct event *events[4];
	int id, at = 0;

	while ((id = getopt_long(argc, argv, "", options, &at)) != -1)
		option(&s, id, id >= OPT_HOST ? options[at].name : "", optarg);
	if (optind != argc)
		usage(2);
	(void)signal(SIGPIPE, SIG_IGN);
	if (s.ids_path != NULL && (s.ids = fopen(s.ids_path, "a")) == NULL)
		err(1, "%s", s.ids_path);
	mono_open_test_clock();
	if (s.greylist > 0)
		s.whims.grey = grey_new(s.greylist, s.greylist_client);
	if ((s.base = event_base_new()) == NULL)
		errx(1, "no event loop");
	events[0] = event_new(s.base, -1, EV_PERSIST, on_tick, &s);
	events[1] = evsignal_new(s.base, SIGTERM, on_signal, &s);
	events[2] = evsignal_new(s.base, SIGINT, on_signal, &s);
	events[3] = evsignal_new(s.base, SIGUSR1, on_usr1, &s);
	event_add(events[0], &tick);
	for (unsigned i = 1; i < 4; i++)
		event_add(events[i], NULL);
	listen_on(&s);
	event_base_dispatch(s.base);
	if (s.ids != NULL && fclose(s.ids) != 0)
		err(1, "%s", s.ids_path);
	report(&s);
	return 0;
}
