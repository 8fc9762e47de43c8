/*
 * connsend - one session of the mta with one host, for tests
 *
 * connsend [options] CONFIG FILE SENDER RECIPIENT...: sends FILE by the first
 * relay action of CONFIG to where -a and -p, or -u, say; prints what the
 * session tells its owner, a line for each thing.
 *
 *   -a ADDRESS -p PORT   -u PATH      where to
 *   -s ADDRESS                        connects from there
 *   -n NAME -l HELO                   of the host; of ours
 *   -t "3 1 1 0A.." ... -b BASE       TLSA records, usable ones
 *   -T                                TLSA, but none that is usable
 *   -C                                opportunistic TLS failed lately
 *   -w N                              RCPT before replies are seen
 *   -m N   -x N                       messages of a session; to be sent
 *   -k MS                             rests that long after them
 *   -r N                              stops after so many refused recipients
 *   -d MS                             the most of any deadline
 *   -v                                traces to stderr
 */
#include <sys/un.h>

#include <arpa/inet.h>
#include <err.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/conf/conf.h"
#include "daemon/mta/conn.h"
#include "daemon/mta/dane.h"
#include "daemon/mta/policy.h"
#include "lib/base/log.h"

#define BODY_MAX (64u << 20)

struct sender {
	struct event_base *base;
	struct conn *conn;
	struct conn_way way;
	struct name_host host; /* for its TLSA */
	uint8_t records[NAME_RECORDS][NAME_RECORD_MAX];
	uint64_t uncertain;
	uint32_t deadline_ms;
	char *body;
	size_t size;
	const char *from;
	char **rcpts;
	int nrcpts;
	unsigned left, rejects, most_rejects;
	uint64_t offset;
	uint32_t stream;
};

static void
on_ready(void *arg)
{
	struct sender *s = arg;
	struct conn_facts f;
	struct transaction *t;
	int i;

	conn_facts(s->conn, &f);
	printf("ready messages=%u tls=%s\n", f.messages, f.tls);
	if (s->left == 0) {
		if (s->way.keepalive_ms > 0)
			conn_rest(s->conn);
		else
			conn_quit(s->conn);
		return;
	}
	s->left--;
	t = transaction_new(1, s->size, s->from);
	for (i = 0; i < s->nrcpts; i++)
		transaction_add(t, (uint64_t)i + 1, s->rcpts[i], 0);
	conn_carry(s->conn, t, ++s->stream);
}

static void
on_accepted(void *arg, const struct transaction *t, unsigned i)
{
	(void)arg;
	printf("accepted %s\n", t->rcpts[i].address);
}

static bool
on_settle(void *arg, const struct transaction *t, unsigned i,
    enum carry_result result, enum conn_phase phase, const char *status)
{
	static const char *const results[] = { "done", "later", "untried",
		"never" };
	static const char *const phases[] = { "mail", "rcpt", "data", "body",
		"lost" };
	struct sender *s = arg;

	printf("%s %s by %s: %s\n", results[result], t->rcpts[i].address,
	    phases[phase], status);
	if (result != CARRY_DONE)
		s->rejects++;
	return s->most_rejects == 0 || s->rejects < s->most_rejects;
}

static void
on_over(void *arg, struct transaction *t, bool stale)
{
	unsigned i;

	(void)arg;
	printf("over%s\n", stale ? " stale" : "");
	for (i = 0; i < t->n; i++)
		if (t->rcpts[i].state != TRANSACTION_SETTLED)
			printf("untried %s\n", t->rcpts[i].address);
	transaction_free(t);
}

static void
give_piece(evutil_socket_t fd, short what, void *arg)
{
	struct carry_body piece = { .status = CARRY_BODY_OK };
	struct sender *s = arg;
	size_t at = (size_t)s->offset;

	(void)fd;
	(void)what;
	if (s->conn == NULL)
		return;
	piece.stream = s->stream;
	piece.data = (const uint8_t *)s->body + at;
	piece.len = s->size - at > CARRY_PIECE ? CARRY_PIECE : s->size - at;
	piece.last = at + piece.len == s->size;
	conn_body(s->conn, &piece);
}

static void
on_want(void *arg, uint32_t stream, uint64_t msgid, uint64_t offset)
{
	static const struct timeval now;
	struct sender *s = arg;

	(void)stream;
	(void)msgid;
	s->offset = offset;
	event_base_once(s->base, -1, EV_TIMEOUT, give_piece, s, &now);
}

static void
on_leaving(void *arg)
{
	(void)arg;
	printf("leaving\n");
}

static void
on_closed(void *arg, const struct conn_closed *why)
{
	static const char *const ends[CONN_ENDS] = { "quit", "connect",
		"source", "refused", "tls", "tls-try", "auth", "lost", "421" };
	struct sender *s = arg;

	printf("closed %s%s: %s\n", ends[why->end], why->ready ? " ready" : "",
	    why->status);
	s->conn = NULL;
}

static const struct conn_ops ops = { on_ready, on_accepted, on_settle, on_over,
	on_want, on_leaving, on_closed };

static void
report(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

static void
take_address(struct sockaddr_storage *ss, socklen_t *len, const char *text,
    unsigned port)
{
	struct sockaddr_in6 *six = (void *)ss;
	struct sockaddr_in *four = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	if (strchr(text, ':') != NULL) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons((uint16_t)port);
		inet_pton(AF_INET6, text, &six->sin6_addr);
		*len = sizeof(*six);
	} else {
		four->sin_family = AF_INET;
		four->sin_port = htons((uint16_t)port);
		inet_pton(AF_INET, text, &four->sin_addr);
		*len = sizeof(*four);
	}
}

