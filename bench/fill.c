/*
 * fill - a large queue, made through the library
 *
 *   fill --dir SPOOL [--messages N] [--recipients N] [--size OCTETS]
 *        [--action NAME] [--keyring FILE] [--zstd LEVEL]
 *
 * Every envelope has failed once and waits for six hours: mail as it stands in
 * a queue whose next host has been down for a while. Recipients lie in some
 * hundreds of domains, errors are a handful. What was made is in files when it
 * ends; made by root, they belong to the user of the daemon's spooler.
 */
#include <err.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/lib/opt.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/mail/envelope.h"
#include "queue/keyring.h"
#include "queue/queue.h"

#define OPEN_MOST 256 /* transactions at a time */
#define STOP_MS 600000
#define LIFE_S (4 * 86400)
#define WAIT_S (6 * 3600)
#define HEADER "Received: by a bench\r\n\r\n"

struct fill {
	struct queue *q;
	const char *dir, *action, *ring; /* ring NULL: nothing is sealed */
	unsigned messages, recipients, size, zstd;
	unsigned begun, open, refused;
	bool loaded, synced;
	int64_t now;
	struct buf **texts; /* one a recipient */
	char *body;
};

static const char *const errors[] = {
	"451 4.7.1 greylisted, please try again later",
	"421 4.3.2 mx1 is shutting down",
	"connect: connection refused",
	"connect: timed out",
	"452 4.2.2 mailbox is over its quota",
};

static void
on_loaded(void *ctx)
{
	((struct fill *)ctx)->loaded = true;
}

static void
on_synced(void *ctx, enum queue_status status)
{
	if (status != QUEUE_OK)
		errx(1, "the files could not be flushed");
	((struct fill *)ctx)->synced = true;
}

static void
on_taken(void *ctx, enum queue_status status)
{
	struct fill *f = ctx;

	f->open--;
	if (status != QUEUE_OK)
		f->refused++;
}

static void
print(struct fill *f, uint64_t evpid, struct buf *b)
{
	char rcpt[96], error[128], history[192];
	uint64_t n = ident_msgid(evpid);
	struct envelope e;

	snprintf(rcpt, sizeof(rcpt), "user%llu@d%llu.example",
	    (unsigned long long)(n % 1000003 + ident_rcpt(evpid)),
	    (unsigned long long)(n % 397));
	snprintf(error, sizeof(error), "%s",
	    errors[n % (sizeof(errors) / sizeof(errors[0]))]);
	snprintf(history, sizeof(history),
	    "2026-11-22T14:01:09Z tempfail route=192.0.2.25 text=\"%s\"",
	    error);
	envelope_init(&e);
	e.id = evpid;
	e.kind = ENVELOPE_RELAY;
	envelope_set(&e.action, f->action);
	envelope_set(&e.sender, n % 3 == 0 ? "" : "list@sender.example");
	envelope_set(&e.recipient, rcpt);
	envelope_set(&e.destination, rcpt);
	envelope_set(&e.from,
	    "smtp [192.0.2.14]:40112 helo mail.sender.example listener lo:25");
	e.arrived = f->now - (int64_t)(n % 86400);
	e.expires = e.arrived + LIFE_S;
	e.tries = 1;
	e.last_try = f->now;
	e.next_try = f->now + WAIT_S;
	envelope_set(&e.error, error);
	envelope_remember(&e, history);
	e.generation = 2;
	buf_reset(b);
	if (envelope_print(&e, b) == -1)
		errx(1, "an envelope is too long");
	envelope_clear(&e);
}

static bool
send_one(struct fill *f)
{
	struct queue_text *texts;
	enum queue_status why;
	struct queue_txn *t = queue_begin(f->q, &why);
	unsigned i;

	if (t == NULL)
		return false;
	texts = mem_zarray(f->recipients, sizeof(*texts));
	(void)queue_write(t, f->body, f->size);
	for (i = 0; i < f->recipients; i++) {
		texts[i].evpid = ident_evpid(queue_txn_id(t), i + 1);
		print(f, texts[i].evpid, f->texts[i]);
		texts[i].text = (const char *)buf_data(f->texts[i]);
		texts[i].len = buf_len(f->texts[i]);
	}
	f->open++;
	queue_commit(t, texts, f->recipients, NULL, 0, on_taken, f);
	free(texts);
	return true;
}

