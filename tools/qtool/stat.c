/*
 * stat - a spool in numbers
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/proto/record.h"
#include "tools/qtool/commands.h"
#include "tools/qtool/kinds.h"
#include "tools/qtool/sight.h"

#define ROW_MAX 65536
#define DEPTH 4 /* of trash/JOB/... */

enum form {
	BYTES,
	STORED,
	MESSAGES,
	FORM_WIDTH
};

struct sums {
	uint64_t messages, envelopes, bytes, stored, in_journal, odd;
	int64_t oldest, next;
	struct kinds *states, *forms, *kids;
};

struct part {
	struct qtool *t;
	struct sums s;
};

static void
sums_open(struct sums *s)
{
	s->states = kinds_new(1);
	s->forms = kinds_new(FORM_WIDTH);
	s->kids = kinds_new(1);
}

static void
sums_close(struct sums *s)
{
	kinds_free(s->states);
	kinds_free(s->forms);
	kinds_free(s->kids);
}

static void *
begin(void *ctx, unsigned bucket)
{
	struct part *p = mem_zalloc(sizeof(*p));

	(void)bucket;
	p->t = ((struct part *)ctx)->t;
	sums_open(&p->s);
	return p;
}

static void
on_message(void *part, const struct view_message *m)
{
	struct part *p = part;
	uint64_t *form;

	if (m->status == VIEW_GONE)
		return;
	p->s.messages++;
	p->s.bytes += m->size;
	p->s.stored += m->stored;
	p->s.in_journal += m->where == VIEW_JOURNAL;
	form = kinds_of(p->s.forms, m->codec != NULL ? m->codec : "unreadable");
	form[MESSAGES]++;
	form[BYTES] += m->size;
	form[STORED] += m->stored;
	if (m->kid[0] != '\0')
		++*kinds_of(p->s.kids, m->kid);
}

