/*
 * qflip - a small queue, damaged in one place after the other
 *
 *   qflip SPOOL plain|zstd|sealed|both files|journal STEP
 *
 * Makes the queue, then for each octet of its files (or of the live part of
 * its journal) flips one bit, and for each length cuts the file off there; each
 * time a process of its own opens the spool and reads all as a delivery would.
 * STEP takes each so many octets. What was accepted must be read exactly as it
 * was, or be reported; what cannot be found must have left octets in corrupt/.
 * Prints what was broken, then a line of counts.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/crc32c.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "queue/journal.h"
#include "queue/keyring.h"
#include "queue/message.h"
#include "queue/queue.h"

#define MAILS 4
#define FILES 64
#define TEXT_MAX 512
#define LARGE 3000

/* What was accepted. */
struct mail {
	uint64_t evpid;
	size_t size;
	unsigned generation;
	bool done;
};

struct file {
	char name[128];
	char *data;
	size_t len;
	char *live; /* of the journal: octets that count */
};

/* What one process found. */
struct verdict {
	char mail[MAILS + 1]; /* I: as it was, D: reported, L: not there, O: an
			       * older text, R: not done any more, X: another
			       * text, S: another body */
	unsigned long anomalies;
	bool alarm;
};

struct flip {
	const char *path;
	struct queue_options o;
	bool sealed, zstd, journal;
	struct mail mails[MAILS];
	struct file files[FILES];
	size_t count;
	unsigned long cases, silent, broken, found[128];
};

/* One pass over the library. */
struct pass {
	struct flip *f;
	struct queue *q;
	bool loaded;
	unsigned open;
	char *state; /* of the mail in hand */
	const struct mail *mail;
	uint64_t at;
	uint64_t seen[MAILS];
	struct verdict v;
};

_Noreturn static void
die(const char *what)
{
	fprintf(stderr, "qflip: %s: %s\n", what, strerror(errno));
	exit(2);
}

static size_t
make_text(char *text, uint64_t evpid, unsigned generation)
{
	char id[IDENT_TEXT_MAX];
	int n;

	n = snprintf(text, TEXT_MAX,
	    "spool-envelope: 1\nid: %s\nstate: queued\nkind: relay\n"
	    "recipient: b@example.net\ngeneration: %u\n",
	    ident_evpid_text(id, evpid), generation);
	n += snprintf(text + n, TEXT_MAX - (size_t)n, "check: crc32c=%08x\n",
	    (unsigned)crc32c(0, text, (size_t)n));
	return (size_t)n;
}

static void
fill(uint8_t *data, uint64_t at, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++, at++)
		data[i] = at % 64 == 62 ? '\r'
		    : at % 64 == 63     ? '\n'
					: (uint8_t)('!' + at / 3 % 90);
}

static void
turn(struct queue *q)
{
	struct pollfd p = { queue_fd(q), POLLIN, 0 };

	(void)poll(&p, 1, 1000);
	queue_turn(q);
}

/* The queue as it is to be. */

static void
on_answer(void *ctx, enum queue_status status)
{
	unsigned *open = ctx;

	if (status != QUEUE_OK)
		exit(2);
	(*open)--;
}

static uint64_t
put(struct queue *q, size_t size, unsigned rcpts)
{
	struct queue_text texts[2];
	char room[2][TEXT_MAX];
	enum queue_status why;
	struct queue_txn *t = queue_begin(q, &why);
	uint8_t body[LARGE];
	unsigned i, open = 1;
	uint64_t msgid;

	if (t == NULL)
		exit(2);
	msgid = queue_txn_id(t);
	fill(body, 0, size);
	(void)queue_write(t, body, size);
	for (i = 0; i < rcpts; i++) {
		texts[i].evpid = ident_evpid(msgid, i + 1);
		texts[i].text = room[i];
		texts[i].len = make_text(room[i], texts[i].evpid, 1);
	}
	queue_commit(t, texts, rcpts, NULL, 0, on_answer, &open);
	while (open > 0)
		turn(q);
	return msgid;
}

