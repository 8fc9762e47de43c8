/*
 * doctor - what is wrong with a spool, in sentences, each with what mends it
 *
 * Looks at the directory, its file system, the lock, the key ring, the journal
 * and every file's head; reads no bodies (qtool verify --level deep does).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/proto/record.h"
#include "queue/lock.h"
#include "tools/qtool/commands.h"
#include "tools/qtool/kinds.h"
#include "tools/qtool/settings.h"

#define ROW_MAX 16384
#define SENTENCE 1024
#define SAMPLES 3
#define LOW_PERCENT 10
#define FUTURE_S 60
#define RECENT_S 86400

struct tally_of {
	uint64_t n;
	char sample[SENTENCE];
};

/* What a walk finds. */
struct ward {
	struct qtool *t;
	struct tally_of status[VIEW_STATUSES], odd[VIEW_ODDS];
	struct tally_of future;
	uint64_t messages, envelopes;
	struct kinds *kids; /* needed; counts messages and envelopes */
};

struct doctor {
	struct qtool *t;
	unsigned found;
	uid_t owner; /* of the spool */
};

static void finding(struct doctor *d, const char *fix, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A sentence, and what mends it (may be ""). */
static void
finding(struct doctor *d, const char *fix, const char *fmt, ...)
{
	char text[SENTENCE], clean[2 * SENTENCE];
	struct buf *b;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	d->found++;
	if (!d->t->o.json) {
		printf("%s\n", text_printable(clean, sizeof(clean), text));
		if (fix[0] != '\0')
			printf("    %s\n",
			    text_printable(clean, sizeof(clean), fix));
		return;
	}
	b = buf_new(ROW_MAX);
	record_begin(b, "finding");
	record_str(b, "what", text);
	if (fix[0] != '\0')
		record_str(b, "fix", fix);
	(void)out_record(d->t->out, buf_data(b), buf_len(b));
	buf_free(b);
}

static const char *command(char line[SENTENCE], const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static const char *
command(char line[SENTENCE], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, SENTENCE, fmt, ap);
	va_end(ap);
	return line;
}

static void
note(struct tally_of *n, const char *name)
{
	if (n->n++ >= SAMPLES)
		return;
	if (n->n > 1)
		strlcat(n->sample, ", ", sizeof(n->sample));
	strlcat(n->sample, name, sizeof(n->sample));
}

static void
merge(struct tally_of *to, const struct tally_of *from)
{
	if (from->n > 0 && to->n < SAMPLES) {
		if (to->n > 0)
			strlcat(to->sample, ", ", sizeof(to->sample));
		strlcat(to->sample, from->sample, sizeof(to->sample));
	}
	to->n += from->n;
}

/* The walk. */

static void *
begin(void *ctx, unsigned bucket)
{
	struct ward *w = mem_zalloc(sizeof(*w));

	(void)bucket;
	w->t = ((struct ward *)ctx)->t;
	w->kids = kinds_new(2);
	return w;
}

static void
judge(struct ward *w, uint64_t id, enum view_status status, const char *reason,
    const char *kid, int64_t arrived)
{
	char name[SENTENCE / 4], path[LAYOUT_NAME_MAX];

	if (ident_rcpt(id) == 0)
		layout_message(path, ident_msgid(id));
	else
		layout_envelope(path, id);
	snprintf(
	    name, sizeof(name), "%s (%s)", path, reason == NULL ? "" : reason);
	if (status != VIEW_WHOLE && status != VIEW_LOCKED &&
	    status != VIEW_GONE)
		note(&w->status[status], name);
	if (kid[0] != '\0')
		kinds_of(w->kids, kid)[ident_rcpt(id) == 0 ? 0 : 1]++;
	if (arrived > w->t->now + FUTURE_S)
		note(&w->future, path);
}

static void
on_message(void *part, const struct view_message *m)
{
	struct ward *w = part;

	w->messages += m->status != VIEW_GONE;
	judge(w, ident_evpid(m->msgid, 0), m->status, m->reason, m->kid,
	    m->arrived);
}

static void
on_envelope(void *part, const struct view_envelope *ve)
{
	struct ward *w = part;

	w->envelopes++;
	if (ident_rcpt(ve->evpid) != 0)
		judge(w, ve->evpid, ve->status, ve->reason, ve->kid, 0);
}

static void
on_anomaly(void *part, const struct view_anomaly *a)
{
	struct ward *w = part;

	if (a->odd != VIEW_ODD_SCRAP || !w->t->busy)
		note(&w->odd[a->odd], a->name);
}

static bool
end(void *ctx, void *part)
{
	struct ward *to = ctx, *w = part;
	unsigned i;

	for (i = 0; i < VIEW_STATUSES; i++)
		merge(&to->status[i], &w->status[i]);
	for (i = 0; i < VIEW_ODDS; i++)
		merge(&to->odd[i], &w->odd[i]);
	merge(&to->future, &w->future);
	to->messages += w->messages;
	to->envelopes += w->envelopes;
	kinds_merge(to->kids, w->kids);
	free(w);
	return true;
}

static void
see_odd(struct doctor *d, const struct ward *w)
{
	static const struct {
		enum view_odd odd;
		const char *what, *fix;
	} table[] = {
		{ VIEW_ODD_NAME,
		    "names that have no business in the queue; they are left "
		    "alone, and stand in nobody's way",
		    "qtool -d %s verify --level names" },
		{ VIEW_ODD_BUCKET,
		    "mail in another's bucket, where the daemon does not look "
		    "for it",
		    "qtool -d %s repair --fix Q07 --yes" },
		{ VIEW_ODD_MESSAGE,
		    "messages without any envelope: nobody gets them",
		    "qtool -d %s repair --fix Q05 --adopt --yes" },
		{ VIEW_ODD_ENVELOPE,
		    "envelopes whose message is gone: there is nothing to send",
		    "qtool -d %s repair --fix Q06 --yes" },
		{ VIEW_ODD_DIRECTORY,
		    "directories that are missing or cannot be read; what is "
		    "in them waits",
		    "qtool -d %s repair --yes" },
		{ VIEW_ODD_SCRAP,
		    "files in incoming/ that no mail refers to: begun, and "
		    "never acknowledged; the next start removes them",
		    "" },
	};
	char line[SENTENCE];
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct tally_of *n = &w->odd[table[i].odd];

		if (n->n == 0)
			continue;
		snprintf(line, sizeof(line), table[i].fix, d->t->spool);
		finding(d, line, "%llu %s: %s%s", (unsigned long long)n->n,
		    table[i].what, n->sample, n->n > SAMPLES ? ", ..." : "");
	}
}

