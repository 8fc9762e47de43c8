#include "daemon/mta/dialer.h"

#include <stdlib.h>

#include "daemon/edge/dial.h"
#include "daemon/proc/peer.h"
#include "daemon/proc/pending.h"
#include "lib/base/mem.h"

#define QUESTIONS 2000

struct dialer {
	struct proc *proc;
	struct pending *asked; /* struct caller */
};

struct caller {
	void (*fn)(void *arg, int fd, int error);
	void *arg;
};

struct dialer *
dialer_new(struct proc *p)
{
	struct dialer *d = mem_zalloc(sizeof(*d));

	d->proc = p;
	d->asked = pending_new(QUESTIONS);
	return d;
}

uint32_t
dialer_ask(struct dialer *d, const char *path,
    void (*fn)(void *arg, int fd, int error), void *arg)
{
	struct peer *parent = proc_peer(d->proc, ROLE_PARENT);
	struct caller *c = mem_zalloc(sizeof(*c));
	struct dial_open open = { .path = path };

	c->fn = fn;
	c->arg = arg;
	open.ticket = pending_park(d->asked, c);
	if (open.ticket == 0) {
		free(c);
		return 0;
	}
	dial_open_put(peer_begin(parent), &open);
	peer_send(parent, DIAL_OPEN);
	return open.ticket;
}

void
dialer_forget(struct dialer *d, uint32_t ticket)
{
	free(pending_take(d->asked, ticket));
}

int
dialer_on_opened(void *arg, struct message *m)
{
	struct dial_opened o;
	struct dialer *d = arg;
	struct caller *c;

	if (dial_opened_get(&m->body, &o) == -1 ||
	    (o.error == 0) != (m->fd != -1))
		return -1;
	c = pending_take(d->asked, o.ticket);
	if (c == NULL)
		return 0; /* m->fd is closed by whoever called */
	c->fn(c->arg, m->fd, (int)o.error);
	m->fd = -1;
	free(c);
	return 0;
}
