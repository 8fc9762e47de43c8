#include "tools/qtool/atrest.h"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "queue/queue.h"
#include "tools/qtool/beside.h"

#define SETTLE_MS 600000u
#define TURN_MS 100

struct settling {
	bool loaded, synced;
	enum queue_status status;
};

static void
on_envelope(void *ctx, uint64_t evpid, enum queue_status status,
    const char *text, size_t len, uint64_t size, const char *reason)
{
	(void)ctx;
	(void)evpid;
	(void)status;
	(void)text;
	(void)len;
	(void)size;
	(void)reason;
}

static void
on_loaded(void *ctx)
{
	struct settling *s = ctx;

	s->loaded = true;
}

static void
on_synced(void *ctx, enum queue_status status)
{
	struct settling *s = ctx;

	s->synced = true;
	s->status = status;
}

static void
turn_until(struct queue *q, const bool *done)
{
	struct pollfd p = { queue_fd(q), POLLIN, 0 };

	while (!*done) {
		(void)poll(&p, 1, TURN_MS);
		queue_turn(q);
	}
}

/* A start and a stop of the library. */
static int
settle(struct qtool *t)
{
	const struct layout *l = view_layout(t->view);
	struct queue_options o = { .path = t->spool,
		.keys = t->keys,
		.seal = t->keys != NULL && keyring_active(t->keys) != NULL,
		.settle_ms = UINT_MAX,
		.reserve_percent = UINT_MAX,
		.owner = geteuid() == 0 ? l->owner : 0,
		.group = geteuid() == 0 ? l->group : 0 };
	struct settling s = { 0 };
	struct queue_loader loader = {
		.envelope = on_envelope, .loaded = on_loaded, .ctx = &s
	};
	struct queue *q;
	char err[512];

	q = queue_open(&o, err, sizeof(err));
	if (q == NULL)
		return qtool_fail(t, EXIT_TEMPFAIL, "%s", err);
	queue_load(q, &loader);
	turn_until(q, &s.loaded);
	queue_sync(q, on_synced, &s);
	turn_until(q, &s.synced);
	queue_close(q, SETTLE_MS);
	if (s.status != QUEUE_OK)
		return qtool_fail(t, EXIT_TEMPFAIL,
		    "the journal could not be settled into files");
	return EXIT_DONE;
}

/* The view from before the lock may be old. */
static int
lock(struct atrest *a, struct qtool *t)
{
	int code = qtool_lock(t, &a->lock);

	if (code != EXIT_DONE)
		return code;
	view_close(t->view);
	t->view = NULL;
	return qtool_open(t);
}

int
atrest_open(struct atrest *a, struct qtool *t)
{
	int code = qtool_open(t);

	a->lock = -1;
	if (code == EXIT_DONE)
		code = lock(a, t);
	if (code == EXIT_DONE && !view_settled(t->view)) {
		close(a->lock);
		a->lock = -1;
		qtool_note(t, "settling the journal into files first");
		if ((code = settle(t)) == EXIT_DONE)
			code = lock(a, t);
		if (code == EXIT_DONE && !view_settled(t->view))
			code = qtool_fail(t, EXIT_TEMPFAIL,
			    "the journal still holds %llu messages and %llu "
			    "changes that did not become files; see qtool "
			    "verify",
			    (unsigned long long)view_journal(t->view)->puts,
			    (unsigned long long)(view_journal(t->view)->images +
				view_journal(t->view)->dones));
	}
	if (code != EXIT_DONE)
		return code;
	t->busy = false; /* it is us */
	a->layout = *view_layout(t->view);
	a->layout.lock = a->lock;
	a->layout.chown = geteuid() == 0 && a->layout.owner != 0;
	beside_sweep(&a->layout);
	return EXIT_DONE;
}

void
atrest_close(struct atrest *a)
{
	if (a->lock != -1)
		close(a->lock);
	a->lock = -1;
}