static void
see_status(struct doctor *d, const struct ward *w)
{
	static const struct {
		enum view_status status;
		const char *what, *fix;
	} table[] = {
		{ VIEW_UNAVAILABLE,
		    "files that cannot be used for their mode, owner, type or "
		    "links, and wait",
		    "qtool -d %s repair --fix Q12 --yes" },
		{ VIEW_TORN, "files that are cut short",
		    "qtool -d %s repair --fix Q01,Q02 --yes" },
		{ VIEW_EDITED,
		    "files that were edited or damaged; their envelopes are "
		    "held until they are looked at",
		    "smtpctl discover ID   (takes an edit; with the daemon)" },
		{ VIEW_BROKEN, "files that cannot be understood",
		    "qtool -d %s repair --yes" },
	};
	char line[SENTENCE];
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct tally_of *n = &w->status[table[i].status];

		if (n->n == 0)
			continue;
		snprintf(line, sizeof(line), table[i].fix, d->t->spool);
		finding(d, line, "%llu %s: %s%s", (unsigned long long)n->n,
		    table[i].what, n->sample, n->n > SAMPLES ? ", ..." : "");
	}
	if (w->future.n > 0)
		finding(d, "timedatectl   (or date: is the clock right?)",
		    "%llu messages came in the future: %s%s; either the clock "
		    "was wrong then, or it is wrong now",
		    (unsigned long long)w->future.n, w->future.sample,
		    w->future.n > SAMPLES ? ", ..." : "");
}