static int64_t
sooner(int64_t a, int64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

static void
on_envelope(void *part, const struct view_envelope *ve)
{
	struct part *p = part;
	struct sight s;

	sight_read(&s, ve, p->t->now);
	if (!s.removed) {
		p->s.envelopes++;
		++*kinds_of(p->s.states, sight_shown_state(&s, p->t->busy));
		p->s.oldest = sooner(
		    p->s.oldest, s.parsed ? s.e.arrived : ve->message->arrived);
		if (s.parsed && strcmp(s.state, "held") != 0)
			p->s.next = sooner(p->s.next, s.e.next_try);
	}
	sight_clear(&s);
}

static void
on_anomaly(void *part, const struct view_anomaly *a)
{
	struct part *p = part;

	if (a->odd != VIEW_ODD_SCRAP || !p->t->busy)
		p->s.odd++;
}

static bool
end(void *ctx, void *part)
{
	struct sums *to = &((struct part *)ctx)->s;
	struct part *p = part;
	const struct sums *s = &p->s;

	to->messages += s->messages;
	to->envelopes += s->envelopes;
	to->bytes += s->bytes;
	to->stored += s->stored;
	to->in_journal += s->in_journal;
	to->odd += s->odd;
	to->oldest = sooner(to->oldest, s->oldest);
	to->next = sooner(to->next, s->next);
	kinds_merge(to->states, s->states);
	kinds_merge(to->forms, s->forms);
	kinds_merge(to->kids, s->kids);
	free(p);
	return true;
}

struct pile {
	uint64_t files, bytes;
};

/* What lies in a directory of the spool; reasons are not counted. */
static void
heap_up(int at, const char *name, unsigned depth, struct pile *p)
{
	struct dirent *entry;
	struct stat st;
	DIR *dir;
	size_t len;
	int fd;

	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1 || (dir = fdopendir(fd)) == NULL) {
		if (fd != -1)
			close(fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		len = strlen(entry->d_name);
		if (entry->d_name[0] == '.' ||
		    (len > 4 && strcmp(entry->d_name + len - 4, ".why") == 0) ||
		    fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == -1)
			continue;
		if (S_ISDIR(st.st_mode) && depth > 0)
			heap_up(fd, entry->d_name, depth - 1, p);
		if (S_ISDIR(st.st_mode))
			continue;
		p->files++;
		p->bytes += (uint64_t)st.st_size;
	}
	closedir(dir);
}

struct report {
	struct qtool *t;
	struct sums *s;
	struct pile corrupt, trash, incoming, offline;
	struct statvfs fs;
};

static unsigned
percent(uint64_t part, uint64_t all)
{
	return all == 0 ? 100 : (unsigned)(part * 100 / all);
}

static void
put_kinds(struct buf *b, const char *what, struct kinds *kinds, unsigned column)
{
	const struct kinds_row *k = kinds_sorted(kinds);
	char name[128];
	size_t i;

	for (i = 0; i < kinds_count(kinds); i++) {
		snprintf(name, sizeof(name), "%s.%s", what, k[i].key);
		record_u64(b, name, k[i].counts[column]);
	}
}

static int
show_object(const struct report *r)
{
	const struct view_journal *j = view_journal(r->t->view);
	const struct sums *s = r->s;
	struct buf *b = buf_new(ROW_MAX);

	record_begin(b, "spool");
	record_str(b, "path", r->t->spool);
	record_bool(b, "locked", r->t->busy);
	record_u64(b, "messages", s->messages);
	record_u64(b, "envelopes", s->envelopes);
	record_u64(b, "bytes", s->bytes);
	record_u64(b, "stored_bytes", s->stored);
	put_kinds(b, "state", s->states, 0);
	put_kinds(b, "form", s->forms, MESSAGES);
	put_kinds(b, "kid", s->kids, 0);
	record_i64(b, "oldest", s->oldest);
	record_i64(b, "next_try", s->next);
	record_u64(b, "journal_bytes", j->size);
	record_u64(b, "journal_used_bytes", j->used);
	record_u64(b, "journal_messages", s->in_journal);
	record_bool(b, "settled", view_settled(r->t->view));
	record_u64(b, "corrupt_files", r->corrupt.files);
	record_u64(b, "corrupt_bytes", r->corrupt.bytes);
	record_u64(b, "trash_files", r->trash.files);
	record_u64(b, "trash_bytes", r->trash.bytes);
	record_u64(b, "incoming_files", r->incoming.files);
	record_u64(b, "offline_files", r->offline.files);
	record_u64(b, "anomalies", s->odd);
	record_u64(
	    b, "free_blocks_percent", percent(r->fs.f_bavail, r->fs.f_blocks));
	record_u64(
	    b, "free_inodes_percent", percent(r->fs.f_favail, r->fs.f_files));
	record_u64(b, "free_bytes", r->fs.f_bavail * r->fs.f_frsize);
	(void)out_record(r->t->out, buf_data(b), buf_len(b));
	buf_free(b);
	return qtool_end(r->t, EXIT_DONE, 1, 0, "");
}

static void
show_kinds(struct kinds *kinds, unsigned column)
{
	const struct kinds_row *k = kinds_sorted(kinds);
	char clean[256];
	size_t i;

	for (i = 0; i < kinds_count(kinds); i++)
		printf("%s%s %llu", i > 0 ? ", " : "",
		    text_printable(clean, sizeof(clean), k[i].key),
		    (unsigned long long)k[i].counts[column]);
}

static void
show_age(const struct report *r, const char *name, int64_t when, bool ahead)
{
	char at[TEXT_TIME_MAX], span[TEXT_SPAN_MAX];

	if (when == 0)
		return;
	printf("%-10s %s (%s%s)\n", name, text_time(at, when),
	    text_span(span, ahead ? when - r->t->now : r->t->now - when),
	    ahead ? "" : " ago");
}

static void
show_pile(const char *name, const struct pile *p, const char *what)
{
	char size[TEXT_SPAN_MAX];

	if (p->files > 0)
		printf("%-10s %llu files, %s: %s\n", name,
		    (unsigned long long)p->files, text_size(size, p->bytes),
		    what);
}

static int
show_lines(const struct report *r)
{
	const struct view_journal *j = view_journal(r->t->view);
	const struct sums *s = r->s;
	char one[TEXT_SPAN_MAX], two[TEXT_SPAN_MAX];

	printf("%-10s %s%s\n", "spool", r->t->spool,
	    r->t->busy ? ", in use: a snapshot" : "");
	printf("%-10s %llu, %s, stored as %s", "messages",
	    (unsigned long long)s->messages, text_size(one, s->bytes),
	    text_size(two, s->stored));
	if (s->stored > 0)
		printf(" (%.2f of it)",
		    (double)s->stored / (double)(s->bytes > 0 ? s->bytes : 1));
	printf("\n%-10s %llu", "envelopes", (unsigned long long)s->envelopes);
	if (s->envelopes > 0) {
		fputs(": ", stdout);
		show_kinds(s->states, 0);
	}
	if (s->messages > 0) {
		printf("\n%-10s ", "forms");
		show_kinds(s->forms, MESSAGES);
	}
	if (kinds_count(s->kids) > 0) {
		printf("\n%-10s ", "keys");
		show_kinds(s->kids, 0);
	}
	putchar('\n');
	show_age(r, "oldest", s->oldest, false);
	show_age(r, "next", s->next, s->next > r->t->now);
	printf("%-10s %s in %u segments, %s in use; %s\n", "journal",
	    text_size(one, j->size), j->segments, text_size(two, j->used),
	    view_settled(r->t->view) ? "all it says is in files"
				     : "it says more than the files");
	show_pile("corrupt/", &r->corrupt, "set aside, see the .why files");
	show_pile("trash/", &r->trash, "removed, and can be brought back");
	show_pile("incoming/", &r->incoming, "large mail on its way in");
	show_pile("offline/", &r->offline, "handed in while nothing ran");
	if (s->odd > 0)
		printf("%-10s %llu, see qtool doctor\n", "anomalies",
		    (unsigned long long)s->odd);
	printf("%-10s %u%% of the blocks (%s), %u%% of the inodes\n", "free",
	    percent(r->fs.f_bavail, r->fs.f_blocks),
	    text_size(one, r->fs.f_bavail * r->fs.f_frsize),
	    percent(r->fs.f_favail, r->fs.f_files));
	return EXIT_DONE;
}

int
stat_run(struct qtool *t, int argc, char *argv[])
{
	struct part p = { .t = t };
	const struct view_visitor to = { begin, on_message, on_envelope,
		on_anomaly, end, &p };
	struct report r = { .t = t, .s = &p.s };
	int code, root;

	if (qtool_getopt(t, argc, argv, "", NULL) != -1)
		return EXIT_USAGE;
	code = qtool_open(t);
	if (code != EXIT_DONE)
		return code;
	root = view_layout(t->view)->root;
	if (fstatvfs(root, &r.fs) == -1)
		memset(&r.fs, 0, sizeof(r.fs));
	sums_open(&p.s);
	qtool_begin(t, OUT_LIST);
	(void)view_walk(t->view, &to, VIEW_TEXTS | VIEW_HEADS);
	heap_up(root, "corrupt", 0, &r.corrupt);
	heap_up(root, "trash", DEPTH, &r.trash);
	heap_up(root, "incoming", 0, &r.incoming);
	heap_up(root, "offline", 0, &r.offline);
	code = t->o.json ? show_object(&r) : show_lines(&r);
	sums_close(&p.s);
	return code;
}