static void
take_path(struct sender *s, const char *path)
{
	struct sockaddr_un *un = (void *)&s->way.addr;

	un->sun_family = AF_UNIX;
	snprintf(un->sun_path, sizeof(un->sun_path), "%s", path);
	s->way.addrlen = sizeof(*un);
}

static void
take_record(struct sender *s, const char *text)
{
	struct name_record *r = &s->host.records[s->host.nrecords];
	uint8_t *data = s->records[s->host.nrecords++];
	unsigned u, l, m, octet;
	int n = 0;

	if (sscanf(text, "%u %u %u %n", &u, &l, &m, &n) != 3)
		errx(2, "no TLSA record: %s", text);
	r->usage = (uint8_t)u;
	r->selector = (uint8_t)l;
	r->matching = (uint8_t)m;
	r->data = data;
	for (text += n; sscanf(text, "%2x", &octet) == 1; text += 2)
		data[r->len++] = (uint8_t)octet;
	s->host.tlsa = NAME_TLSA_USABLE;
}

static void
take_file(struct sender *s, const char *path)
{
	FILE *f = fopen(path, "r");

	s->body = malloc(BODY_MAX);
	if (f == NULL || s->body == NULL)
		err(2, "%s", path);
	s->size = fread(s->body, 1, BODY_MAX, f);
	fclose(f);
}

static void
take_policy(struct sender *s, const char *path)
{
	const struct conf_relay *relay = NULL;
	char why[POLICY_WHY_MAX];
	struct conf *conf;
	size_t i;

	conf = conf_load(path, report, NULL);
	if (conf == NULL || !conf_supply(conf, false, report, NULL))
		exit(2);
	for (i = 0; i < conf->nactions && relay == NULL; i++)
		if (conf->actions[i].kind == CONF_RELAY)
			relay = &conf->actions[i].relay;
	if (relay == NULL)
		errx(2, "%s: nothing relays", path);
	s->way.policy = policy_new(
	    conf, relay, relay->nurls > 0 ? &relay->urls[0] : NULL, why);
	conf_free(conf);
	if (s->way.policy == NULL) {
		printf("no policy: %s\n", why);
		exit(1);
	}
	printf("policy %s\n", policy_text(s->way.policy));
}

static void
take_options(struct sender *s, int argc, char **argv)
{
	const char *address = "127.0.0.1", *path = NULL;
	unsigned port = 25;
	int c;

	while (
	    (c = getopt(argc, argv, "a:p:u:s:n:l:t:b:TCw:m:x:k:r:d:v")) != -1) {
		switch (c) {
		case 'a':
			address = optarg;
			break;
		case 'p':
			port = (unsigned)atoi(optarg);
			break;
		case 'u':
			path = optarg;
			break;
		case 's':
			take_address(
			    &s->way.source, &s->way.sourcelen, optarg, 0);
			break;
		case 'n':
			s->way.name = optarg;
			break;
		case 'l':
			s->way.helo = optarg;
			break;
		case 't':
			take_record(s, optarg);
			break;
		case 'b':
			s->host.base = optarg;
			break;
		case 'T':
			s->host.tlsa = NAME_TLSA_UNUSABLE;
			break;
		case 'C':
			s->way.in_clear = true;
			break;
		case 'w':
			s->way.recipients = (unsigned)atoi(optarg);
			break;
		case 'm':
			s->way.messages = (unsigned)atoi(optarg);
			break;
		case 'x':
			s->left = (unsigned)atoi(optarg);
			break;
		case 'k':
			s->way.keepalive_ms = (uint32_t)atoi(optarg);
			break;
		case 'r':
			s->most_rejects = (unsigned)atoi(optarg);
			break;
		case 'd':
			s->deadline_ms = (uint32_t)atoi(optarg);
			break;
		case 'v':
			trace_set(1u << TRACE_MTA);
			break;
		default:
			exit(2);
		}
	}
	if (path != NULL)
		take_path(s, path);
	else
		take_address(&s->way.addr, &s->way.addrlen, address, port);
}

int
main(int argc, char **argv)
{
	struct sender *s = calloc(1, sizeof(*s));
	struct conn_env env = { .ops = &ops };
	struct tlsa *tlsa;

	if (s == NULL)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	log_open("connsend", true);
	s->base = event_base_new();
	s->way.label = "host";
	s->way.name = s->host.name = s->host.base = "";
	s->way.helo = "client.example";
	s->way.messages = 100;
	s->left = 1;
	take_options(s, argc, argv);
	if (argc - optind < 4)
		errx(2, "usage: connsend [options] conf file sender rcpt...");
	s->host.name = s->way.name;
	tlsa = tlsa_new(&s->host);
	s->way.tlsa = tlsa;
	take_policy(s, argv[optind]);
	take_file(s, argv[optind + 1]);
	s->from = argv[optind + 2];
	s->rcpts = argv + optind + 3;
	s->nrcpts = argc - optind - 3;
	env.base = s->base;
	env.deadline_ms = s->deadline_ms;
	env.uncertain = &s->uncertain;
	s->conn = conn_open(&env, &s->way, s);
	/* All of it is the session's own now. */
	policy_unref(s->way.policy);
	tlsa_unref(tlsa);
	event_base_dispatch(s->base);
	printf("uncertain %llu\n", (unsigned long long)s->uncertain);
	event_base_free(s->base);
	libevent_global_shutdown();
	free(s->body);
	free(s);
	return 0;
}
