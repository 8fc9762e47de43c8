/*
 * state - small text files under state/, whole and durable
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "queue/inside.h"

static bool
is_name(const char *name)
{
	return strchr(name, '/') == NULL && name[0] != '.';
}

int
queue_state_put(struct queue *q, const char *name, const char *text)
{
	if (!is_name(name)) {
		errno = EINVAL;
		return -1;
	}
	return layout_replace(&q->layout, "state", name, text);
}

int
queue_state_get(struct queue *q, const char *name, char *text, size_t size)
{
	char path[LAYOUT_NAME_MAX * 2], *all;
	size_t len;

	if (!is_name(name) || size == 0) {
		errno = EINVAL;
		return -1;
	}
	snprintf(path, sizeof(path), "state/%s", name);
	all = layout_read_all(&q->layout, path, 16u * 1024 * 1024, &len);
	if (all == NULL)
		return -1;
	if (len > size - 1)
		len = size - 1;
	memcpy(text, all, len);
	text[len] = '\0';
	free(all);
	/* Damage must not hide what stands behind it. */
	for (all = text; all < text + len; all++)
		if (*all == '\0')
			*all = '?';
	return 0;
}

struct writing {
	struct job job;
	char *name, *text;
	int error;
	void (*cb)(void *ctx, int error);
	void *ctx;
};

static void
run_writing(struct job *j)
{
	struct writing *w = (struct writing *)(void *)j;

	if (layout_replace(&j->q->layout, "state", w->name, w->text) == -1)
		w->error = errno;
}

static void
finish_writing(struct job *j)
{
	struct writing *w = (struct writing *)(void *)j;

	w->cb(w->ctx, w->error);
	free(w->name);
	free(w->text);
	free(w);
}

void
queue_state_write(struct queue *q, const char *name, const char *text,
    void (*cb)(void *ctx, int error), void *ctx)
{
	struct writing *w = mem_zalloc(sizeof(*w));

	w->job.q = q;
	w->job.operation = "state.write";
	w->job.run = run_writing;
	w->job.finish = finish_writing;
	w->name = mem_strdup(name);
	w->text = mem_strdup(text);
	w->cb = cb;
	w->ctx = ctx;
	if (!is_name(name)) {
		w->error = EINVAL;
		crew_deliver(q->crew, &w->job);
		return;
	}
	crew_submit(q->crew, &w->job, true);
}
