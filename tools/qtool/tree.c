#include "tools/qtool/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"

#define NAME_MAX_KEPT 255

static DIR *
open_dir(const struct layout *l, const char *name)
{
	int fd = layout_open_dir(l, name);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);

	if (dir == NULL && fd != -1)
		close(fd);
	return dir;
}

/* 0 when it is there; a directory of ours that is not is a problem. */
static int
look_at_dir(
    const struct survey_options *o, const char *name, struct problems *p)
{
	struct stat st;

	if (fstatat(o->layout->root, name, &st, AT_SYMLINK_NOFOLLOW) == -1) {
		problems_add(p, PROBLEM_PERMISSIONS, name, "%s",
		    errno == ENOENT ? "a directory that is missing"
				    : strerror(errno));
		return -1;
	}
	return inspect_dir(&o->known, &st, name, p) ? 0 : -1;
}

static void
unreadable(const char *name, struct problems *p)
{
	problems_add(p, PROBLEM_PERMISSIONS, name, "cannot be read: %s",
	    strerror(errno));
}

static bool
is_old(const struct survey_options *o, const struct stat *st)
{
	return st->st_mtime + INSPECT_TEMP_AGE < o->known.now;
}

/* A name of ours in a bucket that is not its own. */
static void
look_at_stray(const struct survey_options *o, const struct tree_item *it,
    struct problems *p)
{
	char home[LAYOUT_NAME_MAX], bucket[LAYOUT_NAME_MAX];
	uint64_t msgid = ident_msgid(it->id);
	struct stat st;

	if (it->kind == INSPECT_MESSAGE)
		layout_message(home, msgid);
	else
		layout_envelope(home, it->id);
	layout_bucket_name(bucket, layout_bucket(msgid));
	if (fstatat(o->layout->root, home, &st, AT_SYMLINK_NOFOLLOW) == 0)
		problems_add(p, PROBLEM_DUPLICATE_ID, it->file,
		    "there is another in %s", bucket);
	else
		problems_add(
		    p, PROBLEM_WRONG_BUCKET, it->file, "belongs to %s", bucket);
}

static struct tree_item *
look_at_name(const struct survey_options *o, unsigned bucket, const char *name,
    int dir, struct problems *p)
{
	struct tree_item *it =
	    mem_zalloc(sizeof(*it) + sizeof("queue/00/") + strlen(name));

	sprintf(it->file, "queue/%02x/%s", bucket & 0xff, name);
	if (fstatat(dir, name, &it->st, AT_SYMLINK_NOFOLLOW) == -1) {
		/* ENOENT: it was finished meanwhile. */
		if (errno != ENOENT)
			unreadable(it->file, p);
		free(it);
		return NULL;
	}
	it->kind = inspect_name(name, &it->id);
	if (it->id != 0) {
		it->stray = layout_bucket(ident_msgid(it->id)) != bucket;
		if (it->stray)
			look_at_stray(o, it, p);
		it->sound = inspect_file(&o->known, &it->st, it->file, p);
		if (it->sound && it->st.st_size == 0) {
			it->sound = false;
			it->covered = !it->stray && o->covers(o->ctx, it->id);
			if (!it->covered)
				problems_add(p, PROBLEM_ZERO_LENGTH, it->file,
				    "nothing in it");
		}
		/* Named like one of ours, it is none. */
		if (!S_ISREG(it->st.st_mode)) {
			it->kind = INSPECT_FOREIGN;
			it->id = 0;
		}
	} else if (it->kind == INSPECT_TEMP) {
		if (is_old(o, &it->st))
			problems_add(p, PROBLEM_STALE_TEMP, it->file,
			    "a temporary file that was never put in place");
	} else
		problems_add(p, PROBLEM_FOREIGN_FILE, it->file,
		    "a name that has no business there");
	return it;
}

static int
by_id(const void *a, const void *b)
{
	const struct tree_item *x = *(struct tree_item *const *)a,
			       *y = *(struct tree_item *const *)b;
	bool x_last = x->stray || x->id == 0, y_last = y->stray || y->id == 0;

	if (x_last != y_last)
		return x_last ? 1 : -1;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return strcmp(x->file, y->file);
}

struct tree_item **
tree_bucket(const struct survey_options *o, unsigned bucket, size_t *n,
    struct problems *p)
{
	struct tree_item **items = NULL, *it;
	char name[LAYOUT_NAME_MAX];
	struct dirent *entry;
	size_t room = 0;
	uint64_t id;
	DIR *dir;

