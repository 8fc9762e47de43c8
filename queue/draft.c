#include <assert.h>
#include <errno.h>
#include <sys/uio.h>

#include "queue/commit.h"

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