static void
see_keys(struct doctor *d, const struct ward *w)
{
	const struct kinds_row *k = kinds_sorted(w->kids);
	const struct keyring *r = d->t->keys;
	const struct key *key;
	char line[SENTENCE];
	size_t i;

	for (i = 0; i < kinds_count(w->kids); i++) {
		key = r == NULL ? NULL : keyring_find(r, k[i].key);
		if (key == NULL)
			finding(d,
			    command(line, "bring its line back into the ring%s",
				r == NULL ? ", or name the ring: qtool "
					    "--keyring FILE doctor"
					  : ""),
			    "%llu messages and %llu envelopes are sealed by "
			    "the key %s, which is not at hand; they are kept, "
			    "and cannot be sent",
			    (unsigned long long)k[i].counts[0],
			    (unsigned long long)k[i].counts[1], k[i].key);
		else if (key->state == KEY_RETIRED)
			finding(d,
			    command(
				line, "qtool -d %s key rotate", d->t->spool),
			    "the key %s is retired, and %llu messages and %llu "
			    "envelopes still need it",
			    k[i].key, (unsigned long long)k[i].counts[0],
			    (unsigned long long)k[i].counts[1]);
	}
	if (r != NULL && keyring_count(r) > 0 && keyring_active(r) == NULL)
		finding(d, "qtool key new   (prints a line for the ring)",
		    "the key ring has no active key: new mail cannot be "
		    "sealed");
}

static void
see_space(struct doctor *d)
{
	struct statvfs fs;
	unsigned blocks, inodes;
	char line[SENTENCE];

	if (fstatvfs(view_layout(d->t->view)->root, &fs) == -1)
		return;
	command(line, "df -h %s; df -i %s", d->t->spool, d->t->spool);
	if ((fs.f_flag & ST_RDONLY) != 0)
		finding(d, command(line, "mount -o remount,rw %s", d->t->spool),
		    "the file system is mounted read-only: no mail can be "
		    "taken");
	blocks = fs.f_blocks == 0 ? 100
				  : (unsigned)(fs.f_bavail * 100 / fs.f_blocks);
	inodes =
	    fs.f_files == 0 ? 100 : (unsigned)(fs.f_favail * 100 / fs.f_files);
	if (blocks < LOW_PERCENT)
		finding(d, line,
		    "only %u%% of the file system's blocks are free; below the "
		    "reserve (2%%) new mail is refused with 452",
		    blocks);
	if (inodes < LOW_PERCENT)
		finding(d, line,
		    "only %u%% of the file system's inodes are free; below the "
		    "reserve (2%%) new mail is refused with 452",
		    inodes);
}

/* A directory that should be there, for its owner alone. */
static void
see_dir(struct doctor *d, const char *name)
{
	int root = view_layout(d->t->view)->root;
	const char *spool = d->t->spool;
	char line[SENTENCE];
	struct stat st;

	if (fstatat(root, name, &st, AT_SYMLINK_NOFOLLOW) == -1) {
		if (errno == ENOENT)
			finding(d,
			    command(line,
				"install -d -m 700 -o '#%u' %s/%s   (a start "
				"of the daemon does that too)",
				(unsigned)d->owner, spool, name),
			    "%s/%s is missing", spool, name);
		return;
	}
	if (!S_ISDIR(st.st_mode)) {
		finding(d,
		    command(line, "mv %s/%s /root/ && mkdir -m 700 %s/%s",
			spool, name, spool, name),
		    "%s/%s is no directory", spool, name);
		return;
	}
	if (st.st_uid != d->owner)
		finding(d,
		    command(line, "chown %u %s/%s", (unsigned)d->owner, spool,
			name),
		    "%s/%s belongs to uid %u, the spool to uid %u: the daemon "
		    "cannot use it",
		    spool, name, (unsigned)st.st_uid, (unsigned)d->owner);
	if ((st.st_mode & 0700) != 0700)
		finding(d, command(line, "chmod 700 %s/%s", spool, name),
		    "%s/%s has mode %04o: the daemon cannot use it", spool,
		    name, (unsigned)st.st_mode & 07777);
	else if ((st.st_mode & 077) != 0)
		finding(d, command(line, "chmod 700 %s/%s", spool, name),
		    "%s/%s has mode %04o: others may look into it", spool, name,
		    (unsigned)st.st_mode & 07777);
}

