#include "regress/qcrash/recover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mono.h"
#include "regress/qcrash/disk.h"
#include "regress/qcrash/mail.h"
#include "regress/qcrash/works.h"

#define SECONDS 5
#define CLOSE_MS 4000
#define VERB_MS 20
#define PIECE 65536u

struct child {
	const struct recovery *r;
	struct outcome *o;
	struct queue *q;
	uint64_t bulk[OUTCOME_BULKS];
	uint32_t reading; /* place in found */
	uint64_t at; /* of the body */
	bool loaded, read;
};

static void
complain(struct outcome *o, const char *what)
{
	if (o->complaint[0] == '\0')
		snprintf(o->complaint, sizeof(o->complaint), "%s", what);
}

static void
on_envelope(void *ctx, uint64_t evpid, enum queue_status status,
    const char *text, size_t len, uint64_t size, const char *reason)
{
	struct child *c = ctx;
	struct found_envelope *f;
	uint64_t want;
	uint32_t i;

	(void)reason;
	for (i = c->o->n; i > 0 && c->o->found[i - 1].evpid > evpid; i--)
		;
	if (i > 0 && c->o->found[i - 1].evpid == evpid) {
		complain(c->o, "an envelope was reported twice");
		return;
	}
	if (c->o->n == OUTCOME_FOUND) {
		complain(c->o, "more envelopes than were ever sent");
		return;
	}
	memmove(
	    c->o->found + i + 1, c->o->found + i, (c->o->n - i) * sizeof(*f));
	c->o->n++;
	f = &c->o->found[i];
	memset(f, 0, sizeof(*f));
	f->evpid = evpid;
	f->status = (uint8_t)status;
	if (text != NULL)
		f->generation = mail_generation(evpid, text, len);
	if (status == QUEUE_OK &&
	    duty_size(c->r->duty, ident_msgid(evpid), &want) && want != size)
		complain(c->o, "a body's size is not what was sent");
}

static void
on_anomaly(void *ctx, const char *name, const char *reason)
{
	struct child *c = ctx;

	char text[200];

	/* A power cut is no odd thing; but a torn write at the journal's end
	 * is kept and told. */
	c->o->anomalies++;
	if (strncmp(name, "corrupt/journal-", 16) == 0)
		return;
	snprintf(text, sizeof(text), "an anomaly: %.80s: %.80s", name, reason);
	complain(c->o, text);
}

static void
on_bulk(void *ctx, uint64_t bulk, const char *verb, bool all,
    const uint64_t *evpids, size_t n)
{
	struct child *c = ctx;
	unsigned serial = (unsigned)strtoul(verb + 1, NULL, 10) % OUTCOME_BULKS;
	uint32_t ids = 0;
	size_t i;

	for (i = 0; !all && i < n; i++)
		ids += (uint32_t)(evpids[i] ^ evpids[i] >> 32);
	c->o->bulks |= 1u << serial;
	c->o->bulk_ids[serial] = ids;
	c->bulk[serial] = bulk;
}

static void
on_loaded(void *ctx)
{
	struct child *c = ctx;

	c->loaded = true;
}

static void read_next(struct child *c);

static void
on_body(void *ctx, enum queue_status status, const uint8_t *data, size_t len,
    uint64_t total)
{
	struct child *c = ctx;
	uint64_t msgid = ident_msgid(c->o->found[c->reading].evpid), size;
	uint8_t want[PIECE];
	bool good = status == QUEUE_OK;

	if (good && duty_size(c->r->duty, msgid, &size)) {
		mail_body(want, msgid, c->at, len);
		good =
		    size == total && (len == 0 || memcmp(want, data, len) == 0);
	}
	c->at += len;
	if (good && len > 0 && c->at < total) {
		queue_body(c->q, msgid, c->at, PIECE, on_body, c);
		return;
	}
	for (; c->reading < c->o->n; c->reading++) {
		if (ident_msgid(c->o->found[c->reading].evpid) != msgid)
			break;
		c->o->found[c->reading].body = good;
	}
	c->at = 0;
	read_next(c);
}

static void
read_next(struct child *c)
{
	while (c->reading < c->o->n && c->o->found[c->reading].status != 0)
		c->reading++;
	if (c->reading == c->o->n)
		c->read = true;
	else
		queue_body(c->q, ident_msgid(c->o->found[c->reading].evpid), 0,
		    PIECE, on_body, c);
}

