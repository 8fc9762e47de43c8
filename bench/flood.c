/*
 * flood - an SMTP load generator that keeps the books
 *
 * Every message carries an id and the checksum of its body, and every
 * recipient's fate is written down: acknowledged, refused, or unsure (the
 * final dot went out, the answer never came). Held against what a sink wrote
 * down, bench/tally says what was lost, doubled, invented or damaged.
 */
#include <sys/socket.h>

#include <err.h>
#include <event2/event.h>
#include <getopt.h>
#include <jansson.h>
#include <netdb.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/lib/opt.h"
#include "bench/lib/session.h"
#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/base/text.h"

#define FLOOD_TICK_US 50000

struct flood {
	struct load load;
	struct session **session;
	const char *host, *port, *acks_path;
	uint64_t start, end;
	bool json;
};

/* After the time is up, messages under way are finished, no others begun. */
static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct flood *f = arg;
	struct load *l = &f->load;
	uint64_t now = mono_us();

	(void)fd;
	(void)what;
	if (l->acks != NULL)
		(void)fflush(l->acks);
	if (l->seconds > 0 && now - f->start > l->seconds * UINT64_C(1000000))
		l->stopping = true;
	for (unsigned i = 0; i < l->sessions; i++)
		session_check(f->session[i], now);
}

static void
on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct load *l = &((struct flood *)arg)->load;

	(void)fd;
	(void)what;
	if (l->stopping) /* asked twice: now */
		event_base_loopbreak(l->base);
	l->stopping = true;
}

static _Noreturn void
usage(int status)
{
	static const char text[] =
	    "usage: flood [--host ADDR] [--port N] [--sessions N]\n"
	    "  --messages N      in all sessions together (1000)\n"
	    "  --rate N          messages a second, together (no limit)\n"
	    "  --seconds N       begin no message after N seconds\n"
	    "  --recipients N    per message (1)\n"
	    "  --size BYTES      of a message (4096; K and M are understood)\n"
	    "  --prose           bodies that compress as text does\n"
	    "  --per-session N   messages per connection (no limit)\n"
	    "  --pipelining      where the server offers it\n"
	    "  --from, --to A    %n message, %d the same modulo 100, %r\n"
	    "                    recipient of it, %u recipient of the run,\n"
	    "                    %s session\n"
	    "  --helo NAME  --run NAME\n"
	    "  --timeout N       seconds for a reply (60)\n"
	    "  --reconnect       when the server goes away\n"
	    "  --cut P           break off P percent of the messages anywhere\n"
	    "  --acks FILE       a line for each recipient's fate\n"
	    "  --json            one object instead of text\n";

	fputs(text, status == 0 ? stdout : stderr);
	exit(status);
}

enum option_id {
	OPT_HOST = 1000,
	OPT_PORT,
	OPT_SESSIONS,
	OPT_MESSAGES,
	OPT_RATE,
	OPT_SECONDS,
	OPT_RECIPIENTS,
	OPT_SIZE,
	OPT_PROSE,
	OPT_PER_SESSION,
	OPT_PIPELINING,
	OPT_FROM,
	OPT_TO,
	OPT_HELO,
	OPT_RUN,
	OPT_TIMEOUT,
	OPT_RECONNECT,
	OPT_CUT,
	OPT_ACKS,
	OPT_JSON,
	OPT_HELP
};

static const struct option options[] = {
	{ "host", required_argument, NULL, OPT_HOST },
	{ "port", required_argument, NULL, OPT_PORT },
	{ "sessions", required_argument, NULL, OPT_SESSIONS },
	{ "messages", required_argument, NULL, OPT_MESSAGES },
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "seconds", required_argument, NULL, OPT_SECONDS },
	{ "recipients", required_argument, NULL, OPT_RECIPIENTS },
	{ "size", required_argument, NULL, OPT_SIZE },
	{ "prose", no_argument, NULL, OPT_PROSE },
	{ "per-session", required_argument, NULL, OPT_PER_SESSION },
	{ "pipelining", no_argument, NULL, OPT_PIPELINING },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "to", required_argument, NULL, OPT_TO },
	{ "helo", required_argument, NULL, OPT_HELO },
	{ "run", required_argument, NULL, OPT_RUN },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "reconnect", no_argument, NULL, OPT_RECONNECT },
	{ "cut", required_argument, NULL, OPT_CUT },
	{ "acks", required_argument, NULL, OPT_ACKS },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

