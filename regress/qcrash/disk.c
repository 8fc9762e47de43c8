#include "regress/qcrash/disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "regress/qcrash/disk_inside.h"

struct disk *
disk_new(void)
{
	struct disk *d = mem_zalloc(sizeof(*d));

	d->blocks = blocks_new();
	d->names = mem_zarray(1, sizeof(*d->names));
	d->parents = mem_zarray(1, sizeof(*d->parents));
	d->hashes = mem_zarray(1, sizeof(*d->hashes));
	d->names[0] = mem_strdup("");
	d->name_count = 1;
	return d;
}

void
disk_free(struct disk *d)
{
	uint32_t i;

	if (d == NULL)
		return;
	for (i = 0; i < d->name_count; i++)
		free(d->names[i]);
	free(d->names);
	free(d->parents);
	free(d->hashes);
	image_clear(&d->live);
	image_clear(&d->base);
	image_clear(&d->work);
	blocks_free(d->blocks);
	free(d->micros);
	free(d->events);
	free(d->bindings);
	free(d->undone);
	free(d->reach);
	free(d->named);
	free(d);
}

uint32_t
disk_intern(struct disk *d, const char *name)
{
	const char *slash = strrchr(name, '/');
	uint32_t i, parent = 0;
	uint64_t h = 0;
	char *dir;

	for (i = 0; i < d->name_count; i++)
		if (strcmp(d->names[i], name) == 0)
			return i;
	if (slash != NULL) {
		dir = mem_strndup(name, (size_t)(slash - name));
		parent = disk_intern(d, dir);
		free(dir);
	}
	i = d->name_count++;
	d->names = mem_rearray(d->names, i + 1, sizeof(*d->names));
	d->parents = mem_rearray(d->parents, i + 1, sizeof(*d->parents));
	d->hashes = mem_rearray(d->hashes, i + 1, sizeof(*d->hashes));
	d->names[i] = mem_strdup(name);
	d->parents[i] = parent;
	for (; *name != '\0'; name++)
		h = hash_mix(h, (uint8_t)*name);
	d->hashes[i] = h;
	image_names(&d->live, d->name_count);
	return i;
}

static struct micro *
add_micro(struct disk *d, enum micro_kind kind, uint32_t node)
{
	struct micro *m;

	if (d->micro_count == d->micro_room) {
		d->micro_room = d->micro_room == 0 ? 1024 : d->micro_room * 2;
		d->micros =
		    mem_rearray(d->micros, d->micro_room, sizeof(*d->micros));
	}
	m = &d->micros[d->micro_count++];
	memset(m, 0, sizeof(*m));
	m->kind = kind;
	m->op = d->event_count - 1;
	m->node = node;
	m->partner = DISK_NONE;
	m->durable = DISK_NEVER;
	d->events[m->op].count++;
	return m;
}

void
disk_bind(struct disk *d, uint64_t inode, uint32_t node)
{
	d->bindings = mem_rearray(
	    d->bindings, d->binding_count + 1, sizeof(*d->bindings));
	d->bindings[d->binding_count].inode = inode;
	d->bindings[d->binding_count++].node = node;
}

uint32_t
disk_bound(const struct disk *d, uint64_t inode)
{
	size_t i;

	for (i = d->binding_count; i-- > 0;)
		if (d->bindings[i].inode == inode)
			return d->bindings[i].node;
	return DISK_NONE;
}

/* By its inode, or its name. */
static uint32_t
node_of(struct disk *d, uint64_t inode, const char *name)
{
	uint32_t node = disk_bound(d, inode), entry;

	if (node != DISK_NONE)
		return node;
	entry = d->live.entry[disk_intern(d, name)];
	if (entry == 0)
		return DISK_NONE;
	disk_bind(d, inode, entry - 1);
	return entry - 1;
}

static void
set_size(struct disk *d, uint32_t node, uint64_t size)
{
	struct node *n = &d->live.nodes[node];
	uint32_t s;

	if (n->size == size)
		return;
	n->size = size;
	for (s = (uint32_t)((size + IMAGE_SECTOR - 1) / IMAGE_SECTOR);
	     s < n->sectors; s++)
		n->block[s] = BLOCK_NONE;
	add_micro(d, MICRO_SIZE, node)->size = size;
}

