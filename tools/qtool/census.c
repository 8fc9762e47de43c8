#include "tools/qtool/census.h"

#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "queue/envfile.h"
#include "queue/message.h"
#include "tools/qtool/buckets.h"
#include "tools/qtool/places.h"

#define PIECE 1048576 /* octets read at a time */
#define OVERLAP 128 /* more than a kid's place takes */

struct taking {
	struct census *c;
	const struct layout *l;
	pthread_mutex_t lock;
	uint64_t files; /* since the bar was told */
	void (*bar)(void *ctx, uint64_t files);
	void *ctx;
};

/* What a thread keeps for itself. */
struct taker {
	struct taking *t;
	char *data;
	struct buf *clear;
	bool elsewhere;
};

static struct census_kid *
kid_of(struct census *c, const char *kid)
{
	unsigned i;

	for (i = 0; i < c->n; i++)
		if (strcmp(c->kids[i].kid, kid) == 0)
			return &c->kids[i];
	if (c->n == CENSUS_KIDS)
		return NULL;
	snprintf(c->kids[c->n].kid, sizeof(c->kids[0].kid), "%s", kid);
	return &c->kids[c->n++];
}

static void
count(
    struct taker *k, const char *kid, const char *file, const struct message *m)
{
	struct census_kid *at;

	pthread_mutex_lock(&k->t->lock);
	at = kid_of(k->t->c, kid);
	if (at != NULL) {
		if (k->elsewhere)
			at->elsewhere++;
		else if (m != NULL)
			at->messages++;
		else
			at->envelopes++;
		if (m != NULL && (at->oldest == 0 || m->arrived < at->oldest))
			at->oldest = m->arrived;
		if ((m != NULL || at->example[0] == '\0') &&
		    strlen(file) < sizeof(at->example))
			snprintf(at->example, sizeof(at->example), "%s", file);
	}
	pthread_mutex_unlock(&k->t->lock);
}

static void
count_plain(struct taker *k, bool readable)
{
	pthread_mutex_lock(&k->t->lock);
	if (readable)
		k->t->c->plain++;
	else
		k->t->c->unreadable++;
	pthread_mutex_unlock(&k->t->lock);
}

static void
look_at_head(struct taker *k, const char *file, const char *head,
    const struct message *m)
{
	char slot[SEAL_SLOT + 1], kids[MESSAGE_SLOTS][KEYRING_KID + 1];
	uint8_t none[SEAL_DATA_KEY];
	unsigned i;

	memset(kids, 0, sizeof(kids));
	for (i = 0; i < MESSAGE_SLOTS; i++) {
		if (!message_slot_parse(head + MESSAGE_SLOT_AT(i), slot) ||
		    seal_unwrap(NULL, m->msgid, slot, none, kids[i]) !=
			SEAL_NO_KEY)
			continue;
		if (i == 0 || strcmp(kids[0], kids[i]) != 0)
			count(k, kids[i], file, m);
	}
}

/* The kid behind a slot's "key=", or in the line of a sealed text. */
static bool
kid_at(const char *p, const char *end, char kid[KEYRING_KID + 1])
{
	static const char text[] = "spoolkit-envelope 1 ";
	unsigned blanks;

	if (end - p > 4 && memcmp(p, "key=", 4) == 0)
		p += 4;
	else if (end - p > (ptrdiff_t)sizeof(text) &&
	    memcmp(p, text, sizeof(text) - 1) == 0) {
		p += sizeof(text) - 1;
		for (blanks = 0; p < end && blanks < 2; p++)
			blanks += *p == ' ';
	} else
		return false;
	if (end - p <= KEYRING_KID || p[KEYRING_KID] != ' ')
		return false;
	memcpy(kid, p, KEYRING_KID);
	kid[KEYRING_KID] = '\0';
	return key_kid_ok(kid) && strspn(kid, "-") < KEYRING_KID;
}

