#include "daemon/mta/transaction.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

struct transaction *
transaction_new(uint64_t msgid, uint64_t size, const char *sender)
{
	struct transaction *t = mem_zalloc(sizeof(*t));

	t->msgid = msgid;
	t->size = size;
	t->sender = mem_strdup(sender);
	return t;
}

void
transaction_free(struct transaction *t)
{
	unsigned i;

	if (t == NULL)
		return;
	for (i = 0; i < t->n; i++)
		free(t->rcpts[i].address);
	free(t->rcpts);
	free(t->sender);
	free(t);
}

bool
transaction_add(
    struct transaction *t, uint64_t evpid, const char *address, int64_t arrived)
{
	struct transaction_rcpt *r;

	if (t->n == TRANSACTION_RCPTS)
		return false;
	if (t->n == t->room) {
		t->room = t->room == 0 ? 1 : t->room * 4;
		t->rcpts = mem_rearray(t->rcpts, t->room, sizeof(*t->rcpts));
	}
	r = &t->rcpts[t->n++];
	memset(r, 0, sizeof(*r));
	r->evpid = evpid;
	r->address = mem_strdup(address);
	r->arrived = arrived;
	r->state = TRANSACTION_OPEN;
	t->open++;
	return true;
}

unsigned
transaction_compact(struct transaction *t)
{
	unsigned i, n = 0;

	for (i = 0; i < t->n; i++) {
		if (t->rcpts[i].state == TRANSACTION_SETTLED) {
			free(t->rcpts[i].address);
			continue;
		}
		t->rcpts[n] = t->rcpts[i];
		t->rcpts[n++].state = TRANSACTION_OPEN;
	}
	t->n = t->open = n;
	return n;
}
