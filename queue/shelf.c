#include "queue/shelf.h"

#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include "lib/base/mem.h"

#define MOST 64
#define WAIT_MS 60000

struct place {
	TAILQ_ENTRY(place) link;
	uint64_t msgid, offset;
	struct codec_reader *reader;
	int fd;
	uint64_t since;
};

struct shelf {
	TAILQ_HEAD(, place) places; /* the longest first */
	unsigned count;
};

struct shelf *
shelf_new(void)
{
	struct shelf *s = mem_zalloc(sizeof(*s));

	TAILQ_INIT(&s->places);
	return s;
}

static void
leave(struct shelf *s, struct place *p)
{
	TAILQ_REMOVE(&s->places, p, link);
	s->count--;
}

static void
drop(struct shelf *s, struct place *p)
{
	leave(s, p);
	codec_close(p->reader);
	close(p->fd);
	free(p);
}

void
shelf_free(struct shelf *s)
{
	if (s == NULL)
		return;
	shelf_drop(s, 0);
	free(s);
}

struct codec_reader *
shelf_take(struct shelf *s, uint64_t msgid, uint64_t offset, int *fd)
{
	struct codec_reader *r;
	struct place *p;

	TAILQ_FOREACH(p, &s->places, link) {
		if (p->msgid != msgid || p->offset != offset)
			continue;
		r = p->reader;
		*fd = p->fd;
		leave(s, p);
		free(p);
		return r;
	}
	return NULL;
}

void
shelf_put(struct shelf *s, uint64_t msgid, uint64_t offset,
    struct codec_reader *r, int fd, uint64_t now)
{
	struct place *p = mem_zalloc(sizeof(*p));

	p->msgid = msgid;
	p->offset = offset;
	p->reader = r;
	p->fd = fd;
	p->since = now;
	TAILQ_INSERT_TAIL(&s->places, p, link);
	if (++s->count > MOST)
		drop(s, TAILQ_FIRST(&s->places));
}

void
shelf_drop(struct shelf *s, uint64_t msgid)
{
	struct place *p, *next;

	for (p = TAILQ_FIRST(&s->places); p != NULL; p = next) {
		next = TAILQ_NEXT(p, link);
		if (msgid == 0 || p->msgid == msgid)
			drop(s, p);
	}
}

void
shelf_tidy(struct shelf *s, uint64_t now)
{
	struct place *p;

	while (
	    (p = TAILQ_FIRST(&s->places)) != NULL && p->since + WAIT_MS <= now)
		drop(s, p);
}
