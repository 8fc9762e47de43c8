#include "daemon/mda/delivery.h"

#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"

#define SAID_MAX 1024
#define OUTPUT_LOW (CARRY_PIECE / 2) /* then the next piece is asked for */
#define KILLS_MAX 2

struct delivery {
	const char *agent;
	const struct delivery_owner *owner;
	void *ctx;
	unsigned patience, grace;
	struct bufferevent *bev; /* NULL: not started yet */
	struct event *timer;
	uint64_t offset; /* of what is wanted next */
	bool wanting; /* an answer is due */
	bool whole; /* the last piece has come */
	bool deaf; /* the agent takes no more, or was told all */
	bool silent; /* the agent says no more */
	bool exited, ended;
	int64_t status;
	unsigned kills;
	const char *failed; /* why the agent was stopped: a reply */
	char said[SAID_MAX];
	size_t said_len;
};

static void
arm(struct delivery *d, unsigned ms)
{
	struct timeval tv = { ms / 1000, (suseconds_t)(ms % 1000) * 1000 };

	event_add(d->timer, &tv);
}

static void
end(struct delivery *d, const struct ending *e)
{
	if (d->ended)
		return;
	d->ended = true;
	event_del(d->timer);
	if (d->bev != NULL)
		bufferevent_disable(d->bev, EV_READ | EV_WRITE);
	d->owner->ended(d->ctx, e);
}

/* Its exit may be told before its last words are read. */
static void
join(struct delivery *d)
{
	struct ending e;

	if (!d->exited || !d->silent)
		return;
	d->said[d->said_len] = '\0';
	ending_of_exit(&e, d->status, d->said, d->agent);
	/* When it has delivered after all, that stands. */
	if (d->failed != NULL && e.result != CARRY_DONE)
		ending_of_reply(&e, d->failed);
	end(d, &e);
}

static void
stop_agent(struct delivery *d, const char *why)
{
	if (d->failed == NULL)
		d->failed = why;
	d->deaf = true;
	d->kills++;
	d->owner->kill(d->ctx);
	arm(d, d->grace);
}

static void
on_timer(int fd, short what, void *arg)
{
	struct delivery *d = arg;
	struct ending e;

	(void)fd;
	(void)what;
	if (d->exited) {
		d->silent = true;
		join(d);
	} else if (d->kills < KILLS_MAX) {
		stop_agent(d, "451 4.3.0 the agent took too long");
	} else {
		ending_of_reply(&e, "451 4.3.0 the agent cannot be stopped");
		end(d, &e);
	}
}

/* Asks for more when there is room; tells the agent when that was all. */
static void
pump(struct delivery *d)
{
	size_t queued;

	if (d->bev == NULL || d->deaf || d->ended)
		return;
	queued = evbuffer_get_length(bufferevent_get_output(d->bev));
	if (d->whole) {
		if (queued > 0)
			return;
		d->deaf = true;
		shutdown(bufferevent_getfd(d->bev), SHUT_WR);
	} else if (!d->wanting && queued <= OUTPUT_LOW) {
		d->wanting = true;
		d->owner->want(d->ctx, d->offset);
	}
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct delivery *d = arg;
	int n;

	n = evbuffer_remove(
	    in, d->said + d->said_len, SAID_MAX - 1 - d->said_len);
	if (n > 0)
		d->said_len += (size_t)n;
	evbuffer_drain(in, evbuffer_get_length(in));
}

static void
on_written(struct bufferevent *bev, void *arg)
{
	(void)bev;
	pump(arg);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct delivery *d = arg;

	if (what & BEV_EVENT_WRITING) {
		/* It ended early; what it said about that is still to come. */
		d->deaf = true;
		return;
	}
	on_read(bev, d);
	d->silent = true;
	join(d);
}

struct delivery *
delivery_new(struct event_base *base, const char *agent,
    const struct delivery_owner *owner, void *ctx, unsigned patience,
    unsigned grace)
{
	struct delivery *d = mem_zalloc(sizeof(*d));

	d->agent = agent;
	d->owner = owner;
	d->ctx = ctx;
	d->patience = patience;
	d->grace = grace;
	d->timer = evtimer_new(base, on_timer, d);
	if (d->timer == NULL)
		fatal("out of memory: a delivery");
	arm(d, patience);
	return d;
}

void
delivery_free(struct delivery *d)
{
	if (d == NULL)
		return;
	if (d->bev != NULL)
		bufferevent_free(d->bev);
	event_free(d->timer);
	free(d);
}

void
delivery_started(struct delivery *d, int fd)
{
	if (d->ended || d->bev != NULL) {
		close(fd);
		return;
	}
	evutil_make_socket_nonblocking(fd);
	d->bev = bufferevent_socket_new(
	    event_get_base(d->timer), fd, BEV_OPT_CLOSE_ON_FREE);
	if (d->bev == NULL)
		fatal("out of memory: a delivery");
	bufferevent_setcb(d->bev, on_read, on_written, on_event, d);
	bufferevent_setwatermark(d->bev, EV_WRITE, OUTPUT_LOW, 0);
	bufferevent_enable(d->bev, EV_READ | EV_WRITE);
	pump(d);
}

void
delivery_not_started(struct delivery *d, const char *error)
{
	struct ending e;

	ending_of_start(&e, error);
	end(d, &e);
}

void
delivery_body(struct delivery *d, const struct carry_body *piece)
{
	d->wanting = false;
	if (d->deaf || d->ended || d->bev == NULL)
		return;
	if (piece->status != CARRY_BODY_OK ||
	    (piece->len == 0 && !piece->last)) {
		stop_agent(d,
		    piece->status == CARRY_BODY_GONE
			? "451 4.3.0 the message is gone from the spool"
			: "451 4.3.0 the message cannot be read now");
		return;
	}
	d->offset += piece->len;
	d->whole = piece->last;
	bufferevent_write(d->bev, piece->data, piece->len);
	pump(d);
}

void
delivery_exited(struct delivery *d, int64_t status)
{
	if (d->exited || d->ended)
		return;
	d->exited = true;
	d->status = status;
	d->deaf = true;
	/* Its words are in the socket already; somebody else who holds that
	 * open is not waited for. */
	if (d->bev == NULL)
		d->silent = true;
	else
		arm(d, d->grace);
	join(d);
}