	*n = 0;
	layout_bucket_name(name, bucket);
	if (look_at_dir(o, name, p) == -1)
		return NULL;
	if ((dir = open_dir(o->layout, name)) == NULL) {
		unreadable(name, p);
		return NULL;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0 ||
		    strlen(entry->d_name) > NAME_MAX_KEPT)
			continue;
		if (o->wanted != NULL &&
		    ((void)inspect_name(entry->d_name, &id),
			id == 0 || !o->wanted(o->ctx, ident_msgid(id))))
			continue;
		it = look_at_name(o, bucket, entry->d_name, dirfd(dir), p);
		if (it == NULL)
			continue;
		if (*n == room) {
			room = room == 0 ? 64 : room * 2;
			items = mem_rearray(
			    items, room, sizeof(struct tree_item *));
		}
		items[(*n)++] = it;
	}
	closedir(dir);
	if (*n > 1)
		qsort(items, *n, sizeof(struct tree_item *), by_id);
	return items;
}

/* What may stand in a directory besides the buckets. */
static bool
is_segment(const char *name)
{
	return name[0] != '\0' && strspn(name, "0123456789") == strlen(name);
}

static bool
is_message(const char *name)
{
	uint64_t id;

	return inspect_name(name, &id) == INSPECT_MESSAGE;
}

static bool
is_bucket(const char *name)
{
	return strlen(name) == 2 && strspn(name, "0123456789abcdef") == 2;
}

static bool
is_top(const char *name)
{
	static const char *const ours[] = { "VERSION", "LOCK", "journal",
		"incoming", "queue", "corrupt", "trash", "offline", "state",
		"lost+found" };
	size_t i;

	for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strcmp(name, ours[i]) == 0)
			return true;
	return false;
}

static bool
is_any(const char *name)
{
	(void)name;
	return true;
}

static const struct {
	const char *dir;
	bool (*ours)(const char *name);
	bool files; /* regular ones, of ours */
} places[] = {
	{ ".", is_top, false },
	{ "journal", is_segment, true },
	{ "incoming", is_message, true },
	{ "queue", is_bucket, false },
	{ "corrupt", is_any, false },
	{ "trash", is_any, false },
	{ "offline", is_any, false },
	{ "state", is_any, true },
};

static bool
is_temp(const char *name)
{
	size_t len = strlen(name);

	return len > 4 && strcmp(name + len - 4, ".new") == 0;
}

static void
look_in_place(const struct survey_options *o, size_t place, struct problems *p)
{
	const char *at = places[place].dir;
	char file[TREE_NAME_MAX];
	struct dirent *entry;
	struct stat st;
	DIR *dir = open_dir(o->layout, at);

	if (dir == NULL) {
		unreadable(at, p);
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		/* The queue's own user may live here, with dot files. */
		if (entry->d_name[0] == '.')
			continue;
		if (place == 0)
			snprintf(file, sizeof(file), "%s", entry->d_name);
		else
			snprintf(
			    file, sizeof(file), "%s/%s", at, entry->d_name);
		if (fstatat(o->layout->root, file, &st, AT_SYMLINK_NOFOLLOW) ==
		    -1)
			continue;
		if (is_temp(entry->d_name) && places[place].ours != is_bucket &&
		    strcmp(at, "corrupt") != 0) {
			if (is_old(o, &st))
				problems_add(p, PROBLEM_STALE_TEMP, file,
				    "a temporary file that was never put in "
				    "place");
		} else if (!places[place].ours(entry->d_name))
			problems_add(p, PROBLEM_FOREIGN_FILE, file,
			    "a name that has no business there");
		else if (places[place].files ||
		    (place == 0 && S_ISREG(st.st_mode)))
			(void)inspect_file(&o->known, &st, file, p);
	}
	closedir(dir);
}

static void
look_at_version(const struct survey_options *o, struct problems *p)
{
	size_t len;
	char *text = layout_read_all(o->layout, "VERSION", 256, &len);

	if (text == NULL)
		problems_add(p,
		    errno == EPERM || errno == EACCES ? PROBLEM_PERMISSIONS
						      : PROBLEM_FOREIGN_FILE,
		    "VERSION", "%s", layout_reason(errno));
	else if (len == 0)
		problems_add(
		    p, PROBLEM_ZERO_LENGTH, "VERSION", "nothing in it");
	else if (strcmp(text, "spoolkit-spool 1\n") != 0)
		problems_add(p, PROBLEM_BAD_FIELD, "VERSION",
		    "not the line \"spoolkit-spool 1\"");
	free(text);
}

void
tree_rest(const struct survey_options *o, struct problems *p)
{
	size_t i;

	look_at_version(o, p);
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (i == 0 || look_at_dir(o, places[i].dir, p) == 0)
			look_in_place(o, i, p);
}
