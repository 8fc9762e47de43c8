#include "queue/trouble.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "queue/layout.h"

#define QUIET_MS 60000 /* without it before it is news again */
#define SHOWN_MS 3000 /* what comes and goes is shown for so long */
#define ERRNOS 160

/* A cause is one of these and an errno or a bucket. */
#define OF_SYSTEM 0x10000u
#define OF_BUCKET 0x20000u
#define OF_MESSAGE 0x30000u
#define KIND 0xf0000u
#define DETAIL 0xffffu

struct cause {
	unsigned messages; /* that it stops now */
	int error;
	bool told; /* logged, and its end not yet */
	uint64_t last; /* ms: when it was met last */
};

struct trouble {
	struct cause system[ERRNOS];
	struct cause bucket[LAYOUT_BUCKETS];
	struct cause part[TROUBLE_PARTS];
	unsigned messages; /* with a cause of their own */
	int error; /* of the last of them */
};

static const struct {
	const char *event, *alarm;
} parts[TROUBLE_PARTS] = {
	[TROUBLE_JOURNAL] = { "journal", "journal: it could not be flushed" },
	[TROUBLE_READING] = { "reading", "files cannot be read" },
	[TROUBLE_SLOW] = { "slow-disk", "journal: a flush takes seconds" },
	[TROUBLE_FILES] = { "checkpoint",
	    "files could not be flushed, which is tried again" },
	[TROUBLE_RENEWAL] = { "journal-segment",
	    "journal: a segment cannot be made anew" },
	[TROUBLE_FINISHED] = { "state-finished",
	    "state/finished cannot be written" },
	[TROUBLE_CORRUPT] = { "set-aside", "corrupt/ cannot be written" },
};

struct trouble *
trouble_new(void)
{
	return mem_zalloc(sizeof(struct trouble));
}

void
trouble_free(struct trouble *t)
{
	free(t);
}

bool
trouble_of_system(int error)
{
	static const int errors[] = { ENOSPC, EDQUOT, EROFS, EIO, EMFILE,
		ENFILE, ENOMEM, ESTALE, EAGAIN, ENODEV, ENXIO, EINTR };
	size_t i;

	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i] == error)
			return true;
	return false;
}

static uint32_t
cause_of(uint64_t msgid, int error, bool bucket)
{
	if (trouble_of_system(error) && error < ERRNOS)
		return OF_SYSTEM | (uint32_t)error;
	if (bucket)
		return OF_BUCKET | layout_bucket(msgid);
	return OF_MESSAGE | ((uint32_t)error & DETAIL);
}

static struct cause *
shared(struct trouble *t, uint32_t cause)
{
	switch (cause & KIND) {
	case OF_SYSTEM:
		return &t->system[cause & DETAIL];
	case OF_BUCKET:
		return &t->bucket[cause & DETAIL];
	default:
		return NULL;
	}
}

/* True when it is news. */
static bool
appears(struct cause *c, int error, uint64_t now)
{
	bool news = (!c->told || c->messages == 0) &&
	    (c->last == 0 || now > c->last + QUIET_MS);

	c->error = error;
	c->last = now;
	if (news)
		c->told = true;
	return news;
}

static void
log_bucket(uint64_t msgid, int error)
{
	char id[IDENT_TEXT_MAX];

	log_warn("event=bucket-unavailable bucket=queue/%02x error=\"%s\" "
		 "msgid=%s",
	    layout_bucket(msgid), layout_reason(error),
	    ident_msgid_text(id, msgid));
}

uint32_t
trouble_meet(struct trouble *t, uint32_t had, const char *what, uint64_t msgid,
    int error, bool bucket, uint64_t now, bool *fresh)
{
	uint32_t cause = cause_of(msgid, error, bucket);
	struct cause *c = shared(t, cause);
	char id[IDENT_TEXT_MAX];

	*fresh = c == NULL ? cause != had : appears(c, error, now);
	if (cause != had) {
		if (c != NULL)
			c->messages++;
		else
			t->messages++;
		trouble_over(t, had, now);
	}
	if (c == NULL)
		t->error = error;
	if (!*fresh)
		return cause;
	ident_msgid_text(id, msgid);
	if ((cause & KIND) == OF_BUCKET)
		log_bucket(msgid, error);
	else
		log_warn("event=%s-failed msgid=%s error=\"%s\"%s", what, id,
		    layout_reason(error),
		    c == NULL ? ""
			      : " text=\"others may wait for the same; this "
				"is said once\"");
	return cause;
}

