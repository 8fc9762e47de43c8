#include "tools/qtool/slots.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* What one slot of a head holds. */
struct held {
	enum seal_result state; /* SEAL_DAMAGED also when its line is */
	char kid[KEYRING_KID + 1];
	uint8_t key[SEAL_DATA_KEY];
};

static void
look(struct held *h, const char *head, unsigned i, uint64_t msgid,
    const struct keyring *keys)
{
	char slot[SEAL_SLOT + 1];

	memset(h, 0, sizeof(*h));
	h->state = SEAL_DAMAGED;
	if (message_slot_parse(head + MESSAGE_SLOT_AT(i), slot))
		h->state = seal_unwrap(keys, msgid, slot, h->key, h->kid);
}

/* Which step is the first, by what the slots hold: a run that was cut off is
 * taken up where it was. */
static unsigned
first_step(const struct held h[MESSAGE_SLOTS], const struct key *to)
{
	bool first = h[0].state == SEAL_OK && strcmp(h[0].kid, to->kid) == 0,
	     second = h[1].state == SEAL_OK && strcmp(h[1].kid, to->kid) == 0;

	if (first)
		return h[1].state == SEAL_EMPTY ? SLOTS_STEPS : 2;
	/* The second may be overwritten only when the first opens. */
	return second || h[0].state != SEAL_OK ? 1 : 0;
}

enum slots_result
slots_begin(
    struct slots *s, int fd, const struct keyring *keys, const struct key *to)
{
	struct held h[MESSAGE_SLOTS], *from = NULL;
	enum slots_result rc = SLOTS_NO_KEY;
	char head[MESSAGE_HEAD_MAX], slot[SEAL_SLOT + 1];
	struct message m;
	ssize_t n;
	unsigned i;

	memset(s, 0, sizeof(*s));
	s->fd = fd;
	n = pread(fd, head, sizeof(head), 0);
	s->why = n == -1 ? strerror(errno) : message_parse(&m, head, (size_t)n);
	if (s->why != NULL)
		return SLOTS_DAMAGED;
	if ((m.codec & MESSAGE_SEALED) == 0)
		return SLOTS_NOTHING;
	for (i = 0; i < MESSAGE_SLOTS; i++) {
		look(&h[i], head, i, m.msgid, keys);
		if (from == NULL && h[i].state == SEAL_OK)
			from = &h[i];
	}
	if (from == NULL) {
		for (i = 0; i < MESSAGE_SLOTS; i++)
			if (h[i].state == SEAL_NO_KEY)
				memcpy(s->kid, h[i].kid, sizeof(s->kid));
		s->why = "its key slots are damaged";
		rc = s->kid[0] != '\0' ? SLOTS_NO_KEY : SLOTS_DAMAGED;
		goto out;
	}
	memcpy(s->kid, from->kid, sizeof(s->kid));
	s->step = first_step(h, to);
	rc = s->step == SLOTS_STEPS ? SLOTS_NOTHING : SLOTS_BEGUN;
	if (rc == SLOTS_NOTHING)
		goto out;
	if (seal_wrap(to, m.msgid, from->key, slot) == -1) {
		s->why = "libcrypto failed";
		rc = SLOTS_DAMAGED;
		goto out;
	}
	message_slot_print(slot, s->line);
out:
	for (i = 0; i < MESSAGE_SLOTS; i++)
		seal_wipe(h[i].key, sizeof(h[i].key));
	return rc;
}

static int
put_slot(const struct slots *s, unsigned i, const char *line)
{
	ssize_t n =
	    pwrite(s->fd, line, MESSAGE_SLOT, (off_t)MESSAGE_SLOT_AT(i));

	if (n >= 0 && n < (ssize_t)MESSAGE_SLOT)
		errno = ENOSPC;
	return n == (ssize_t)MESSAGE_SLOT ? 0 : -1;
}

int
slots_step(struct slots *s)
{
	char empty[SEAL_SLOT + 1], line[MESSAGE_SLOT + 1];
	int rc = 0;

	switch (s->step) {
	case 0:
		rc = put_slot(s, 1, s->line);
		break;
	case 1:
		rc = put_slot(s, 0, s->line);
		break;
	case 2:
		seal_slot_empty(empty);
		message_slot_print(empty, line);
		rc = put_slot(s, 1, line);
		break;
	default:
		return 0;
	}
	if (rc == 0)
		s->step++;
	return rc;
}
