#include "tools/qtool/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/cli/row.h"

#define PART_MAX (1024u * 1024 * 1024)
#define NAMES 32
#define CELL_MAX 4096

/* Of an envelope's record; and how people call some of them. */
static const struct {
	const char *name, *called;
	unsigned want;
	bool falls; /* an age is the other way round */
} fields[] = {
	{ "evpid", "id", 0, false },
	{ "msgid", NULL, 0, false },
	{ "gen", "generation", VIEW_TEXTS, false },
	{ "state", NULL, VIEW_TEXTS | VIEW_HEADS, false },
	{ "type", "kind", VIEW_TEXTS, false },
	{ "action", NULL, VIEW_TEXTS, false },
	{ "sender", NULL, VIEW_TEXTS, false },
	{ "rcpt", "recipient", VIEW_TEXTS, false },
	{ "dest", "destination", VIEW_TEXTS, false },
	{ "arrival_time", "arrived", VIEW_TEXTS, false },
	{ "arrival_time", "age", VIEW_TEXTS, true },
	{ "expires", NULL, VIEW_TEXTS, false },
	{ "tries", NULL, VIEW_TEXTS, false },
	{ "last_try", "last", VIEW_TEXTS, false },
	{ "next_try", "next", VIEW_TEXTS, false },
	{ "message_size", "size", VIEW_HEADS, false },
	{ "stored_bytes", "stored", VIEW_HEADS, false },
	{ "comp", NULL, VIEW_HEADS, false },
	{ "enc", NULL, VIEW_HEADS, false },
	{ "kid", NULL, VIEW_TEXTS | VIEW_HEADS, false },
	{ "error", NULL, VIEW_TEXTS, false },
	{ "hold_reason", NULL, VIEW_TEXTS, false },
	{ "reason", NULL, VIEW_TEXTS | VIEW_HEADS, false },
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

struct order {
	size_t field;
	bool falls;
};

/* A row that is kept, and what it is sorted by. */
struct kept {
	uint8_t *record;
	size_t len, number; /* number: in the order of ids */
	struct row_key {
		char *text;
		int64_t n;
		bool falls;
	} * keys;
	size_t nkeys;
};

struct rows {
	struct qtool *t;
	struct order keys[NAMES];
	size_t nkeys;
	size_t shown[NAMES];
	size_t nshown; /* 0: all */
	struct kept *kept;
	size_t n, room;
};

struct rows_part {
	struct buf *rows; /* each: its length, and the record */
	struct buf *row;
};

static size_t
field_of(const char *name)
{
	size_t i;

	for (i = 0; i < FIELDS; i++)
		if (strcmp(fields[i].name, name) == 0 ||
		    (fields[i].called != NULL &&
			strcmp(fields[i].called, name) == 0))
			break;
	return i;
}

static int
unknown(struct qtool *t, const char *what, const char *word)
{
	char list[512] = "";
	size_t i;

	for (i = 0; i < FIELDS; i++) {
		if (i > 0 && strcmp(fields[i].name, fields[i - 1].name) == 0)
			continue;
		strlcat(list, " ", sizeof(list));
		strlcat(list, fields[i].name, sizeof(list));
	}
	return qtool_fail(
	    t, EXIT_USAGE, "%s: '%.40s' is none of%s", what, word, list);
}

/* Takes the names apart. 0 or an exit code. */
static int
read_names(struct rows *r, const char *what, const char *names)
{
	char word[64];
	bool falls;
	size_t len, i;

	for (; *names != '\0'; names += len + (names[len] == ',')) {
		len = strcspn(names, ",");
		snprintf(word, sizeof(word), "%.*s", (int)len, names);
		falls = word[0] == '-';
		i = field_of(word + (falls || word[0] == '+'));
		if (i == FIELDS)
			return unknown(r->t, what, word);
		if (strcmp(what, "--fields") == 0 && r->nshown < NAMES)
			r->shown[r->nshown++] = i;
		else if (strcmp(what, "--sort") == 0 && r->nkeys < NAMES) {
			r->keys[r->nkeys].field = i;
			r->keys[r->nkeys++].falls = falls != fields[i].falls;
		}
	}
	return EXIT_DONE;
}

struct rows *
rows_new(
    struct qtool *t, const char *sort, const char *names, bool wide, int *code)
{
	struct rows *r = mem_zalloc(sizeof(*r));

	r->t = t;
	*code = EXIT_DONE;
	if (sort != NULL)
		*code = read_names(r, "--sort", sort);
	if (*code == EXIT_DONE && names != NULL)
		*code = read_names(r, "--fields", names);
	if (*code != EXIT_DONE) {
		rows_free(r);
		return NULL;
	}
	t->wide = wide;
	qtool_begin(t, OUT_LIST);
	return r;
}

void
rows_free(struct rows *r)
{
	size_t i, k;

	if (r == NULL)
		return;
	for (i = 0; i < r->n; i++) {
		for (k = 0; k < r->nkeys; k++)
			free(r->kept[i].keys[k].text);
		free(r->kept[i].keys);
		free(r->kept[i].record);
	}
	free(r->kept);
	free(r);
}

unsigned
rows_want(const struct rows *r)
{
	unsigned want = 0;
	size_t i;

	if (r->nshown == 0)
		return VIEW_TEXTS | VIEW_HEADS;
	for (i = 0; i < r->nshown; i++)
		want |= fields[r->shown[i]].want;
	for (i = 0; i < r->nkeys; i++)
		want |= fields[r->keys[i].field].want;
	return want;
}

struct rows_part *
rows_part_new(void)
{
	struct rows_part *p = mem_zalloc(sizeof(*p));

	p->rows = buf_new(PART_MAX);
	p->row = buf_new(SIGHT_RECORD_MAX);
	return p;
}

void
rows_part_add(struct rows_part *p, const struct sight *s, bool busy)
{
	size_t len;

	buf_reset(p->row);
	sight_put(s, busy, p->row);
	len = buf_len(p->row);
	(void)buf_put(p->rows, &len, sizeof(len));
	(void)buf_put(p->rows, buf_data(p->row), len);
}

static void
put_field(struct buf *b, const struct record_field *f)
{
	switch (f->kind) {
	case RECORD_STR:
		record_str(b, f->name, f->str);
		break;
	case RECORD_U64:
		record_u64(b, f->name, f->u64);
		break;
	case RECORD_I64:
		record_i64(b, f->name, f->i64);
		break;
	case RECORD_BOOL:
		record_bool(b, f->name, f->flag);
		break;
	}
}

/* A value for a column; a time is one for people. */
static const char *
cell_of(const struct record_field *f, char cell[CELL_MAX])
{
	int64_t n;

	if (f == NULL)
		return "-";
	if (f->kind == RECORD_STR)
		return f->str[0] == '\0'
		    ? strcmp(f->name, "sender") == 0 ? "<>" : "-"
		    : text_printable(cell, CELL_MAX, f->str);
	n = f->kind == RECORD_I64 ? f->i64 : (int64_t)f->u64;
	if (row_time_name(f->name) == NULL)
		snprintf(cell, CELL_MAX, "%lld", (long long)n);
	else if (n <= 0)
		return "-";
	else
		text_time(cell, n);
	return cell;
}

/* Only the fields that were asked for, in their order. */
static void
show_fields(struct rows *r, const uint8_t *record, size_t len)
{
	struct buf *b = buf_new(SIGHT_RECORD_MAX);
	const struct record_field *f;
	char cell[CELL_MAX];
	struct row row;
	size_t i;

	if (row_read(&row, record, len) == -1)
		goto out;
	record_begin(b, row.type);
	for (i = 0; i < r->nshown; i++) {
		f = row_field(&row, fields[r->shown[i]].name);
		if (r->t->o.json) {
			if (f != NULL)
				put_field(b, f);
			continue;
		}
		printf("%s%s", i > 0 ? "\t" : "", cell_of(f, cell));
	}
	if (r->t->o.json)
		(void)out_record(r->t->out, buf_data(b), buf_len(b));
	else
		putchar('\n');
out:
	buf_free(b);
}

static void
show(struct rows *r, const uint8_t *record, size_t len)
{
	if (r->nshown > 0)
		show_fields(r, record, len);
	else
		(void)out_record(r->t->out, record, len);
}

static void
keep(struct rows *r, const uint8_t *record, size_t len)
{
	const struct record_field *f;
	struct row row;
	struct kept *k;
	size_t i;

	if (r->n == r->room) {
		r->room = r->room == 0 ? 1024 : r->room * 2;
		r->kept = mem_rearray(r->kept, r->room, sizeof(*r->kept));
	}
	k = &r->kept[r->n];
	k->number = r->n++;
	k->len = len;
	k->record = mem_zalloc(len);
	memcpy(k->record, record, len);
	k->nkeys = r->nkeys;
	k->keys = mem_zarray(r->nkeys, sizeof(*k->keys));
	if (row_read(&row, record, len) == -1)
		return;
	for (i = 0; i < r->nkeys; i++) {
		k->keys[i].falls = r->keys[i].falls;
		f = row_field(&row, fields[r->keys[i].field].name);
		if (f == NULL)
			continue;
		if (f->kind == RECORD_STR)
			k->keys[i].text = mem_strdup(f->str);
		else
			k->keys[i].n =
			    f->kind == RECORD_I64 ? f->i64 : (int64_t)f->u64;
	}
}

uint64_t
rows_add(struct rows *r, struct rows_part *p, uint64_t most)
{
	const uint8_t *at = buf_data(p->rows), *last = at + buf_len(p->rows);
	uint64_t n = 0;
	size_t len;

	for (; at < last; at += sizeof(len) + len) {
		memcpy(&len, at, sizeof(len));
		if (r->nkeys > 0) {
			keep(r, at + sizeof(len), len);
		} else if (n < most) {
			show(r, at + sizeof(len), len);
			n++;
		}
	}
	buf_free(p->rows);
	buf_free(p->row);
	free(p);
	return n;
}

static int
in_order(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;
	int cmp = 0;
	size_t i;

	for (i = 0; i < x->nkeys && cmp == 0; i++) {
		const struct row_key *k = &x->keys[i], *l = &y->keys[i];

		if (k->text != NULL || l->text != NULL)
			cmp = strcmp(k->text != NULL ? k->text : "",
			    l->text != NULL ? l->text : "");
		else
			cmp = k->n < l->n ? -1 : k->n > l->n;
		if (k->falls)
			cmp = -cmp;
	}
	return cmp != 0 ? cmp : x->number < y->number ? -1 : 1;
}

void
rows_show(struct rows *r, uint64_t most)
{
	size_t i;

	if (r->n > 1)
		qsort(r->kept, r->n, sizeof(*r->kept), in_order);
	for (i = 0; i < r->n && i < most; i++)
		show(r, r->kept[i].record, r->kept[i].len);
}