static void
on_loaded_flag(void *ctx)
{
	bool *loaded = ctx;

	*loaded = true;
}

static void
make_queue(struct flip *f, int to)
{
	struct queue_loader l = { .loaded = on_loaded_flag };
	struct queue_options o = f->o;
	char err[256], text[TEXT_MAX];
	bool loaded = false;
	unsigned open = 2;
	uint64_t two, one;
	struct queue *q;

	o.settle_ms = f->journal ? 1000000 : 0;
	if ((q = queue_open(&o, err, sizeof(err))) == NULL) {
		fprintf(stderr, "qflip: %s\n", err);
		_exit(2);
	}
	l.ctx = &loaded;
	queue_load(q, &l);
	while (!loaded)
		turn(q);
	two = put(q, 600, 2);
	one = put(q, 200, 1);
	f->mails[0] = (struct mail){ ident_evpid(two, 1), 600, 1, false };
	f->mails[1] = (struct mail){ ident_evpid(two, 2), 600, 1, true };
	f->mails[2] = (struct mail){ ident_evpid(one, 1), 200, 2, false };
	queue_image(q, f->mails[2].evpid, text,
	    make_text(text, f->mails[2].evpid, 2), on_answer, &open);
	queue_done(q, f->mails[1].evpid, "sent", on_answer, &open);
	while (open > 0)
		turn(q);
	f->mails[3] =
	    (struct mail){ ident_evpid(put(q, LARGE, 1), 1), LARGE, 1, false };
	if (write(to, f->mails, sizeof(f->mails)) != sizeof(f->mails))
		_exit(2);
	if (!f->journal)
		queue_close(q, 5000);
	_exit(0);
}

/* Snapshot, damage, repair. */

static char *
path_of(const struct flip *f, const char *name, char room[PATH_MAX])
{
	if (snprintf(room, PATH_MAX, "%s/%s", f->path, name) >= PATH_MAX)
		exit(2);
	return room;
}

static void
take_file(struct flip *f, const char *name)
{
	struct file *file = &f->files[f->count++];
	char path[PATH_MAX];
	struct stat st;
	int fd = open(path_of(f, name, path), O_RDONLY);

	if (f->count == FILES || fd == -1 || fstat(fd, &st) == -1)
		die(name);
	snprintf(file->name, sizeof(file->name), "%s", name);
	file->len = (size_t)st.st_size;
	file->data = mem_zalloc(file->len + 1);
	if (read(fd, file->data, file->len) != (ssize_t)file->len)
		die(name);
	close(fd);
}

static const char *const tops[] = { "queue", "incoming", "corrupt", "journal",
	"state" };

/* Calls on every file below name, two deep. */
static void
each(struct flip *f, const char *name, void (*on)(struct flip *, const char *))
{
	char path[PATH_MAX], inner[PATH_MAX];
	struct dirent *e;
	struct stat st;
	DIR *d = opendir(path_of(f, name, path));

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		if (snprintf(inner, sizeof(inner), "%s/%s", name, e->d_name) >=
		    (int)sizeof(inner))
			exit(2);
		if (stat(path_of(f, inner, path), &st) == 0 &&
		    S_ISDIR(st.st_mode))
			each(f, inner, on);
		else
			on(f, inner);
	}
	if (d != NULL)
		closedir(d);
}

static void
remove_stranger(struct flip *f, const char *name)
{
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < f->count; i++)
		if (strcmp(f->files[i].name, name) == 0)
			return;
	if (unlink(path_of(f, name, path)) == -1)
		die(name);
}

static void
write_back(struct flip *f, const struct file *file, size_t len)
{
	char path[PATH_MAX];
	int fd = open(path_of(f, file->name, path), O_WRONLY | O_CREAT, 0600);

	if (fd == -1 || ftruncate(fd, (off_t)len) == -1 ||
	    pwrite(fd, file->data, len, 0) != (ssize_t)len)
		die(file->name);
	close(fd);
}

static void
restore_all(struct flip *f)
{
	size_t i;

	for (i = 0; i < sizeof(tops) / sizeof(tops[0]); i++)
		each(f, tops[i], remove_stranger);
	for (i = 0; i < f->count; i++)
		write_back(f, &f->files[i], f->files[i].len);
}

