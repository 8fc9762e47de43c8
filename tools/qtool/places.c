#include "tools/qtool/places.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/mem.h"

#define DEPTH 3 /* trash/JOB/NAME */
#define FILE_MAX 640

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char **
places_names(const struct layout *l, const char *dir, size_t *n)
{
	int fd = layout_open_dir(l, dir);
	struct dirent *entry;
	char **names = NULL;
	size_t room = 0;
	DIR *d;

	*n = 0;
	if (fd == -1)
		return NULL;
	if ((d = fdopendir(fd)) == NULL) {
		close(fd);
		return NULL;
	}
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		if (*n == room) {
			room = room == 0 ? 64 : room * 2;
			names = mem_rearray(names, room, sizeof(char *));
		}
		names[(*n)++] = mem_strdup(entry->d_name);
	}
	closedir(d);
	if (*n > 1)
		qsort(names, *n, sizeof(char *), by_name);
	return names;
}

void
places_free(char **names, size_t n)
{
	while (n > 0)
		free(names[--n]);
	free(names);
}

static bool
walk(const struct layout *l, const char *dir, unsigned depth,
    bool (*each)(void *ctx, const char *file), void *ctx)
{
	char file[FILE_MAX];
	struct stat st;
	bool more = true;
	char **names;
	size_t n, i;

	names = places_names(l, dir, &n);
	for (i = 0; i < n && more; i++) {
		snprintf(file, sizeof(file), "%.300s/%.300s", dir, names[i]);
		if (fstatat(l->root, file, &st, AT_SYMLINK_NOFOLLOW) == -1)
			continue;
		if (S_ISREG(st.st_mode))
			more = each(ctx, file);
		else if (S_ISDIR(st.st_mode) && depth < DEPTH)
			more = walk(l, file, depth + 1, each, ctx);
	}
	places_free(names, n);
	return more;
}

void
places_elsewhere(const struct layout *l,
    bool (*each)(void *ctx, const char *file), void *ctx)
{
	static const char *const dirs[] = { "corrupt", "trash", "state",
		"incoming" };
	size_t i;

	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (!walk(l, dirs[i], 1, each, ctx))
			return;
}
