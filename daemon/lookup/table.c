#include "daemon/lookup/table.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/conf/lines.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"

#define KEY_MAX 512
#define LOOK_EVERY 1000 /* milliseconds */
#define RETRY_EVERY 30000 /* a file that could not be read, unchanged */

struct entry {
	char *key, *value;
	unsigned order; /* of two the same the first counts */
};

/* What a table holds; replaced as a whole. */
struct content {
	struct entry *entries;
	size_t n;
	struct network *networks; /* of the keys that are some */
	size_t nnetworks;
};

struct table {
	char *name, *path; /* path NULL: inline */
	struct content *content; /* NULL: never read */
	bool looked;
	uint64_t looked_at;
	struct stat st; /* of the file that was tried last */
	uint64_t tried_at;
	char why[200]; /* the last try failed, as logged; "" when not */
};

struct tables {
	struct table *tables;
	size_t n;
	uint64_t now;
};

static void
content_free(struct content *c)
{
	size_t i;

	if (c == NULL)
		return;
	for (i = 0; i < c->n; i++) {
		free(c->entries[i].key);
		free(c->entries[i].value);
	}
	free(c->entries);
	free(c->networks);
	free(c);
}

static void
content_add(struct content *c, const char *key, const char *value)
{
	struct entry *e;
	struct network net;

	if (c->n == 0 || (c->n >= 16 && (c->n & (c->n - 1)) == 0))
		c->entries = mem_rearray(
		    c->entries, c->n < 16 ? 16 : c->n * 2, sizeof(*e));
	e = &c->entries[c->n];
	e->key = mem_strdup(key);
	text_lower(e->key);
	e->value = mem_strdup(value);
	e->order = (unsigned)c->n++;
	if (!network_parse(&net, key))
		return;
	if ((c->nnetworks & (c->nnetworks - 1)) == 0)
		c->networks = mem_rearray(c->networks,
		    c->nnetworks == 0 ? 1 : c->nnetworks * 2,
		    sizeof(c->networks[0]));
	c->networks[c->nnetworks++] = net;
}

static int
by_key(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int d = strcmp(x->key, y->key);

	return d != 0 ? d : (x->order > y->order) - (x->order < y->order);
}

/* Sorts, and drops what was there before under the same key. */
static void
content_sort(struct content *c)
{
	size_t i, kept = 0;

	if (c->n == 0)
		return;
	qsort(c->entries, c->n, sizeof(c->entries[0]), by_key);
	for (i = 1; i < c->n; i++) {
		if (strcmp(c->entries[i].key, c->entries[kept].key) == 0) {
			free(c->entries[i].key);
			free(c->entries[i].value);
		} else {
			c->entries[++kept] = c->entries[i];
		}
	}
	c->n = kept + 1;
}

static void
on_line(void *arg, const char *key, const char *value)
{
	content_add(arg, key, value);
}

