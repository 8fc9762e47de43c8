/*
 * view_bucket - one bucket of a view: names, files, and the journal over them
 *
 * Names are read first; then the files that are wanted, in the order of their
 * inodes, which on a cold disk is the order of their blocks; then all is shown
 * in the order of ids. Beside a running daemon a file may be half written and a
 * message half removed: what looks odd is looked at again before it is said.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "queue/envfile.h"
#include "queue/view_group.h"

#define PAUSE_MS 20u /* before the second look; twice that before the next */
#define LOOKS 6 /* after the second one: 2.5 s */
#define WAIT_MS 10000 /* for all that is young, in all buckets together */
#define YOUNG_S 10 /* a daemon may be at it still */

/* A power cut may keep both names of a large message that was being moved into
 * its bucket; the next start of the daemon takes one away. */
static bool
is_moved(const struct view *v, const char *name, const struct stat *st)
{
	const char *base = strrchr(name, '/');
	char path[LAYOUT_NAME_MAX];
	struct stat old, new;
	uint64_t msgid;

	return st->st_nlink == 2 &&
	    ident_msgid_parse(base == NULL ? name : base + 1, &msgid) &&
	    fstatat(v->layout.root, layout_incoming(path, msgid), &old,
		AT_SYMLINK_NOFOLLOW) == 0 &&
	    fstatat(v->layout.root, layout_message(path, msgid), &new,
		AT_SYMLINK_NOFOLLOW) == 0 &&
	    old.st_ino == st->st_ino && new.st_ino == st->st_ino;
}

int
view_open_file(const struct view *v, int dir, const char *name, off_t *size)
{
	int fd = layout_open_quietly(dir, name, O_RDONLY | LAYOUT_OPEN_SAFE),
	    error = 0;
	struct stat st;

	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1)
		error = errno;
	else if (!S_ISREG(st.st_mode))
		error = EINVAL;
	else if (st.st_uid != v->layout.owner || (st.st_mode & 077) != 0)
		error = EPERM;
	else if (st.st_nlink > 1 && !is_moved(v, name, &st))
		error = EMLINK;
	if (error != 0) {
		close(fd);
		errno = error;
		return -1;
	}
	*size = st.st_size;
	return fd;
}

void
view_bucket_odd(struct view_bucket *b, enum view_odd odd, const char *name,
    const char *reason, uint64_t id)
{
	char path[LAYOUT_NAME_MAX + 256], text[IDENT_TEXT_MAX];
	struct view_anomaly a = {
		.odd = odd, .name = path, .reason = reason, .id = id
	};

	if (b->to->anomaly == NULL)
		return;
	if (name == NULL)
		name = ident_rcpt(id) == 0
		    ? ident_msgid_text(text, ident_msgid(id))
		    : ident_evpid_text(text, id);
	snprintf(path, sizeof(path), "queue/%02x%s%s", b->number,
	    name[0] == '\0' ? "" : "/", name);
	b->to->anomaly(b->part, &a);
}

bool
view_bucket_asked(const struct view_bucket *b, uint64_t id)
{
	const struct view_range *r = b->range;

	if (ident_rcpt(id) != 0)
		return id >= r->lo && id <= r->hi;
	return ident_msgid(id) >= ident_msgid(r->lo) &&
	    ident_msgid(id) <= ident_msgid(r->hi);
}

static bool
whole_bucket(const struct view_bucket *b)
{
	return b->range->lo == 0 && b->range->hi == UINT64_MAX;
}

static uint64_t
name_id(const char *name)
{
	uint64_t id;

	if (ident_msgid_parse(name, &id))
		return ident_evpid(id, 0);
	return ident_evpid_parse(name, &id) ? id : 0;
}

static int
type_error(const struct dirent *entry)
{
#ifdef DT_UNKNOWN
	if (entry->d_type == DT_LNK)
		return ELOOP;
	if (entry->d_type != DT_REG && entry->d_type != DT_UNKNOWN)
		return EINVAL;
#else
	(void)entry;
#endif
	return 0;
}