static void
write_octets(struct disk *d, uint32_t node, uint64_t at, const uint8_t *data,
    uint64_t len)
{
	uint64_t end = at + len, from, part;
	uint8_t sector[IMAGE_SECTOR];
	uint32_t s, was, now;
	struct micro *m;

	while (len > 0) {
		s = (uint32_t)(at / IMAGE_SECTOR);
		from = at % IMAGE_SECTOR;
		part = IMAGE_SECTOR - from < len ? IMAGE_SECTOR - from : len;
		was = image_get(&d->live.nodes[node], s);
		memcpy(sector,
		    blocks_data(
			d->blocks, was == BLOCK_NONE ? BLOCK_ZERO : was),
		    IMAGE_SECTOR);
		memcpy(sector + from, data, part);
		now = blocks_number(d->blocks, sector);
		if (now != was) {
			image_set(&d->live.nodes[node], s, now);
			m = add_micro(d, MICRO_DATA, node);
			m->sector = s;
			m->block = now;
			m->fresh = was == BLOCK_NONE;
		}
		at += part;
		data += part;
		len -= part;
	}
	if (end > d->live.nodes[node].size)
		set_size(d, node, end);
}

static uint32_t
add_name(struct disk *d, const char *name, uint32_t node)
{
	struct micro *m = add_micro(d, MICRO_ADD, node);

	m->name = disk_intern(d, name);
	d->live.entry[m->name] = node + 1;
	return d->micro_count - 1;
}

static struct micro *
del_name(struct disk *d, const char *name)
{
	uint32_t i = disk_intern(d, name), node = d->live.entry[i];
	struct micro *m = add_micro(d, MICRO_DEL, node == 0 ? 0 : node - 1);

	m->name = i;
	d->live.entry[i] = 0;
	return m;
}

static uint32_t
event_at(const struct disk *d, const struct qtrace_record *r)
{
	uint32_t i;

	for (i = d->event_count; i-- > 0;)
		if (d->events[i].r == r)
			return i;
	return 0;
}

static bool
flushed_by(const struct disk *d, const struct event *e, const struct micro *m,
    uint32_t node, uint32_t dir)
{
	if (m->op >= e->begun || m->durable != DISK_NEVER || m->doomed)
		return false;
	if (e->r->flags & QTRACE_ALL)
		return true;
	if (m->kind == MICRO_ADD || m->kind == MICRO_DEL)
		return e->r->flags & QTRACE_DIR && d->parents[m->name] == dir;
	return m->node == node;
}

static void
flushed(struct disk *d, uint32_t event)
{
	struct event *e = &d->events[event];
	uint32_t node = DISK_NONE, dir = disk_intern(d, e->name), i;
	struct micro *m;

	if (!(e->r->flags & (QTRACE_DIR | QTRACE_ALL)))
		node = node_of(d, e->r->inode, e->name);
	for (i = 0; i < d->micro_count; i++) {
		m = &d->micros[i];
		if (!flushed_by(d, e, m, node, dir))
			continue;
		if (e->r->error != 0) {
			m->doomed = true;
			continue;
		}
		m->durable = event;
		/* Where the old name went for good, the new one is there. */
		if (m->partner != DISK_NONE &&
		    d->micros[m->partner].durable == DISK_NEVER)
			d->micros[m->partner].durable = event;
	}
}

/* A file's record: its node, DISK_NONE when the log does not fit. */
static const char *
take_file(struct disk *d, const struct qtrace_record *r, const char *name,
    const uint8_t *data)
{
	uint32_t node;

	if (r->call == QTRACE_OPEN && r->flags & QTRACE_MADE) {
		node = image_node(&d->live, false, r->mode);
		disk_bind(d, r->inode, node);
		(void)add_name(d, name, node);
		return NULL;
	}
	if ((node = node_of(d, r->inode, name)) == DISK_NONE)
		return "a file that nobody made";
	if (r->call == QTRACE_OPEN && r->flags & QTRACE_EMPTIED)
		set_size(d, node, 0);
	else if (r->call == QTRACE_WRITE)
		write_octets(d, node, r->offset, data, r->length);
	else if (r->call == QTRACE_SIZE)
		set_size(d, node, r->length);
	else if (r->call == QTRACE_MODE)
		d->live.nodes[node].mode = (uint16_t)r->length;
	return NULL;
}