/* Takes the options about the messages; false for the others. */
static bool
option_message(struct load *l, int id, const char *name, const char *arg)
{
	switch (id) {
	case OPT_MESSAGES:
		l->messages = opt_number(name, arg, 1, UINT32_MAX);
		return true;
	case OPT_RATE:
		l->rate = opt_number(name, arg, 0, 1000000);
		return true;
	case OPT_RECIPIENTS:
		l->recipients = opt_number(name, arg, 1, 65535);
		return true;
	case OPT_SIZE:
		if (!text_size_parse(arg, &l->size) || l->size > 1u << 30)
			errx(2, "--size %s: not a size up to 1G", arg);
		return true;
	case OPT_PROSE:
		l->prose = true;
		return true;
	case OPT_FROM:
		l->from = arg;
		return true;
	case OPT_TO:
		l->to = arg;
		return true;
	case OPT_RUN:
		snprintf(l->run, sizeof(l->run), "%s", arg);
		return true;
	case OPT_CUT:
		l->cut = opt_number(name, arg, 0, 100);
		return true;
	default:
		return false;
	}
}

static void
option(struct flood *f, int id, const char *name, const char *arg)
{
	struct load *l = &f->load;

	if (option_message(l, id, name, arg))
		return;
	switch (id) {
	case OPT_HOST:
		f->host = arg;
		break;
	case OPT_PORT:
		f->port = arg;
		break;
	case OPT_SESSIONS:
		l->sessions = opt_number(name, arg, 1, 20000);
		break;
	case OPT_SECONDS:
		l->seconds = opt_number(name, arg, 0, 86400);
		break;
	case OPT_PER_SESSION:
		l->per_session = opt_number(name, arg, 0, UINT32_MAX);
		break;
	case OPT_PIPELINING:
		l->pipelining = true;
		break;
	case OPT_HELO:
		l->helo = arg;
		break;
	case OPT_TIMEOUT:
		l->timeout = opt_number(name, arg, 1, 3600);
		break;
	case OPT_RECONNECT:
		l->reconnect = true;
		break;
	case OPT_ACKS:
		f->acks_path = arg;
		break;
	case OPT_JSON:
		f->json = true;
		break;
	default:
		usage(id == OPT_HELP ? 0 : 2);
	}
}

static void
parse(struct flood *f, int argc, char **argv)
{
	struct load *l = &f->load;
	int id, at = 0;

	f->host = "127.0.0.1";
	f->port = "2525";
	l->from = "sender@flood.invalid";
	l->to = "user%u@sink.invalid";
	l->helo = "flood.invalid";
	l->messages = 1000;
	l->sessions = l->recipients = 1;
	l->size = 4096;
	l->timeout = 60;
	snprintf(l->run, sizeof(l->run), "%08x", (unsigned)ident_random64());
	while ((id = getopt_long(argc, argv, "", options, &at)) != -1)
		option(f, id, id >= OPT_HOST ? options[at].name : "", optarg);
	if (optind != argc)
		usage(2);
}

static void
prepare(struct flood *f)
{
	struct load *l = &f->load;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV },
			*found;
	int error = getaddrinfo(f->host, f->port, &hints, &found);

	if (error != 0)
		errx(
		    2, "%s port %s: %s", f->host, f->port, gai_strerror(error));
	memcpy(&l->addr, found->ai_addr, found->ai_addrlen);
	l->addrlen = found->ai_addrlen;
	freeaddrinfo(found);
	if (f->acks_path != NULL &&
	    (l->acks = fopen(f->acks_path, "a")) == NULL)
		err(1, "%s", f->acks_path);
	note_fillers(l->fillers, l->size, l->prose);
	if ((l->base = event_base_new()) == NULL)
		errx(1, "no event loop");
}

static void
latency_json(json_t *root, const char *name, struct samples *p)
{
	json_t *o = json_pack("{s:I, s:I, s:I, s:I}", "p50",
	    (json_int_t)samples_percentile(p, 50), "p90",
	    (json_int_t)samples_percentile(p, 90), "p99",
	    (json_int_t)samples_percentile(p, 99), "max",
	    (json_int_t)samples_percentile(p, 100));

	json_object_set_new(root, name, o);
}