static void
add_name(struct view_bucket *b, const struct dirent *entry)
{
	uint64_t id = name_id(entry->d_name);
	struct view_item *i;

	if (id == 0 || layout_bucket(ident_msgid(id)) != b->number) {
		if (whole_bucket(b))
			view_bucket_odd(b,
			    id == 0 ? VIEW_ODD_NAME : VIEW_ODD_BUCKET,
			    entry->d_name,
			    id == 0 ? "a name that has no business there"
				    : "its name belongs to another bucket",
			    id);
		return;
	}
	if (!view_bucket_asked(b, id))
		return;
	if (b->count == b->room) {
		b->room = b->room == 0 ? 256 : b->room * 2;
		b->items = mem_rearray(b->items, b->room, sizeof(*b->items));
	}
	i = &b->items[b->count++];
	memset(i, 0, sizeof(*i));
	i->id = id;
	i->ino = entry->d_ino;
	i->odd = type_error(entry);
	i->file.there = true;
}

static int
by_id(const void *a, const void *b)
{
	const struct view_item *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static int
by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void
read_names(struct view_bucket *b)
{
	char name[LAYOUT_NAME_MAX];
	struct dirent *entry;
	DIR *dir = NULL;
	int fd;

	b->dir =
	    layout_open_dir(&b->v->layout, layout_bucket_name(name, b->number));
	fd = b->dir == -1 ? -1 : dup(b->dir);
	if (fd == -1 || (dir = fdopendir(fd)) == NULL) {
		view_bucket_odd(
		    b, VIEW_ODD_DIRECTORY, "", layout_reason(errno), 0);
		if (fd != -1)
			close(fd);
		return;
	}
	errno = 0;
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.')
			add_name(b, entry);
		errno = 0;
	}
	if (errno != 0)
		view_bucket_odd(
		    b, VIEW_ODD_DIRECTORY, "", layout_reason(errno), 0);
	closedir(dir);
	if (b->count > 1)
		qsort(b->items, b->count, sizeof(*b->items), by_id);
}

static void
pause_for_daemon(const struct view_bucket *b, unsigned look)
{
	unsigned ms = PAUSE_MS << look;
	struct timespec pause = { ms / 1000, (long)(ms % 1000) * 1000000 };

	if (b->v->busy)
		nanosleep(&pause, NULL);
}

/* What changed a moment ago may be half done: on a machine that is busy, or
 * whose disk is, a daemon may be held up for longer than a second look takes.
 * What is broken as well must not cost that much in each bucket. */
static bool
may_wait(struct view_bucket *b, const struct stat *st, unsigned look)
{
	return b->v->busy && look <= LOOKS &&
	    time(NULL) - st->st_mtime <= YOUNG_S &&
	    atomic_fetch_add(&b->v->waited, PAUSE_MS << look) < WAIT_MS;
}

bool
view_bucket_moves(struct view_bucket *b)
{
	struct stat st;

	if (b->dir == -1 || fstat(b->dir, &st) == -1 ||
	    !may_wait(b, &st, b->looks + 1))
		return false;
	b->looks++;
	b->looked_again = false;
	free(b->again);
	b->again = NULL;
	b->agains = 0;
	return true;
}

bool
view_bucket_still(struct view_bucket *b, uint64_t lo, uint64_t hi)
{
	char name[LAYOUT_NAME_MAX];
	struct dirent *entry;
	size_t i, room = 0;
	DIR *dir;
	int fd;

	if (!b->looked_again) {
		b->looked_again = true;
		pause_for_daemon(b, b->looks);
		fd = layout_open_dir(
		    &b->v->layout, layout_bucket_name(name, b->number));
		dir = fd == -1 ? NULL : fdopendir(fd);
		while (dir != NULL && (entry = readdir(dir)) != NULL) {
			if (b->agains == room) {
				room = room == 0 ? 256 : room * 2;
				b->again = mem_rearray(
				    b->again, room, sizeof(*b->again));
			}
			b->again[b->agains] = name_id(entry->d_name);
			b->agains += b->again[b->agains] != 0;
		}
		if (dir != NULL)
			closedir(dir);
		else if (fd != -1)
			close(fd);
		if (b->agains > 1)
			qsort(
			    b->again, b->agains, sizeof(*b->again), by_number);
	}
	for (i = 0; i < b->agains && b->again[i] <= hi; i++)
		if (b->again[i] >= lo)
			return true;
	return false;
}

static void
judge(struct view_item *i, enum view_status status, const char *reason)
{
	i->file.read = true;
	i->file.status = status;
	i->file.reason = reason;
}

static void
fail(struct view_item *i, int error)
{
	if (error == ENOENT)
		i->file.there = false; /* since its name was read */
	judge(i, VIEW_UNAVAILABLE, layout_reason(error));
}