/* A piece of the journal that was kept: its records name their keys. */
static void
look_at_piece(struct taker *k, const char *file, int fd)
{
	char(*kids)[KEYRING_KID + 1] = mem_zarray(CENSUS_KIDS, sizeof(*kids));
	char *data = mem_zarray(PIECE + OVERLAP, 1), kid[KEYRING_KID + 1];
	const char *p, *end;
	size_t kept = 0, n = 0, i;
	ssize_t got;

	while ((got = read(fd, data + kept, PIECE)) > 0) {
		end = data + kept + (size_t)got;
		for (p = data; p < end; p++) {
			if ((*p != 'k' && *p != 's') || !kid_at(p, end, kid))
				continue;
			for (i = 0; i < n && strcmp(kids[i], kid) != 0; i++)
				;
			if (i == n && n < CENSUS_KIDS) {
				memcpy(kids[n++], kid, sizeof(kid));
				count(k, kid, file, NULL);
			}
		}
		/* What was cut at the end of this one is in the next. */
		kept = end - data > OVERLAP ? OVERLAP : (size_t)(end - data);
		memmove(data, end - kept, kept);
	}
	free(data);
	free(kids);
}

static bool
is_piece(const char *file)
{
	return strncmp(file, "corrupt/journal", 15) == 0 &&
	    strstr(file, ".why") == NULL;
}

static void
look_at(struct taker *k, const char *file)
{
	char kid[KEYRING_KID + 1];
	struct message m;
	ssize_t n;
	int fd;

	fd = openat(k->t->l->root, file,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	n = fd == -1 ? -1 : pread(fd, k->data, MESSAGE_HEAD_MAX, 0);
	if (n > 0 && envfile_is_sealed(k->data, (size_t)n)) {
		n = pread(fd, k->data, ENVFILE_STORED_MAX, 0);
		buf_reset(k->clear);
		if (n > 0 &&
		    envfile_unwrap(NULL, k->data, (size_t)n, k->clear, NULL,
			kid) == ENVFILE_NO_KEY)
			count(k, kid, file, NULL);
		else
			count_plain(k, false);
	} else if (n > 0 && message_parse(&m, k->data, (size_t)n) == NULL &&
	    (m.codec & MESSAGE_SEALED) != 0)
		look_at_head(k, file, k->data, &m);
	else if (n > 0 && k->elsewhere && is_piece(file))
		look_at_piece(k, file, fd);
	else
		count_plain(k, n > 0);
	if (fd != -1)
		close(fd);
}

static bool
look_elsewhere(void *ctx, const char *file)
{
	look_at(ctx, file);
	return true;
}

static void *
begin(void *ctx)
{
	struct taker *k = mem_zalloc(sizeof(*k));

	k->t = ctx;
	k->data = mem_zarray(ENVFILE_STORED_MAX, 1);
	k->clear = buf_new(ENVFILE_MAX);
	return k;
}

static void
end(void *ctx, void *own)
{
	struct taker *k = own;

	(void)ctx;
	buf_free(k->clear);
	free(k->data);
	free(k);
}

static void
take_bucket(void *ctx, void *own, unsigned bucket)
{
	char dir[LAYOUT_NAME_MAX], file[LAYOUT_NAME_MAX + 264];
	struct taking *t = ctx;
	size_t n, i;
	char **names;

	names = places_names(t->l, layout_bucket_name(dir, bucket), &n);
	for (i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", dir, names[i]);
		look_at(own, file);
	}
	places_free(names, n);
	pthread_mutex_lock(&t->lock);
	t->files += n;
	pthread_mutex_unlock(&t->lock);
}

static void
show(void *ctx)
{
	struct taking *t = ctx;
	uint64_t files;

	pthread_mutex_lock(&t->lock);
	files = t->files;
	t->files = 0;
	pthread_mutex_unlock(&t->lock);
	if (t->bar != NULL)
		t->bar(t->ctx, files);
}

void
census_take(struct census *c, const struct layout *l, unsigned jobs,
    void (*bar)(void *ctx, uint64_t files), void *ctx)
{
	struct taking t = { .c = c, .l = l, .bar = bar, .ctx = ctx };
	struct buckets_work w = { .begin = begin,
		.bucket = take_bucket,
		.end = end,
		.progress = show,
		.ctx = &t };
	struct taker *k;

	memset(c, 0, sizeof(*c));
	pthread_mutex_init(&t.lock, NULL);
	buckets_run(jobs, &w);
	k = begin(&t);
	k->elsewhere = true;
	places_elsewhere(l, look_elsewhere, k);
	end(&t, k);
	pthread_mutex_destroy(&t.lock);
}

const struct census_kid *
census_find(const struct census *c, const char *kid)
{
	unsigned i;

	for (i = 0; i < c->n; i++)
		if (strcmp(c->kids[i].kid, kid) == 0)
			return &c->kids[i];
	return NULL;
}

uint64_t
census_objects(const struct census_kid *k)
{
	return k == NULL ? 0 : k->messages + k->envelopes + k->elsewhere;
}
