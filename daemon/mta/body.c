#include "daemon/mta/body.h"

#include <event2/buffer.h>
#include <string.h>

#include "lib/base/log.h"

void
body_init(struct body *b)
{
	memset(b, 0, sizeof(*b));
	b->held = evbuffer_new();
	b->chunk = evbuffer_new();
	if (b->held == NULL || b->chunk == NULL)
		fatal("out of memory: a body");
}

void
body_free(struct body *b)
{
	evbuffer_free(b->held);
	evbuffer_free(b->chunk);
}

void
body_start(struct body *b, struct evbuffer *out, bool chunks)
{
	evbuffer_drain(b->held, evbuffer_get_length(b->held));
	stuff_init(&b->stuff, chunks);
	b->out = out;
	b->asked = b->got = 0;
	b->chunks = 0;
	b->open = b->last = b->ended = false;
}

bool
body_wants(struct body *b, uint64_t *offset)
{
	/* One at a time: pieces carry no offset, and two that are read by two
	 * workers of the spooler may change places on the way. */
	if (b->last || b->asked != b->got || (!b->open && b->asked > 0))
		return false;
	if (evbuffer_get_length(b->out) + evbuffer_get_length(b->held) >
	    CARRY_PIECE)
		return false;
	*offset = b->asked;
	b->asked += CARRY_PIECE;
	return true;
}

static void
put_octets(void *arg, const void *octets, size_t n)
{
	/* Adding nothing would leave an empty chain behind. */
	if (n > 0 && evbuffer_add(arg, octets, n) == -1)
		fatal("out of memory: a body");
}

/* Where octets go: straight out, or to the chunk whose size must be known. */
static struct evbuffer *
sink(struct body *b)
{
	return b->stuff.chunks ? b->chunk : b->out;
}

/* What was fed since the last time leaves; with it the end, when it has come.
 */
static void
pass_on(struct body *b)
{
	size_t n;

	if (b->last && !b->ended) {
		stuff_end(&b->stuff, put_octets, sink(b));
		b->ended = true;
	}
	n = evbuffer_get_length(b->chunk);
	if (!b->stuff.chunks || (n == 0 && !b->last))
		return;
	if (evbuffer_add_printf(
		b->out, "BDAT %zu%s\r\n", n, b->last ? " LAST" : "") == -1 ||
	    evbuffer_add_buffer(b->out, b->chunk) == -1)
		fatal("out of memory: a body");
	b->chunks++;
}

int
body_take(struct body *b, const struct carry_body *piece)
{
	if (b->last)
		return 0;
	if (piece->status != CARRY_BODY_OK ||
	    (!piece->last && piece->len != CARRY_PIECE))
		return -1;
	b->got += CARRY_PIECE;
	b->octets += piece->len;
	b->last = piece->last;
	if (!b->open) {
		put_octets(b->held, piece->data, piece->len);
		return 0;
	}
	stuff_feed(&b->stuff, piece->data, piece->len, put_octets, sink(b));
	pass_on(b);
	return 0;
}

void
body_open(struct body *b)
{
	struct evbuffer_iovec v;

	b->open = true;
	while (evbuffer_peek(b->held, -1, NULL, &v, 1) > 0) {
		stuff_feed(
		    &b->stuff, v.iov_base, v.iov_len, put_octets, sink(b));
		evbuffer_drain(b->held, v.iov_len);
	}
	if (b->got > 0)
		pass_on(b);
}

bool
body_sent(const struct body *b)
{
	return b->ended && evbuffer_get_length(b->out) == 0;
}