static void
turn(struct child *c, int ms)
{
	struct pollfd p = { queue_fd(c->q), POLLIN, 0 };

	(void)poll(&p, 1, ms);
	queue_turn(c->q);
}

static void
turn_until(struct child *c, const bool *done)
{
	while (!*done)
		turn(c, 1000);
}

static void
count(struct child *c)
{
	struct outcome *o = c->o;
	uint32_t i, j, messages = 0;
	struct queue_stats s;
	char text[32];

	for (i = 0; i < o->n; i++) {
		messages += i == 0 ||
		    ident_msgid(o->found[i].evpid) !=
			ident_msgid(o->found[i - 1].evpid);
		for (j = 0; j < OUTCOME_BULKS; j++)
			if (o->bulks >> j & 1 &&
			    queue_bulk_covers(
				c->q, c->bulk[j], o->found[i].evpid))
				o->found[i].covered |= (uint8_t)(1u << j);
	}
	queue_stats(c->q, &s);
	if (s.messages != messages)
		complain(o, "the count of messages is not that of the walk");
	if (s.alarm[0] != '\0')
		complain(o, s.alarm);
	if (queue_state_get(c->q, "mark", text, sizeof(text)) == 0)
		o->state = strtoull(text, NULL, 10);
}

static void
run(const struct recovery *r, const char *dir, struct outcome *o)
{
	struct child c = { .r = r, .o = o };
	struct queue_loader loader = { .envelope = on_envelope,
		.anomaly = on_anomaly,
		.bulk = on_bulk,
		.loaded = on_loaded,
		.ctx = &c };
	struct queue_options options = r->options;
	uint64_t until;
	char err[256];
	int fd;

	alarm(SECONDS);
	options.path = dir;
	/* What locks its memory does not come along through a fork. */
	if (options.seal)
		options.keys = workload_keys();
	options.workers = 1; /* they would but wait for each other */
	if (!r->verbose && (fd = open("/dev/null", O_RDWR)) != -1)
		(void)dup2(fd, STDERR_FILENO);
	log_open("qcrash", true);
	if (r->log != NULL)
		qtrace_start(r->log, dir);
	if ((c.q = queue_open(&options, err, sizeof(err))) == NULL) {
		complain(o, err);
		_exit(0);
	}
	o->stage = STAGE_OPEN;
	queue_load(c.q, &loader);
	turn_until(&c, &c.loaded);
	o->stage = STAGE_LOADED;
	count(&c);
	read_next(&c);
	turn_until(&c, &c.read);
	o->stage = STAGE_READ;
	/* A verb holds the journal, and nobody here carries it out: a stop
	 * would wait for it. */
	until = mono_ms() + VERB_MS;
	while (o->bulks != 0 && mono_ms() < until)
		turn(&c, 2);
	queue_close(c.q, o->bulks != 0 ? 0 : CLOSE_MS);
	o->stage = STAGE_CLOSED;
	_exit(0);
}

static bool
try_once(const struct recovery *r, const char *dir, struct outcome *o)
{
	char what[64];
	int status;
	pid_t pid;

	memset(o, 0, sizeof(*o));
	if (r->log != NULL)
		r->log->used = r->log->calls = 0;
	fflush(NULL);
	if ((pid = fork()) == 0)
		run(r, dir, o);
	if (pid == -1 || waitpid(pid, &status, 0) != pid) {
		complain(o, strerror(errno));
		return true;
	}
	if (WIFSIGNALED(status)) {
		o->signal = WTERMSIG(status);
		if (o->signal == SIGALRM)
			return false;
		snprintf(what, sizeof(what), "recovery died of signal %d",
		    o->signal);
		complain(o, what);
	} else if (WEXITSTATUS(status) != 0) {
		snprintf(what, sizeof(what), "recovery exited with %d",
		    WEXITSTATUS(status));
		complain(o, what);
	}
	return true;
}

void
recover(const struct recovery *r, const char *dir, struct outcome *o)
{
	/* The machine may have been busy: once more. */
	if (!try_once(r, dir, o) && !try_once(r, dir, o))
		complain(o, "recovery took more than five seconds");
}

static char why[256];