static void
report_json(struct flood *f, double seconds, double rate)
{
	struct load *l = &f->load;
	json_t *root = json_object(), *codes = json_object();
	const struct {
		const char *name;
		uint64_t v;
	} counts[] = {
		{ "messages", l->next },
		{ "acked", l->messages_of[FATE_ACK] },
		{ "refused", l->messages_of[FATE_REFUSED] },
		{ "unsure", l->messages_of[FATE_UNSURE] },
		{ "recipients_acked", l->recipients_of[FATE_ACK] },
		{ "cuts", l->cuts },
		{ "drops", l->drops },
		{ "timeouts", l->timeouts },
		{ "connects", l->connects },
		{ "connect_failures", l->connect_failures },
		{ "worst_stall_us", l->worst_stall },
		{ "start_us", f->start },
		{ "first_ack_us", l->first_ack },
		{ "last_ack_us", l->last_ack },
	};

	json_object_set_new(root, "run", json_string(l->run));
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		json_object_set_new(root, counts[i].name,
		    json_integer((json_int_t)counts[i].v));
	for (unsigned code = 0; code < 600; code++) {
		char name[8];

		if (l->refusals[code] == 0)
			continue;
		snprintf(name, sizeof(name), "%u", code);
		json_object_set_new(
		    codes, name, json_integer((json_int_t)l->refusals[code]));
	}
	json_object_set_new(root, "refusals", codes);
	json_object_set_new(root, "seconds", json_real(seconds));
	json_object_set_new(root, "rate", json_real(rate));
	latency_json(root, "connect", &l->connect);
	latency_json(root, "total", &l->total);
	latency_json(root, "commit", &l->commit);
	json_dumpf(root, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
	printf("\n");
	json_decref(root);
}

static void
latency_text(const char *name, const struct samples *p)
{
	static const unsigned percents[] = { 50, 90, 99, 100 };

	printf("%-10s", name);
	for (unsigned i = 0; i < 4; i++)
		printf(" %9.3f", samples_percentile(p, percents[i]) / 1000.0);
	printf("\n");
}

static void
report_text(struct flood *f, double seconds, double rate)
{
	struct load *l = &f->load;

	printf("run %s: %u sessions, %llu messages of %llu octets to %u\n",
	    l->run, l->sessions, (unsigned long long)l->next,
	    (unsigned long long)l->size, l->recipients);
	printf("acked %llu, refused %llu, unsure %llu; cut %llu, dropped %llu, "
	       "timed out %llu\n",
	    (unsigned long long)l->messages_of[FATE_ACK],
	    (unsigned long long)l->messages_of[FATE_REFUSED],
	    (unsigned long long)l->messages_of[FATE_UNSURE],
	    (unsigned long long)l->cuts, (unsigned long long)l->drops,
	    (unsigned long long)l->timeouts);
	if (l->connect_failures > 0)
		printf("no session %llu times: %s\n",
		    (unsigned long long)l->connect_failures,
		    l->connect_error == 0 ? "closed before a banner"
					  : strerror(l->connect_error));
	for (unsigned code = 0; code < 600; code++)
		if (l->refusals[code] > 0)
			printf("reply %03u: %llu times\n", code,
			    (unsigned long long)l->refusals[code]);
	printf("%.1f messages a second for %.3f s; longest wait %.3f s\n", rate,
	    seconds, (double)l->worst_stall / 1e6);
	printf("%-10s %9s %9s %9s %9s\n", "ms", "p50", "p90", "p99", "max");
	latency_text("connect", &l->connect);
	latency_text("message", &l->total);
	latency_text("commit", &l->commit);
}

int
main(int argc, char **argv)
{
	static struct flood f; /* large */
	struct load *l = &f.load;
	const struct timeval tick = { 0, FLOOD_TICK_US };
	struct event *events[3];
	double seconds, rate;

	parse(&f, argc, argv);
	(void)signal(SIGPIPE, SIG_IGN);
	prepare(&f);
	events[0] = event_new(l->base, -1, EV_PERSIST, on_tick, &f);
	events[1] = evsignal_new(l->base, SIGTERM, on_signal, &f);
	events[2] = evsignal_new(l->base, SIGINT, on_signal, &f);
	event_add(events[0], &tick);
	event_add(events[1], NULL);
	event_add(events[2], NULL);
	f.start = mono_us();
	f.session = mem_zarray(l->sessions, sizeof(*f.session));
	for (unsigned i = 0; i < l->sessions; i++)
		f.session[i] = session_new(l, i);
	event_base_dispatch(l->base);
	for (unsigned i = 0; i < l->sessions; i++)
		session_free(f.session[i]);
	if (l->acks != NULL && fclose(l->acks) != 0)
		err(1, "%s", f.acks_path);
	seconds =
	    (double)(l->last_ack > f.start ? l->last_ack - f.start : 0) / 1e6;
	rate = seconds > 0 ? (double)l->messages_of[FATE_ACK] / seconds : 0;
	samples_sort(&l->connect);
	samples_sort(&l->total);
	samples_sort(&l->commit);
	if (f.json)
		report_json(&f, seconds, rate);
	else
		report_text(&f, seconds, rate);
	return l->messages_of[FATE_ACK] == l->messages ? 0 : 1;
}