static const char *
take(struct disk *d, const struct qtrace_record *r)
{
	const char *name = r->name > 0 ? (const char *)(r + 1) : "";
	const char *other = name + r->name;
	uint32_t node, add;

	switch (r->call) {
	case QTRACE_OPEN:
	case QTRACE_WRITE:
	case QTRACE_SIZE:
	case QTRACE_MODE:
		return take_file(d, r, name, (const uint8_t *)other + r->other);
	case QTRACE_SYNCED:
		d->events[d->event_count - 1].begun = event_at(d,
		    (const void *)((const char *)d->events[0].r + r->offset));
		flushed(d, d->event_count - 1);
		return NULL;
	case QTRACE_LINK:
	case QTRACE_RENAME:
		node = node_of(d, r->inode, name);
		if (node == DISK_NONE)
			return "a name that nobody gave";
		add = add_name(d, other, node);
		if (r->call == QTRACE_RENAME)
			del_name(d, name)->partner = add;
		return NULL;
	case QTRACE_UNLINK:
	case QTRACE_RMDIR:
		(void)del_name(d, name);
		return NULL;
	case QTRACE_MKDIR:
		node = image_node(&d->live, true, r->mode);
		(void)add_name(d, name, node);
		return NULL;
	default:
		return NULL;
	}
}

const char *
disk_record(struct disk *d, const struct qtrace_log *log)
{
	const struct qtrace_record *r;
	const char *why;
	uint64_t at;
	struct event *e;
	uint32_t i;

	if (log->magic != QTRACE_MAGIC)
		return "no log";
	image_copy(&d->base, &d->live);
	for (at = 0; at < log->used; at += r->size) {
		r = (const void *)(log->records + at);
		if (d->event_count == d->event_room) {
			d->event_room =
			    d->event_room == 0 ? 256 : d->event_room * 2;
			d->events = mem_rearray(
			    d->events, d->event_room, sizeof(*d->events));
		}
		e = &d->events[d->event_count++];
		memset(e, 0, sizeof(*e));
		e->r = r;
		e->name = r->name > 0 ? (const char *)(r + 1) : "";
		e->first = d->micro_count;
		if ((why = take(d, r)) != NULL) {
			snprintf(d->why, sizeof(d->why), "%s: %s %s", why,
			    r->libc, e->name);
			return d->why;
		}
	}
	/* All files are known to every image, with or without a name. */
	image_names(&d->base, d->name_count);
	for (i = d->base.count; i < d->live.count; i++)
		(void)image_node(
		    &d->base, d->live.nodes[i].dir, d->live.nodes[i].mode);
	disk_rewind(d);
	d->reach = mem_zarray(d->name_count, sizeof(*d->reach));
	d->named = mem_zarray(d->live.count + 1, sizeof(*d->named));
	return NULL;
}

void
disk_rewind(struct disk *d)
{
	image_copy(&d->work, &d->base);
	d->stood = 0;
	d->undo_count = 0;
}

uint32_t
disk_events(const struct disk *d)
{
	return d->event_count;
}

const struct event *
disk_event(const struct disk *d, uint32_t i)
{
	return &d->events[i];
}

const struct micro *
disk_micro(const struct disk *d, uint32_t i)
{
	return &d->micros[i];
}

const char *
disk_name(const struct disk *d, uint32_t name)
{
	return d->names[name];
}

uint32_t
disk_parent(const struct disk *d, uint32_t name)
{
	return d->parents[name];
}

static void
remember(struct disk *d, enum micro_kind kind, uint32_t target, uint32_t sector,
    uint64_t old)
{
	struct undo *u;

	if (d->undo_count == d->undo_room) {
		d->undo_room = d->undo_room == 0 ? 1024 : d->undo_room * 2;
		d->undone =
		    mem_rearray(d->undone, d->undo_room, sizeof(*d->undone));
	}
	u = &d->undone[d->undo_count++];
	u->kind = kind;
	u->target = target;
	u->sector = sector;
	u->old = old;
}

static void
apply_size(struct disk *d, uint32_t node, uint64_t size)
{
	struct node *n = &d->work.nodes[node];
	uint32_t s = (uint32_t)((size + IMAGE_SECTOR - 1) / IMAGE_SECTOR);

	remember(d, MICRO_SIZE, node, 0, n->size);
	if (size < n->size) {
		for (; s < n->sectors; s++) {
			if (n->block[s] == BLOCK_NONE)
				continue;
			remember(d, MICRO_DATA, node, s, n->block[s]);
			n->block[s] = BLOCK_NONE;
		}
	}
	n->size = size;
}

static void
apply(struct disk *d, const struct micro *m)
{
	struct node *n = &d->work.nodes[m->node];

	switch (m->kind) {
	case MICRO_DATA:
		remember(
		    d, MICRO_DATA, m->node, m->sector, image_get(n, m->sector));
		image_set(n, m->sector, m->block);
		break;
	case MICRO_SIZE:
		apply_size(d, m->node, m->size);
		break;
	case MICRO_ADD:
	case MICRO_DEL:
		remember(d, MICRO_ADD, m->name, 0, d->work.entry[m->name]);
		d->work.entry[m->name] = m->kind == MICRO_ADD ? m->node + 1 : 0;
		break;
	}
}