static int
open_item(struct view_bucket *b, struct view_item *i)
{
	char name[IDENT_TEXT_MAX];
	off_t size;
	int fd;

	if (ident_rcpt(i->id) == 0)
		ident_msgid_text(name, ident_msgid(i->id));
	else
		ident_evpid_text(name, i->id);
	if (i->odd != 0) {
		errno = i->odd;
		fd = -1;
	} else {
		fd = view_open_file(b->v, b->dir, name, &size);
	}
	if (fd == -1)
		fail(i, errno);
	else
		i->file.stored = (uint64_t)size;
	return fd;
}

/* Whether a slot names a key of the ring: nothing is opened yet. */
static void
look_for_key(struct view_bucket *b, struct view_item *i, const char *head)
{
	char slot[SEAL_SLOT + 1], kid[KEYRING_KID + 1];
	uint8_t none[SEAL_DATA_KEY];
	bool whole = false;
	unsigned n;

	for (n = 0; n < MESSAGE_SLOTS; n++) {
		if (!message_slot_parse(head + MESSAGE_SLOT_AT(n), slot) ||
		    seal_unwrap(NULL, ident_msgid(i->id), slot, none, kid) !=
			SEAL_NO_KEY)
			continue;
		whole = true;
		if (i->kid[0] == '\0')
			memcpy(i->kid, kid, sizeof(kid));
		if (b->v->keys == NULL || keyring_find(b->v->keys, kid) == NULL)
			continue;
		memcpy(i->kid, kid, sizeof(kid));
		judge(i, VIEW_WHOLE, NULL);
		return;
	}
	judge(i, whole ? VIEW_LOCKED : VIEW_BROKEN,
	    whole ? envfile_reason(ENVFILE_NO_KEY)
		  : "its key slots are damaged");
}

static void
judge_head(
    struct view_bucket *b, struct view_item *i, const char *head, size_t n)
{
	const char *why = message_parse(&i->m, head, n);
	uint64_t stored;

	if (why == NULL && i->m.msgid != ident_msgid(i->id))
		why = "its head belongs to another message";
	if (why != NULL) {
		memset(&i->m, 0, sizeof(i->m));
		judge(i, n < MESSAGE_HEAD ? VIEW_TORN : VIEW_BROKEN,
		    n == 0 ? "empty" : why);
		return;
	}
	/* Of a compressed one the length shows when it is read. */
	stored = message_stored(&i->m);
	if (stored != 0 && i->file.stored != stored)
		judge(i, i->file.stored < stored ? VIEW_TORN : VIEW_BROKEN,
		    i->file.stored < stored ? "cut short"
					    : "longer than its head says");
	else if ((i->m.codec & MESSAGE_SEALED) != 0)
		look_for_key(b, i, head);
	else
		judge(i, VIEW_WHOLE, NULL);
}

static void
read_head(struct view_bucket *b, struct view_item *i)
{
	char head[MESSAGE_HEAD_MAX];
	ssize_t n;
	int fd = open_item(b, i);

	if (fd == -1)
		return;
	n = pread(fd, head, sizeof(head), 0);
	if (n == -1)
		fail(i, errno);
	else
		judge_head(b, i, head, (size_t)n);
	close(fd);
}

static char *
text_room(struct view_bucket *b, size_t len)
{
	while (b->text_room < b->text_len + len + 1) {
		b->text_room = b->text_room == 0 ? 65536 : b->text_room * 2;
		b->text = mem_rearray(b->text, b->text_room, 1);
	}
	return b->text + b->text_len;
}

static void
judge_text(struct view_bucket *b, struct view_item *i, size_t n)
{
	enum envfile_state state;
	uint64_t sealed;
	char *to;

	buf_reset(b->clear);
	state =
	    envfile_unwrap(b->v->keys, b->file, n, b->clear, &sealed, i->kid);
	i->len = buf_len(b->clear);
	to = text_room(b, i->len);
	memcpy(to, buf_text(b->clear), i->len);
	to[i->len] = '\0';
	i->at = b->text_len;
	b->text_len += i->len + 1;
	switch (state) {
	case ENVFILE_WHOLE:
		if (envfile_id(to, i->len) == i->id)
			judge(i, VIEW_WHOLE, NULL);
		else
			judge(i, VIEW_BROKEN,
			    "its id line names another envelope");
		break;
	case ENVFILE_TORN:
		judge(i, VIEW_TORN, n == 0 ? "empty" : envfile_reason(state));
		break;
	case ENVFILE_EDITED:
		judge(i, VIEW_EDITED, envfile_reason(state));
		break;
	case ENVFILE_NO_KEY:
	case ENVFILE_WRONG_KEY:
		if (sealed == i->id)
			judge(i, VIEW_LOCKED, envfile_reason(state));
		else
			judge(i, VIEW_BROKEN,
			    "its first line names another envelope");
		break;
	}
}