static void
see_dirs(struct doctor *d)
{
	static const char *const names[] = { ".", "journal", "incoming",
		"queue", "corrupt", "trash", "offline", "state" };
	char bucket[LAYOUT_NAME_MAX];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		see_dir(d, names[i]);
	for (i = 0; i < LAYOUT_BUCKETS; i++) {
		layout_bucket_name(bucket, (unsigned)i);
		see_dir(d, bucket);
	}
}

static void
see_corrupt(struct doctor *d)
{
	int fd = layout_open_dir(view_layout(d->t->view), "corrupt");
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	uint64_t n = 0, recent = 0;
	struct dirent *entry;
	char line[SENTENCE];
	struct stat st;
	size_t len;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		len = strlen(entry->d_name);
		if (len < 4 || strcmp(entry->d_name + len - 4, ".why") != 0 ||
		    fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == -1)
			continue;
		n++;
		recent += st.st_mtime > d->t->now - RECENT_S;
	}
	if (dir != NULL)
		closedir(dir);
	else if (fd != -1)
		close(fd);
	if (n > 0)
		finding(d,
		    command(line,
			"head %s/corrupt/*.why   (then smtpctl uncorrupt ID, "
			"or remove them)",
			d->t->spool),
		    "%llu files were set aside in corrupt/, %llu of them "
		    "within "
		    "a day%s",
		    (unsigned long long)n, (unsigned long long)recent,
		    recent > 0 ? ": something goes wrong now" : "");
}

static void
see_lock(struct doctor *d)
{
	char host[sizeof(((struct lock_owner *)0)->host)] = "", line[SENTENCE];
	struct lock_owner o;

	if (lock_look(view_layout(d->t->view)->root, &o) == -1) {
		finding(d, command(line, "ls -l %s/LOCK", d->t->spool),
		    "LOCK cannot be looked at: %s", strerror(errno));
		return;
	}
	(void)gethostname(host, sizeof(host) - 1);
	if (o.there && o.pid != 0 && !o.held && strcmp(o.host, host) != 0)
		finding(d, command(line, "cat %s/LOCK", d->t->spool),
		    "LOCK was last written on another host (%s, pid %ld): is "
		    "the spool shared? Two daemons on one spool lose mail",
		    o.host, o.pid);
	else if (o.held && o.pid != 0 && strcmp(o.host, host) == 0 &&
	    kill((pid_t)o.pid, 0) == -1 && errno == ESRCH)
		finding(d, command(line, "fuser -v %s/LOCK", d->t->spool),
		    "the lock is held, and the process it names (%ld) is gone: "
		    "another one has inherited it",
		    o.pid);
	if (o.there && o.since > d->t->now + FUTURE_S)
		finding(d, "timedatectl   (or date: is the clock right?)",
		    "LOCK was written in the future: the clock was set back");
}

static void
see_journal(struct doctor *d)
{
	const struct view_journal *j = view_journal(d->t->view);
	char line[SENTENCE];

	if (j->alarm[0] != '\0')
		finding(d, command(line, "ls -l %s/journal", d->t->spool), "%s",
		    j->alarm);
	else if (j->segments == 0)
		finding(d, "start smtpd: it makes the journal",
		    "there is no journal");
	if (!d->t->busy && !view_settled(d->t->view))
		finding(d, "start smtpd, then smtpctl sync",
		    "the journal says more than the files, and no daemon "
		    "runs: tar and grep do not see all of the mail (qtool "
		    "does)");
}

