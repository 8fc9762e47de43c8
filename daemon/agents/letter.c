#include "daemon/agents/letter.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

/* Longer than any pause of the sender that the mda would bear. */
#define READ_TIMEOUT 600 /* seconds */

static const char field[] = "delivered-to";

void
letter_init(struct letter *l, int fd, const char *sender, const char *recipient)
{
	memset(l, 0, offsetof(struct letter, data));
	l->fd = fd;
	l->sender = sender;
	l->recipient = recipient;
}

static int
called_off(struct verdict *v)
{
	return verdict_set(v, VERDICT_TEMPFAIL, "4.3.0 delivery was stopped");
}

/* SIGTERM is let through only while waiting, so none is missed; no other
 * signal has a handler. 0: time is up; 1: fd can be read; -1: v says why. */
static int
wait_for(struct pollfd *fds, nfds_t n, int ms, struct verdict *v)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };
	sigset_t mask;
	int got;

	sigprocmask(SIG_BLOCK, NULL, &mask);
	sigdelset(&mask, SIGTERM);
	got = ppoll(fds, n, &ts, &mask);
	if (got == -1 && errno == EINTR)
		return called_off(v);
	if (got == -1)
		return verdict_errno(v, errno, "poll", "message");
	return got;
}

static void
value_end(struct letter_watch *w, const char *recipient)
{
	char *s = w->value;

	if (w->ours) {
		while (w->len > 0 && s[w->len - 1] == ' ')
			w->len--;
		s[w->len] = '\0';
		while (*s == ' ')
			s++;
		/* Case counts in no local part we deliver to. */
		if (strcasecmp(s, recipient) == 0)
			w->loop = true;
	}
	w->ours = false;
	w->len = 0;
	w->matched = 0;
}

static void
value_add(struct letter_watch *w, char c)
{
	if (c == '\t')
		c = ' ';
	if (w->len + 1 < sizeof(w->value))
		w->value[w->len++] = c;
	else
		w->ours = false; /* longer than any address: not ours */
}

static void
watch_name(struct letter_watch *w, char c)
{
	size_t want = sizeof(field) - 1;

	if (c == ':' && w->matched == want) {
		w->where = LETTER_VALUE;
		w->ours = true;
	} else if (w->matched == want && (c == ' ' || c == '\t')) {
		return; /* the obsolete "Name :" */
	} else if (w->matched < want &&
	    (c | 0x20) == (field[w->matched] | 0x20)) {
		w->matched++;
	} else {
		w->where = LETTER_SKIP;
	}
}

/* Per octet, but only for as long as the header lasts. */
static void
watch_char(struct letter_watch *w, char c, const char *recipient)
{
	bool folded;

	if (w->where == LETTER_START) {
		folded = c == ' ' || c == '\t';
		if (!folded)
			value_end(w, recipient);
		if (c == '\n') {
			w->where = LETTER_BODY;
			return;
		}
		w->where = !folded ? LETTER_NAME
		    : w->ours      ? LETTER_VALUE
				   : LETTER_SKIP;
	} else if (c == '\n') {
		w->where = LETTER_START;
		return;
	}
	if (w->where == LETTER_NAME)
		watch_name(w, c);
	else if (w->where == LETTER_VALUE)
		value_add(w, c);
}

static void
watch_feed(struct letter *l, const char *data, size_t len)
{
	struct letter_watch *w = &l->watch;
	size_t i;

	for (i = 0; i < len && w->where != LETTER_BODY; i++)
		watch_char(w, data[i], l->recipient);
	if (len == 0 && w->where != LETTER_BODY)
		value_end(w, l->recipient);
}

/* CRLF to LF in place. A CR at the very end waits for what follows it. */
static size_t
unfold(struct letter *l, size_t len)
{
	char *d = l->data, *to = d, *at = d, *end = d + len, *cr;
	size_t n;

	l->cr = false;
	while (at < end) {
		cr = memchr(at, '\r', (size_t)(end - at));
		n = (size_t)((cr != NULL ? cr : end) - at);
		memmove(to, at, n);
		to += n;
		at += n;
		if (cr == NULL)
			break;
		if (cr + 1 == end) {
			l->cr = true;
			break;
		}
		if (cr[1] != '\n')
			*to++ = '\r';
		at++;
	}
	return (size_t)(to - d);
}

static int
at_end(struct letter *l, struct verdict *v)
{
	l->ended = true;
	if (l->sized && l->seen != l->size)
		return verdict_set(v, VERDICT_TEMPFAIL,
		    "4.3.0 message ended after %llu of %llu octets",
		    (unsigned long long)l->seen, (unsigned long long)l->size);
	return 0;
}

int
letter_next(struct letter *l, const char **data, size_t *len, struct verdict *v)
{
	struct pollfd p = { .fd = l->fd, .events = POLLIN };
	size_t held, n = 0;
	ssize_t got;
	int ready;

	while (n == 0 && !l->ended) {
		ready = wait_for(&p, 1, READ_TIMEOUT * 1000, v);
		if (ready == 0)
			verdict_set(v, VERDICT_TEMPFAIL,
			    "4.4.2 nothing came for %d s", READ_TIMEOUT);
		if (ready <= 0)
			return -1;
		held = l->cr ? 1 : 0;
		if (held > 0)
			l->data[0] = '\r';
		got = read(l->fd, l->data + held, LETTER_PIECE);
		if (got == -1 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got == -1)
			return verdict_errno(v, errno, "read", "message");
		l->seen += (uint64_t)got;
		if (got > 0) {
			n = unfold(l, (size_t)got + held);
		} else {
			n = held;
			if (at_end(l, v) == -1)
				return -1;
		}
		watch_feed(l, l->data, n);
	}
	if (n == 0)
		watch_feed(l, NULL, 0);
	if (l->watch.loop)
		return verdict_set(v, VERDICT_DATAERR,
		    "5.4.6 mail loop: was delivered to this address before");
	*data = l->data;
	*len = n;
	return 0;
}

int
letter_trace(const struct letter *l, char *dst, size_t size, struct verdict *v)
{
	int n;

	n = snprintf(dst, size, "Return-Path: <%s>\nDelivered-To: %s\n",
	    l->sender, l->recipient);
	if (n < 0 || (size_t)n >= size)
		return verdict_set(
		    v, VERDICT_USAGE, "5.1.0 the addresses are too long");
	return n;
}

bool
letter_wanted(struct verdict *v)
{
	sigset_t waiting;

	if (sigpending(&waiting) == 0 && sigismember(&waiting, SIGTERM) == 1) {
		called_off(v);
		return false;
	}
	return true;
}

bool
letter_pause(int ms, struct verdict *v)
{
	return wait_for(NULL, 0, ms, v) != -1;
}
