#include "queue/finished.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/hmap.h"
#include "lib/base/ident.h"
#include "lib/base/mem.h"

/* "ID TIME OUTCOME" */
#define OUTCOME_AT (IDENT_EVPID_DIGITS + 1 + 20 + 1)

struct finished {
	uint64_t *ids;
	size_t count, room;
	/* Those that were taken back, with the count at their last time. */
	struct hmap *back;
};

bool
finished_not(const char *outcome)
{
	static const char *const words[] = { "gone", "aside", "back" };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strncmp(outcome, words[i], strlen(words[i])) == 0)
			return true;
	return false;
}

static void
take_line(struct finished *f, char *line, size_t len, uint64_t only)
{
	uint64_t id;

	if (len < OUTCOME_AT || line[IDENT_EVPID_DIGITS] != ' ')
		return;
	line[IDENT_EVPID_DIGITS] = '\0';
	if (!ident_evpid_parse(line, &id) ||
	    (only != 0 && ident_msgid(id) != only))
		return;
	if (finished_not(line + OUTCOME_AT)) {
		/* From one, as nothing stands for none. */
		hmap_put(f->back, id, (void *)(uintptr_t)(f->count + 1));
		return;
	}
	if (f->count == f->room) {
		f->room = f->room == 0 ? 1024 : f->room * 2;
		f->ids = mem_rearray(f->ids, f->room, sizeof(*f->ids));
	}
	f->ids[f->count++] = id;
}

static void
read_file(
    struct finished *f, const struct layout *l, const char *name, uint64_t only)
{
	int fd = layout_open_read(l, name, NULL);
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	FILE *in;

	if (fd == -1)
		return;
	if ((in = fdopen(fd, "r")) == NULL) {
		close(fd);
		return;
	}
	while ((len = getline(&line, &room, in)) > 0)
		take_line(f, line, (size_t)len, only);
	free(line);
	fclose(in);
}

static int
by_id(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

struct finished *
finished_read(const struct layout *l, uint64_t only)
{
	struct finished *f = mem_zalloc(sizeof(*f));
	size_t i, kept = 0;

	f->back = hmap_new();
	read_file(f, l, "state/finished.1", only);
	read_file(f, l, "state/finished", only);
	for (i = 0; i < f->count; i++)
		if ((uintptr_t)hmap_get(f->back, f->ids[i]) <= i)
			f->ids[kept++] = f->ids[i];
	f->count = kept;
	hmap_free(f->back);
	f->back = NULL;
	if (f->count > 1)
		qsort(f->ids, f->count, sizeof(*f->ids), by_id);
	return f;
}

void
finished_free(struct finished *f)
{
	if (f == NULL)
		return;
	free(f->ids);
	free(f);
}

bool
finished_has(const struct finished *f, uint64_t evpid)
{
	return f != NULL && f->count > 0 &&
	    bsearch(&evpid, f->ids, f->count, sizeof(evpid), by_id) != NULL;
}
