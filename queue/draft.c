#include <assert.h>
#include <errno.h>
#include <sys/uio.h>

#include "queue/commit.h"

#define WAITS 4093 /* envelopes told apart, more or less */

void
draft_measure(struct draft *d)
{
	int i;

	assert(d->parts <= DRAFT_PARTS);
	d->length = 0;
	for (i = 0; i < d->parts; i++)
		d->length += (uint32_t)d->part[i].iov_len;
}

int
draft_prepare(struct draft *d, struct codec_writer *w)
{
	int rc = d->prepare(d, w);

	d->prepare = NULL;
	draft_measure(d);
	return rc;
}

int
draft_write(int fd, struct iovec *v, int n, uint64_t at)
{
	ssize_t done;

	while (n > 0) {
		errno = 0;
		done = pwritev(fd, v, n, (off_t)at);
		if (done == -1 && errno == EINTR)
			continue;
		if (done <= 0)
			return -1;
		at += (uint64_t)done;
		while (n > 0 && (size_t)done >= v->iov_len) {
			done -= (ssize_t)v->iov_len;
			v++;
			n--;
		}
		if (n > 0) {
			v->iov_base = (char *)v->iov_base + done;
			v->iov_len -= (size_t)done;
		}
	}
	return 0;
}

static const struct draft *
draft_of(const struct job *j)
{
	return (const struct draft *)(const void *)j;
}

bool
draft_is_mail(const struct job *j)
{
	return draft_of(j)->kind == JOURNAL_PUT && !draft_of(j)->carried;
}

/* Images come by thousands and only pin the more: the end of the ring is for
 * what lets go of it. */
enum ring_need
draft_need(const struct job *j)
{
	const struct draft *d = draft_of(j);

	if (d->kind == JOURNAL_MARK)
		return RING_SPARE;
	if (!d->carried && (d->kind == JOURNAL_PUT || d->kind == JOURNAL_IMAGE))
		return RING_MAIL;
	return RING_OUTCOME;
}

bool
drafts_urgent(struct jobs *batch)
{
	struct jobs marks = STAILQ_HEAD_INITIALIZER(marks),
		    early = STAILQ_HEAD_INITIALIZER(early),
		    rest = STAILQ_HEAD_INITIALIZER(rest);
	struct job *j, *first = STAILQ_FIRST(batch);
	bool waits[WAITS] = { false }, *behind;
	const struct draft *d;

	while ((j = STAILQ_FIRST(batch)) != NULL) {
		STAILQ_REMOVE_HEAD(batch, link);
		d = draft_of(j);
		/* A done stays behind the images of its envelope. */
		behind = &waits[d->evpid % WAITS];
		if (d->kind == JOURNAL_MARK) {
			STAILQ_INSERT_TAIL(&marks, j, link);
		} else if (d->carried ||
		    (d->kind == JOURNAL_DONE && !*behind)) {
			STAILQ_INSERT_TAIL(&early, j, link);
		} else {
			*behind = true;
			STAILQ_INSERT_TAIL(&rest, j, link);
		}
	}
	STAILQ_CONCAT(batch, &marks);
	STAILQ_CONCAT(batch, &early);
	STAILQ_CONCAT(batch, &rest);
	j = STAILQ_FIRST(batch);
	return j != first && draft_need(j) < draft_need(first);
}