static const char *
bad(const char *dir, const char *name, const char *what)
{
	snprintf(why, sizeof(why), "after recovery: %.60s/%.60s: %s", dir, name,
	    what);
	return why;
}

static bool
is_found(const struct outcome *o, uint64_t evpid, bool message)
{
	uint32_t i;

	for (i = 0; i < o->n; i++)
		if (message ? ident_msgid(o->found[i].evpid) == evpid
			    : o->found[i].evpid == evpid)
			return true;
	return false;
}

static const char *
look_at(
    const char *dir, const char *name, const struct outcome *o, unsigned *files)
{
	uint64_t id;

	if (strncmp(dir, "queue/", 6) == 0) {
		(*files)++;
		if (ident_msgid_parse(name, &id))
			return is_found(o, id, true)
			    ? NULL
			    : bad(dir, name, "a message that was not found");
		if (ident_evpid_parse(name, &id))
			return is_found(o, id, false)
			    ? NULL
			    : bad(dir, name, "an envelope that was not found");
		return bad(dir, name, "has no business there");
	}
	if (strcmp(dir, "journal") == 0)
		return strspn(name, "0123456789") == strlen(name)
		    ? NULL
		    : bad(dir, name, "is no segment");
	if (strcmp(dir, "state") == 0 || dir[0] == '\0')
		return strstr(name, ".new") == NULL
		    ? NULL
		    : bad(dir, name, "was left behind");
	if (strcmp(dir, "corrupt") == 0)
		return NULL;
	return bad(dir, name, "was left behind");
}

static const char *
look_below(int root, const char *dir, const struct outcome *o, unsigned *files)
{
	const char *wrong = NULL;
	struct dirent *entry;
	char path[300];
	struct stat st;
	DIR *at;
	int fd = openat(root, dir[0] == '\0' ? "." : dir, O_RDONLY);

	if (fd == -1 || (at = fdopendir(fd)) == NULL)
		return bad("", dir, strerror(errno));
	while (wrong == NULL && (entry = readdir(at)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		if (entry->d_type == DT_DIR && disk_bare(fd, entry->d_name))
			continue;
		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == -1)
			wrong = bad(dir, entry->d_name, strerror(errno));
		else if ((st.st_mode & 077) != 0)
			wrong = bad(dir, entry->d_name, "rights for others");
		else if (S_ISDIR(st.st_mode)) {
			snprintf(path, sizeof(path), "%s%s%s", dir,
			    dir[0] == '\0' ? "" : "/", entry->d_name);
			wrong = look_below(root, path, o, files);
		} else if (st.st_nlink != 1)
			wrong = bad(dir, entry->d_name, "more than one link");
		else
			wrong = look_at(dir, entry->d_name, o, files);
	}
	closedir(at);
	return wrong;
}

const char *
recover_tree(const char *dir, const struct outcome *o)
{
	unsigned files = 0, want = o->n;
	int root = open(dir, O_RDONLY | O_DIRECTORY);
	const char *wrong;
	uint32_t i;

	if (root == -1)
		return bad("", dir, strerror(errno));
	for (i = 0; i < o->n; i++)
		want += i == 0 ||
		    ident_msgid(o->found[i].evpid) !=
			ident_msgid(o->found[i - 1].evpid);
	wrong = look_below(root, "", o, &files);
	close(root);
	if (wrong != NULL)
		return wrong;
	/* With a verb at work it may not have been written yet. */
	return files == want || o->bulks != 0
	    ? NULL
	    : bad("", "queue", "a file is missing");
}

const char *
recover_same(const struct outcome *a, const struct outcome *b)
{
	uint32_t i;

	if (b->complaint[0] != '\0') {
		snprintf(why, sizeof(why), "the second recovery: %.200s",
		    b->complaint);
		return why;
	}
	if (a->state != b->state)
		return "the second recovery has another state/mark";
	for (i = 0; i < a->n && i < b->n; i++)
		if (a->found[i].evpid != b->found[i].evpid ||
		    a->found[i].generation != b->found[i].generation ||
		    a->found[i].status != b->found[i].status ||
		    a->found[i].body != b->found[i].body)
			break;
	if (i < a->n || i < b->n)
		return "the second recovery found something else";
	return (a->bulks & ~b->bulks) != 0 ? "the second recovery forgot a verb"
					   : NULL;
}