static void
count_one(struct flip *f, const char *name)
{
	(void)name;
	f->found[0]++;
}

static unsigned long
kept(struct flip *f)
{
	f->found[0] = 0;
	each(f, "corrupt", count_one);
	return f->found[0];
}

/* Marks what groups and records of the segment hold. */
static void
mark_live(struct file *file)
{
	struct journal_key *key = journal_key_new();
	struct journal_segment s;
	struct journal_group g;
	size_t at;

	file->live = mem_zalloc(file->len);
	if (journal_segment_parse(&s, file->data, file->len)) {
		journal_key_set(key, s.secret);
		for (at = JOURNAL_BLOCK; at < file->len; at += JOURNAL_BLOCK)
			if (journal_group_parse(
				key, &g, file->data + at, file->len - at))
				memset(file->live + at, 1,
				    JOURNAL_GROUP_HEAD + g.length);
	}
	journal_key_free(key);
}

/* One process looks at what there is. */

static struct mail *
mail_of(struct pass *p, uint64_t evpid, char **state)
{
	size_t i;

	for (i = 0; i < MAILS; i++) {
		if (p->f->mails[i].evpid != evpid)
			continue;
		*state = &p->v.mail[i];
		return &p->f->mails[i];
	}
	return NULL;
}

static void
on_envelope(void *ctx, uint64_t evpid, enum queue_status status,
    const char *text, size_t len, uint64_t size, const char *reason)
{
	struct pass *p = ctx;
	char *state;

	(void)text;
	(void)len;
	(void)size;
	(void)reason;
	if (mail_of(p, evpid, &state) != NULL)
		*state = status == QUEUE_OK ? '?' : 'D';
	else
		p->v.mail[0] = 'X'; /* an id that nobody gave */
}

static void
on_locked(void *ctx, uint64_t evpid, uint64_t size, int64_t arrived,
    const char *reason)
{
	struct pass *p = ctx;
	size_t i;

	(void)size;
	(void)arrived;
	(void)reason;
	for (i = 0; i < MAILS; i++)
		if (p->f->mails[i].evpid == evpid ||
		    (ident_rcpt(evpid) == 0 &&
			ident_msgid(p->f->mails[i].evpid) ==
			    ident_msgid(evpid)))
			p->v.mail[i] = 'D';
}

static void
on_anomaly(void *ctx, const char *name, const char *reason)
{
	struct pass *p = ctx;

	(void)name;
	(void)reason;
	p->v.anomalies++;
}

static void
on_loaded(void *ctx)
{
	struct pass *p = ctx;

	p->loaded = true;
}

static void
on_body(void *ctx, enum queue_status status, const uint8_t *data, size_t len,
    uint64_t total)
{
	struct pass *p = ctx;
	uint8_t want[1024];

	if (status != QUEUE_OK) {
		*p->state = 'D';
	} else {
		fill(want, p->at, len);
		if (total != p->mail->size ||
		    (len > 0 && memcmp(data, want, len) != 0))
			*p->state = 'S';
		p->at += len;
		if (p->at < total && len > 0) {
			queue_body(p->q, ident_msgid(p->mail->evpid), p->at,
			    1024, on_body, p);
			return;
		}
		if (p->at != p->mail->size)
			*p->state = 'S';
	}
	p->open--;
}

static void
on_text(void *ctx, enum queue_status status, const char *text, size_t len)
{
	struct pass *p = ctx;
	char want[TEXT_MAX];
	unsigned g;

	*p->state = 'D';
	if (status == QUEUE_OK) {
		*p->state = 'X';
		for (g = 1; g <= p->mail->generation; g++)
			if (make_text(want, p->mail->evpid, g) == len &&
			    memcmp(text, want, len) == 0)
				*p->state =
				    g == p->mail->generation ? 'I' : 'O';
		if (p->mail->done)
			*p->state = 'R';
	}
	p->open--;
}