static bool
is_name(const struct micro *m)
{
	return m->kind == MICRO_ADD || m->kind == MICRO_DEL;
}

/* Whether a flush of o wrote what m says otherwise: a name whatever it stands
 * for, a sector or size of one file. */
static bool
writes_over(const struct micro *o, const struct micro *m)
{
	if (is_name(m))
		return is_name(o) && o->name == m->name;
	return o->kind == m->kind && o->node == m->node &&
	    o->sector == m->sector;
}

/* A flush that failed left it behind, and a later one wrote the same. */
static bool
overtaken(const struct disk *d, uint32_t i, uint32_t at)
{
	const struct micro *m = &d->micros[i], *o;

	if (!m->doomed)
		return false;
	for (i++; i < d->micro_count; i++) {
		o = &d->micros[i];
		if (o->op <= at && o->durable <= at && writes_over(o, m))
			return true;
	}
	return false;
}

size_t
disk_stand(
    struct disk *d, uint32_t at, uint32_t *pending, size_t most, bool *over)
{
	const struct micro *m;
	size_t n = 0;
	uint32_t i;

	for (; d->stood <= at; d->stood++) {
		if (d->events[d->stood].r->call != QTRACE_SYNCED)
			continue;
		for (i = 0; i < d->micro_count; i++)
			if (d->micros[i].durable == d->stood)
				apply(d, &d->micros[i]);
		d->undo_count = 0;
	}
	memset(d->named, 0, d->live.count * sizeof(*d->named));
	for (i = 0; i < d->work.names; i++)
		if (d->work.entry[i] > 0)
			d->named[d->work.entry[i] - 1] = true;
	for (i = 0; i < d->micro_count && d->micros[i].op <= at; i++)
		if (d->micros[i].kind == MICRO_ADD && d->micros[i].durable > at)
			d->named[d->micros[i].node] = true;
	*over = false;
	for (i = 0; i < d->micro_count && d->micros[i].op <= at; i++) {
		m = &d->micros[i];
		if (m->durable <= at || overtaken(d, i, at) ||
		    ((m->kind == MICRO_DATA || m->kind == MICRO_SIZE) &&
			!d->named[m->node]))
			continue;
		if (n == most) {
			*over = true;
			break;
		}
		pending[n++] = i;
	}
	return n;
}

static uint64_t
hash_node(const struct disk *d, const struct node *n, bool garbage)
{
	uint32_t s, end, block;
	uint64_t h, at;
	size_t len;

	if (n->dir)
		return 1;
	h = hash_mix(n->size, n->mode);
	end = (uint32_t)((n->size + IMAGE_SECTOR - 1) / IMAGE_SECTOR);
	for (s = 0; s < end; s++) {
		block = image_get(n, s);
		if (block == BLOCK_ZERO || (block == BLOCK_NONE && !garbage))
			continue;
		at = (uint64_t)s * IMAGE_SECTOR;
		len = n->size - at < IMAGE_SECTOR ? (size_t)(n->size - at)
						  : IMAGE_SECTOR;
		h = hash_mix(
		    h, s ^ blocks_hash(d->blocks, block, len, garbage));
	}
	return h;
}

uint64_t
disk_choose(struct disk *d, const uint32_t *pending, size_t n,
    const uint8_t *chosen, bool garbage)
{
	uint64_t h = 0;
	uint32_t node;
	size_t i;

	d->undo_count = 0;
	for (i = 0; i < n; i++)
		if (chosen[i])
			apply(d, &d->micros[pending[i]]);
	d->reach[0] = true;
	for (i = 1; i < d->name_count; i++) {
		node = d->work.entry[i];
		d->reach[i] = node > 0 && d->reach[d->parents[i]];
		if (d->reach[i])
			h ^= hash_mix(d->hashes[i],
			    hash_node(d, &d->work.nodes[node - 1], garbage));
	}
	return h;
}

void
disk_undo(struct disk *d)
{
	const struct undo *u;

	while (d->undo_count > 0) {
		u = &d->undone[--d->undo_count];
		if (u->kind == MICRO_DATA)
			image_set(&d->work.nodes[u->target], u->sector,
			    (uint32_t)u->old);
		else if (u->kind == MICRO_SIZE)
			d->work.nodes[u->target].size = u->old;
		else
			d->work.entry[u->target] = (uint32_t)u->old;
	}
}