/* What keeps the spool from being opened at all. */
static int
see_outside(struct doctor *d)
{
	char line[SENTENCE], err[512];
	struct view_options o = { .path = d->t->spool };
	struct stat st;

	if (stat(d->t->spool, &st) == -1) {
		if (errno == ENOENT)
			finding(d, "qtool -d SPOOL doctor, or start smtpd",
			    "there is no %s: is that the spool of the "
			    "configuration? A start of the daemon makes it",
			    d->t->spool);
		else
			finding(d, "", "%s: %s", d->t->spool, strerror(errno));
		return -1;
	}
	if (geteuid() != 0 && st.st_uid != geteuid()) {
		finding(d,
		    command(line, "sudo qtool -d %s doctor", d->t->spool),
		    "the spool belongs to uid %u; only that user and root may "
		    "look into it",
		    (unsigned)st.st_uid);
		return -1;
	}
	d->owner = st.st_uid;
	o.keys = d->t->keys;
	o.jobs = d->t->o.jobs;
	d->t->view = view_open(&o, err, sizeof(err));
	if (d->t->view == NULL) {
		finding(d, command(line, "ls -la %s", d->t->spool), "%s", err);
		return -1;
	}
	return 0;
}

/* The ring, before all else: what it says is needed later. */
static void
see_ring(struct doctor *d)
{
	char *path = settings_ring(d->t->o.keyring, d->t->o.conf);
	char err[512], line[SENTENCE];
	struct stat st;

	if (path == NULL)
		return;
	if (settings_keys(d->t->o.keyring, d->t->o.conf,
		d->t->o.passphrase_file, &d->t->keys, err, sizeof(err)) != 0) {
		if (stat(path, &st) == 0 && (st.st_mode & 0377) != 0)
			command(line, "chmod 400 %s", path);
		else
			command(line, "ls -l %s", path);
		finding(d, line, "the key ring cannot be used: %s", err);
	}
	free(path);
}

static void
examine(struct doctor *d, struct ward *w)
{
	const struct view_visitor to = { begin, on_message, on_envelope,
		on_anomaly, end, w };
	struct lock_owner owner;

	d->t->busy =
	    lock_look(view_layout(d->t->view)->root, &owner) == 0 && owner.held;
	see_dirs(d);
	see_space(d);
	see_lock(d);
	see_journal(d);
	w->kids = kinds_new(2);
	(void)view_walk(d->t->view, &to, VIEW_TEXTS | VIEW_HEADS | VIEW_BOTH);
	see_status(d, w);
	see_odd(d, w);
	see_keys(d, w);
	see_corrupt(d);
	kinds_free(w->kids);
}

int
doctor_run(struct qtool *t, int argc, char *argv[])
{
	struct doctor d = { .t = t };
	struct ward w = { .t = t };
	int code;

	if (qtool_getopt(t, argc, argv, "", NULL) != -1)
		return EXIT_USAGE;
	code = qtool_spool(t);
	if (code != EXIT_DONE)
		return code;
	qtool_begin(t, OUT_LIST);
	see_ring(&d);
	if (see_outside(&d) == 0)
		examine(&d, &w);
	code = d.found > 0 ? EXIT_NOMATCH : EXIT_DONE;
	if (t->o.json)
		return qtool_end(t, code, d.found, 0, "");
	if (d.found == 0)
		printf("nothing is wrong with %s: %llu messages, %llu "
		       "envelopes%s\n",
		    t->spool, (unsigned long long)w.messages,
		    (unsigned long long)w.envelopes,
		    t->busy ? ", a daemon at work" : "");
	return code;
}