static void
look(struct flip *f, int to)
{
	struct pass p = { .f = f };
	struct queue_loader l = { .envelope = on_envelope,
		.anomaly = on_anomaly,
		.loaded = on_loaded,
		.locked = on_locked,
		.ctx = &p };
	struct queue_stats s;
	char err[256];
	size_t i;

	log_open("qflip", false);
	memset(p.v.mail, 'L', MAILS);
	if ((p.q = queue_open(&f->o, err, sizeof(err))) == NULL)
		_exit(3);
	queue_load(p.q, &l);
	while (!p.loaded)
		turn(p.q);
	for (i = 0; i < MAILS; i++) {
		p.state = &p.v.mail[i];
		p.mail = &f->mails[i];
		if (*p.state != '?')
			continue;
		p.open = 1;
		queue_envelope(p.q, p.mail->evpid, on_text, &p);
		while (p.open > 0)
			turn(p.q);
		if (*p.state != 'I' && *p.state != 'O')
			continue;
		p.open = 1;
		p.at = 0;
		queue_body(
		    p.q, ident_msgid(p.mail->evpid), 0, 1024, on_body, &p);
		while (p.open > 0)
			turn(p.q);
	}
	queue_stats(p.q, &s);
	p.v.anomalies += s.anomalies;
	p.v.alarm = s.alarm[0] != '\0';
	if (write(to, &p.v, sizeof(p.v)) != sizeof(p.v))
		_exit(4);
	_exit(0);
}

/* A flip that nothing has to notice. */
static bool
may_be_silent(const struct flip *f, const struct file *file, size_t at)
{
	if (file->live != NULL)
		return !file->live[at];
	if (f->sealed && at >= MESSAGE_SLOT_AT(1) &&
	    at < MESSAGE_SLOT_AT(2) - 1)
		return true; /* the slot that holds no key */
	return f->zstd && !f->sealed && at >= MESSAGE_HEAD;
}

static void
judge(struct flip *f, const struct file *file, const char *what, size_t at,
    const struct verdict *v, int status)
{
	bool told = v->anomalies > 0 || v->alarm, whole = true, lost = false;
	const char *why = NULL;
	size_t i;

	for (i = 0; i < MAILS; i++) {
		char c = v->mail[i];

		if (f->mails[i].done) {
			if (c != 'L' && c != 'D' && !told)
				why = "delivered once more, and not told";
			continue;
		}
		f->found[(unsigned char)c]++;
		whole = whole && c == 'I';
		told = told || c == 'D';
		lost = lost || c == 'L';
		if (c == 'X' || c == 'S')
			why = "delivered another or short";
	}
	if (WIFSIGNALED(status) || WEXITSTATUS(status) != 0)
		why = "the process died";
	else if (!whole && !told)
		why = "damaged and not told";
	else if (lost && kept(f) == 0)
		why = "lost";
	else if (whole && !told) {
		f->silent++;
		if (*what == 'f' && !may_be_silent(f, file, at))
			why = "not detected";
	}
	if (why == NULL)
		return;
	f->broken++;
	printf("%s %s at %zu: %s (%s, anomalies %lu, status %x)\n", file->name,
	    what, at, why, v->mail, v->anomalies, (unsigned)status);
}

static void
run_case(struct flip *f, struct file *file, const char *what, size_t at)
{
	struct verdict v = { .mail = "----" };
	int fds[2], status;
	pid_t pid;

	if (pipe(fds) == -1 || (pid = fork()) == -1)
		die("fork");
	if (pid == 0) {
		close(fds[0]);
		alarm(20);
		look(f, fds[1]);
	}
	close(fds[1]);
	if (read(fds[0], &v, sizeof(v)) != sizeof(v))
		memset(v.mail, '-', MAILS);
	close(fds[0]);
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	f->cases++;
	judge(f, file, what, at, &v, status);
	restore_all(f);
}

/* Padding: one place of it is like the other. */
static bool
tame(const struct file *file, size_t at)
{
	if (file->live != NULL)
		return at < JOURNAL_BLOCK ? file->data[at] == 0
					  : !file->live[at];
	return at > 4096 && at + 4096 < file->len;
}