static void
turn(struct fill *f)
{
	struct pollfd p = { queue_fd(f->q), POLLIN, 0 };

	(void)poll(&p, 1, 20);
	queue_turn(f->q);
}

static void
parse(struct fill *f, int argc, char **argv)
{
	static const struct option options[] = {
		{ "dir", required_argument, NULL, 'd' },
		{ "messages", required_argument, NULL, 'm' },
		{ "recipients", required_argument, NULL, 'r' },
		{ "size", required_argument, NULL, 's' },
		{ "action", required_argument, NULL, 'a' },
		{ "keyring", required_argument, NULL, 'k' },
		{ "zstd", required_argument, NULL, 'z' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'd')
			f->dir = optarg;
		else if (c == 'm')
			f->messages =
			    opt_number("messages", optarg, 1, 100000000);
		else if (c == 'r')
			f->recipients =
			    opt_number("recipients", optarg, 1, 1000);
		else if (c == 's')
			f->size = opt_number("size", optarg, 2, 65536);
		else if (c == 'a')
			f->action = optarg;
		else if (c == 'k')
			f->ring = optarg;
		else if (c == 'z')
			f->zstd = opt_number("zstd", optarg, 1, 19);
		else
			exit(2);
	}
	if (f->dir == NULL || optind < argc)
		errx(2,
		    "usage: fill --dir SPOOL [--messages N] "
		    "[--recipients N] [--size OCTETS] [--action NAME] "
		    "[--keyring FILE] [--zstd LEVEL]");
}

static void
prepare(struct fill *f)
{
	struct queue_options o = { .path = f->dir, .settle_ms = UINT_MAX };
	struct queue_loader loader = { .loaded = on_loaded, .ctx = f };
	const struct passwd *owner = getpwnam("_smtpq");
	char why[256];
	unsigned i;

	f->now = (int64_t)time(NULL);
	f->texts = mem_zarray(f->recipients, sizeof(struct buf *));
	for (i = 0; i < f->recipients; i++)
		f->texts[i] = buf_new(ENVELOPE_TEXT_MAX);
	f->body = mem_zalloc(f->size);
	memset(f->body, 'x', f->size);
	for (i = 62; i + 2 <= f->size; i += 64)
		memcpy(f->body + i, "\r\n", 2);
	memcpy(f->body + f->size - 2, "\r\n", 2);
	if (f->size >= 64)
		memcpy(f->body, HEADER, sizeof(HEADER) - 1);
	if (f->ring != NULL) {
		o.keys = keyring_load(f->ring, NULL, why, sizeof(why));
		if (o.keys == NULL)
			errx(1, "%s", why);
		o.seal = true;
	}
	o.compression = (int)f->zstd;
	if (geteuid() == 0 && owner != NULL) {
		o.owner = owner->pw_uid;
		o.group = owner->pw_gid;
	}
	f->q = queue_open(&o, why, sizeof(why));
	keyring_unref(o.keys);
	if (f->q == NULL)
		errx(1, "%s", why);
	queue_load(f->q, &loader);
	while (!f->loaded)
		turn(f);
}

int
main(int argc, char **argv)
{
	struct fill f = { .action = "relay-1",
		.messages = 1000,
		.recipients = 1,
		.size = 512 };
	uint64_t began;
	unsigned i;

	log_open("fill", true);
	parse(&f, argc, argv);
	prepare(&f);
	began = mono_ms();
	while (f.begun < f.messages || f.open > 0) {
		while (
		    f.begun < f.messages && f.open < OPEN_MOST && send_one(&f))
			f.begun++;
		turn(&f);
		/* A ring that was full is no reason to end up with less. */
		f.begun -= f.refused;
		f.refused = 0;
	}
	queue_sync(f.q, on_synced, &f);
	while (!f.synced)
		turn(&f);
	printf("%u messages of %u envelopes in %.1f s\n", f.messages,
	    f.recipients, (double)(mono_ms() - began) / 1000);
	queue_close(f.q, STOP_MS);
	for (i = 0; i < f.recipients; i++)
		buf_free(f.texts[i]);
	free(f.texts);
	free(f.body);
	return 0;
}