void
trouble_over(struct trouble *t, uint32_t cause, uint64_t now)
{
	struct cause *c = shared(t, cause);

	if (cause == 0)
		return;
	if (c == NULL) {
		t->messages--;
		return;
	}
	if (--c->messages > 0 || !c->told)
		return;
	c->told = false;
	c->last = now;
	if ((cause & KIND) == OF_BUCKET)
		log_info(
		    "event=bucket-available bucket=queue/%02x", cause & DETAIL);
	else
		log_info("event=files-again text=\"no message waits for this "
			 "any more: %s\"",
		    layout_reason(c->error));
}

void
trouble_bucket(struct trouble *t, uint64_t msgid, int error, uint64_t now)
{
	if (appears(&t->bucket[layout_bucket(msgid)], error, now))
		log_bucket(msgid, error);
}

bool
trouble_part(struct trouble *t, enum trouble_part part, int error, uint64_t now)
{
	struct cause *c = &t->part[part];

	if (error != 0) {
		c->messages = 1;
		if (!appears(c, error, now))
			return false;
		log_err("event=%s-failed error=\"%s\" text=\"%s\"",
		    parts[part].event, layout_reason(error), parts[part].alarm);
		return true;
	}
	c->messages = 0;
	if (c->told && now > c->last + SHOWN_MS) {
		c->told = false;
		log_info("event=%s-again", parts[part].event);
	}
	return false;
}

struct text {
	char *at;
	size_t room;
	bool any;
};

__attribute__((format(printf, 2, 3))) static void
put(struct text *x, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (x->any && x->room > 3) {
		memcpy(x->at, "; ", 3);
		x->at += 2;
		x->room -= 2;
	}
	x->any = true;
	va_start(ap, fmt);
	n = vsnprintf(x->at, x->room, fmt, ap);
	va_end(ap);
	n = n < 0 ? 0 : (size_t)n >= x->room ? (int)x->room - 1 : n;
	x->at += n;
	x->room -= (size_t)n;
}

static bool
shown(const struct cause *c, uint64_t now)
{
	return c->messages > 0 || (c->last != 0 && now < c->last + SHOWN_MS);
}

void
trouble_text(const struct trouble *t, char *text, size_t size, uint64_t now)
{
	struct text x = { text, size, false };
	unsigned i, waiting = 0, buckets = 0, first = 0;

	text[0] = '\0';
	for (i = 0; i < TROUBLE_PARTS; i++)
		if (i == TROUBLE_SLOW && shown(&t->part[i], now))
			put(&x, "%s", parts[i].alarm);
		else if (shown(&t->part[i], now))
			put(&x, "%s (%s)", parts[i].alarm,
			    layout_reason(t->part[i].error));
	for (i = 0; i < ERRNOS; i++)
		if (t->system[i].messages > 0)
			put(&x, "files of %u messages: %s",
			    t->system[i].messages, layout_reason((int)i));
	for (i = LAYOUT_BUCKETS; i-- > 0;) {
		if (t->bucket[i].messages == 0)
			continue;
		first = i;
		buckets++;
		waiting += t->bucket[i].messages;
	}
	if (buckets == 1)
		put(&x, "queue/%02x: %s (%u messages wait)", first,
		    layout_reason(t->bucket[first].error), waiting);
	else if (buckets > 1)
		put(&x,
		    "%u buckets, queue/%02x and others: %s (%u messages "
		    "wait)",
		    buckets, first, layout_reason(t->bucket[first].error),
		    waiting);
	if (t->messages > 0)
		put(&x, "files of %u messages cannot be changed: %s",
		    t->messages, layout_reason(t->error));
}