/* NULL when it cannot be read, with the reason. */
static struct content *
content_read(const char *path, char *why, size_t why_size)
{
	struct content *c = NULL;
	struct stat st;
	size_t len = 0;
	char *text = NULL;
	ssize_t n = 1;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1 || fstat(fd, &st) == -1) {
		snprintf(why, why_size, "%s", strerror(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > (off_t)TABLE_FILE_MAX) {
		snprintf(why, why_size, "no regular file, or too long");
		goto out;
	}
	text = mem_zalloc((size_t)st.st_size + 1);
	while (len < (size_t)st.st_size && n > 0) {
		n = read(fd, text + len, (size_t)st.st_size - len);
		if (n == -1) {
			snprintf(why, why_size, "%s", strerror(errno));
			goto out;
		}
		len += (size_t)n;
	}
	c = mem_zalloc(sizeof(*c));
	if (lines_read(text, len, on_line, c, why, why_size) == -1) {
		content_free(c);
		c = NULL;
		goto out;
	}
	content_sort(c);
out:
	if (fd != -1)
		close(fd);
	free(text);
	return c;
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	    a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	    a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	    a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Keeps what there is, and says so when it was not said before. */
static void
complain(struct table *t, const char *why)
{
	char path[300], text[300];

	if (strcmp(t->why, why) == 0)
		return;
	snprintf(t->why, sizeof(t->why), "%s", why);
	log_warn("table=%s event=%s path=%s error=%s", t->name,
	    t->content != NULL ? "kept" : "unreadable",
	    text_quote(path, sizeof(path), t->path),
	    text_quote(text, sizeof(text), why));
}

/* Reads the file when there is another than was tried last. */
static void
refresh(struct table *t, uint64_t now)
{
	struct content *c;
	struct stat st;
	char why[200];

	if (t->path == NULL || (t->looked && now - t->looked_at < LOOK_EVERY))
		return;
	t->looked_at = now;
	if (stat(t->path, &st) == -1) {
		complain(t, strerror(errno));
		t->looked = true;
		return;
	}
	if (t->looked && same_file(&st, &t->st) &&
	    (t->why[0] == '\0' || now - t->tried_at < RETRY_EVERY))
		return;
	t->looked = true;
	t->tried_at = now;
	t->st = st;
	c = content_read(t->path, why, sizeof(why));
	if (c == NULL) {
		complain(t, why);
		return;
	}
	if (t->why[0] != '\0' || t->content != NULL)
		log_info("table=%s event=read entries=%zu", t->name, c->n);
	t->why[0] = '\0';
	content_free(t->content);
	t->content = c;
}

static struct content *
content_inline(const struct conf_table *t)
{
	struct content *c = mem_zalloc(sizeof(*c));
	size_t i;

	for (i = 0; i < t->n; i++)
		content_add(
		    c, t->keys[i], t->values[i] != NULL ? t->values[i] : "");
	content_sort(c);
	return c;
}

/* Takes over what old had read of the same file. */
static void
inherit(struct table *t, struct tables *old)
{
	struct table *o;
	size_t i;

	for (i = 0; old != NULL && i < old->n; i++) {
		o = &old->tables[i];
		if (o->path == NULL || o->content == NULL ||
		    strcmp(o->path, t->path) != 0)
			continue;
		t->content = o->content;
		o->content = NULL;
		t->st = o->st;
		t->tried_at = o->tried_at;
		memcpy(t->why, o->why, sizeof(t->why));
		t->looked = o->looked;
		return;
	}
}

struct tables *
tables_new(const struct conf *c, struct tables *old)
{
	struct tables *all = mem_zalloc(sizeof(*all));
	struct table *t;
	size_t i;

	all->now = old != NULL ? old->now : 0;
	all->n = c->ntables;
	all->tables = mem_zarray(all->n, sizeof(all->tables[0]));
	for (i = 0; i < all->n; i++) {
		t = &all->tables[i];
		t->name = mem_strdup(c->tables[i].name);
		if (c->tables[i].path == NULL) {
			t->content = content_inline(&c->tables[i]);
			continue;
		}
		t->path = mem_strdup(c->tables[i].path);
		inherit(t, old);
	}
	tables_free(old);
	return all;
}

void
tables_free(struct tables *all)
{
	size_t i;

	if (all == NULL)
		return;
	for (i = 0; i < all->n; i++) {
		free(all->tables[i].name);
		free(all->tables[i].path);
		content_free(all->tables[i].content);
	}
	free(all->tables);
	free(all);
}

void
tables_now(struct tables *all, uint64_t now)
{
	size_t i;

	all->now = now;
	for (i = 0; i < all->n; i++)
		refresh(&all->tables[i], now);
}

static const struct content *
content_of(const struct tables *all, const char *name)
{
	size_t i;

	for (i = 0; i < all->n; i++)
		if (strcmp(all->tables[i].name, name) == 0)
			return all->tables[i].content;
	return NULL;
}

enum table_result
table_find(
    struct tables *all, const char *name, const char *key, const char **value)
{
	const struct content *c = content_of(all, name);
	char folded[KEY_MAX], shown[KEY_MAX];
	const struct entry *e = NULL;
	int d;
	size_t low = 0, high, mid;

	if (c == NULL) {
		trace(TRACE_TABLES, "table=%s result=trouble", name);
		return TABLE_TROUBLE;
	}
	if (strlen(key) >= sizeof(folded))
		return TABLE_NONE;
	strcpy(folded, key);
	text_lower(folded);
	for (high = c->n; low < high && e == NULL;) {
		mid = low + (high - low) / 2;
		d = strcmp(folded, c->entries[mid].key);
		if (d == 0)
			e = &c->entries[mid];
		else if (d < 0)
			high = mid;
		else
			low = mid + 1;
	}
	if (trace_on(TRACE_TABLES))
		trace(TRACE_TABLES, "table=%s key=%s result=%s", name,
		    text_quote(shown, sizeof(shown), folded),
		    e != NULL ? "found" : "none");
	if (e == NULL)
		return TABLE_NONE;
	if (value != NULL)
		*value = e->value;
	return TABLE_FOUND;
}

enum table_result
table_find_address(
    struct tables *all, const char *name, const struct network *address)
{
	const struct content *c = content_of(all, name);
	size_t i;

	if (c == NULL)
		return TABLE_TROUBLE;
	for (i = 0; i < c->nnetworks; i++)
		if (network_has(&c->networks[i], address))
			return TABLE_FOUND;
	return TABLE_NONE;
}