static void
damage(struct flip *f, struct file *file, size_t step)
{
	size_t i, first = 0, end = file->len;

	if (file->live != NULL) {
		for (end = file->len; end > 0 && !file->live[end - 1]; end--)
			;
		if (end == 0)
			return;
		end += 64 < file->len - end ? 64 : file->len - end;
	}
	for (i = first; i < end; i += step) {
		if (tame(file, i) && i / step % 32 != 0)
			continue;
		file->data[i] ^= (char)(1 << i % 8);
		write_back(f, file, file->len);
		file->data[i] ^= (char)(1 << i % 8);
		run_case(f, file, "flipped", i);
	}
	for (i = first; i < end; i += step) {
		if (tame(file, i) && i / step % 32 != 0)
			continue;
		write_back(f, file, i);
		run_case(f, file, "cut", i);
	}
}

static struct keyring *
make_ring(void)
{
	struct buf *b = buf_new(4096);
	struct keyring *r;
	char err[256];
	struct key k;

	if (key_generate(&k, "flip-key-0000001") == -1)
		exit(2);
	k.state = KEY_ACTIVE;
	key_print(&k, b);
	r = keyring_parse(buf_text(b), buf_len(b), NULL, err, sizeof(err));
	if (r == NULL)
		exit(2);
	buf_free(b);
	return r;
}

static void
prepare(struct flip *f)
{
	int fds[2], status;
	pid_t pid;
	size_t i;

	if (pipe(fds) == -1 || (pid = fork()) == -1)
		die("fork");
	if (pid == 0)
		make_queue(f, fds[1]);
	if (read(fds[0], f->mails, sizeof(f->mails)) != sizeof(f->mails) ||
	    waitpid(pid, &status, 0) != pid || status != 0)
		die("the queue was not made");
	for (i = 0; i < sizeof(tops) / sizeof(tops[0]); i++)
		each(f, tops[i], take_file);
	for (i = 0; i < f->count; i++)
		if (strncmp(f->files[i].name, "journal/", 8) == 0)
			mark_live(&f->files[i]);
}

int
main(int argc, char **argv)
{
	struct flip f = { 0 };
	uint64_t began = mono_ms();
	size_t i, step;
	bool wanted;

	if (argc != 5)
		return 2;
	f.path = argv[1];
	f.zstd = strcmp(argv[2], "zstd") == 0 || strcmp(argv[2], "both") == 0;
	f.sealed =
	    strcmp(argv[2], "sealed") == 0 || strcmp(argv[2], "both") == 0;
	f.journal = strcmp(argv[3], "journal") == 0;
	step = strtoul(argv[4], NULL, 10);
	f.o.path = f.path;
	f.o.compression = f.zstd;
	f.o.seal = f.sealed;
	f.o.keys = f.sealed ? make_ring() : NULL;
	f.o.segments = 4;
	f.o.journal_size = 4 * 65536;
	f.o.large = f.journal ? LARGE - 1 : 0;
	f.o.settle_ms = 1000000;
	f.o.reserve_percent = UINT_MAX;
	f.o.workers = 1;
	log_open("qflip", false);
	prepare(&f);
	for (i = 0; i < f.count; i++) {
		struct file *file = &f.files[i];

		wanted = f.journal ? file->live != NULL ||
			strncmp(file->name, "incoming/", 9) == 0
				   : strncmp(file->name, "queue/", 6) == 0;
		if (wanted)
			damage(&f, file, step);
	}
	printf("%s %s: %lu cases, %lu broken, %lu without a word; mails: %lu "
	       "whole, %lu reported, %lu older, %lu kept in corrupt; %llu ms\n",
	    argv[2], argv[3], f.cases, f.broken, f.silent, f.found['I'],
	    f.found['D'], f.found['O'], f.found['L'],
	    (unsigned long long)(mono_ms() - began));
	keyring_unref(f.o.keys);
	for (i = 0; i < f.count; i++) {
		free(f.files[i].data);
		free(f.files[i].live);
	}
	return f.broken > 0;
}