static void
read_text(struct view_bucket *b, struct view_item *i)
{
	ssize_t n;
	int fd = open_item(b, i);

	if (fd == -1)
		return;
	if (i->file.stored > ENVFILE_STORED_MAX) {
		fail(i, EFBIG);
		close(fd);
		return;
	}
	n = pread(fd, b->file, ENVFILE_STORED_MAX, 0);
	if (n == -1)
		fail(i, errno);
	else
		judge_text(b, i, (size_t)n);
	close(fd);
}

static bool
is_wanted(const struct view_bucket *b, const struct view_item *i)
{
	const struct view_entry *e =
	    hmap_get(b->v->entries, ident_msgid(i->id));
	const struct view_leaf *l;

	if (ident_rcpt(i->id) == 0)
		return (b->want & VIEW_HEADS) != 0 &&
		    ((b->want & VIEW_BOTH) != 0 || e == NULL || !e->put);
	if ((b->want & VIEW_TEXTS) == 0)
		return false;
	l = e == NULL ? NULL : view_entry_leaf(e, ident_rcpt(i->id));
	return l == NULL || (b->want & VIEW_BOTH) != 0;
}

struct order {
	ino_t ino;
	struct view_item *i;
};

static int
by_inode(const void *a, const void *b)
{
	const struct order *x = a, *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static void
read_item(struct view_bucket *b, struct view_item *i)
{
	if (ident_rcpt(i->id) == 0)
		read_head(b, i);
	else
		read_text(b, i);
}

static bool
looks_odd(const struct view_item *i)
{
	return i->file.status == VIEW_TORN || i->file.status == VIEW_EDITED ||
	    i->file.status == VIEW_BROKEN;
}

static bool
may_change(struct view_bucket *b, const struct view_item *i, unsigned look)
{
	char name[IDENT_TEXT_MAX];
	struct stat st;

	if (ident_rcpt(i->id) == 0)
		ident_msgid_text(name, ident_msgid(i->id));
	else
		ident_evpid_text(name, i->id);
	return fstatat(b->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    may_wait(b, &st, look);
}

/* What a daemon was just writing; all of it a second time, what is young until
 * it is whole. */
static void
read_again(struct view_bucket *b, struct order *order, size_t n)
{
	unsigned look = 0;
	size_t i;
	bool odd;

	do {
		odd = false;
		for (i = 0; i < n; i++) {
			if (!looks_odd(order[i].i))
				continue;
			if (!odd && look > 0 &&
			    !may_change(b, order[i].i, look))
				continue;
			if (!odd)
				pause_for_daemon(b, look);
			odd = true;
			read_item(b, order[i].i);
		}
		look++;
	} while (odd);
}

static void
read_files(struct view_bucket *b)
{
	struct order *order = mem_zarray(b->count + 1, sizeof(*order));
	size_t i, n = 0;

	for (i = 0; i < b->count; i++) {
		if (!is_wanted(b, &b->items[i]))
			continue;
		order[n].ino = b->items[i].ino;
		order[n++].i = &b->items[i];
	}
	if (n > 1)
		qsort(order, n, sizeof(*order), by_inode);
	for (i = 0; i < n; i++)
		read_item(b, order[i].i);
	if (b->v->busy)
		read_again(b, order, n);
	free(order);
}

void
view_bucket_read(struct view *v, unsigned bucket,
    const struct view_range *range, unsigned want,
    const struct view_visitor *to, void *part)
{
	struct view_bucket b = { .v = v,
		.number = bucket,
		.range = range,
		.want = want,
		.to = to,
		.part = part };

	read_names(&b);
	if (b.count > 0 && (want & VIEW_TEXTS) != 0) {
		b.file = mem_zalloc(ENVFILE_STORED_MAX);
		b.clear = buf_new(ENVFILE_STORED_MAX);
	}
	read_files(&b);
	view_group_show(&b);
	if (b.dir != -1)
		close(b.dir);
	free(b.items);
	free(b.text);
	free(b.file);
	buf_free(b.clear);
	free(b.again);
}
