/*
 * qcrash - every state that a power cut may leave of a spool
 *
 *   qcrash run [options] [WORKLOAD ...]
 *       -s N  states a workload    -i N  crashes inside recovery, a trace
 *       -r N  for so many traces, a worker and workload
 *       -t N  seconds a workload   -j N  workers    -S N  seed
 *       -o DIR  keep what went wrong there    -x  stop at the first
 *   qcrash replay DIR       one that was kept: recovers it, talks about it
 *   qcrash record WORKLOAD SPOOL    lists the calls, for the cross-check
 *   qcrash stray SPOOL      writes past the recorder, for the cross-check
 *   qcrash list
 *
 * A workload is run against the real library with libqtrace.so preloaded,
 * which logs each call that changes the spool, and marks where the daemon
 * would have spoken. The log is cut into micro-operations (disk); for every
 * moment of it the legal choices among what is not durable are made files on
 * a tmpfs (legal, search), the real recovery is run on them, twice, and once
 * more after each crash inside of it (recover), and what it finds is held
 * against what was promised by then (duty).
 *
 * Exit: 0 all is well, 1 something was violated, 3 the run itself is broken,
 * which it is also with no states or with nothing but duplicates.
 *
 * How to read a violation: DIR/why names the moment (the number of the
 * record), the model, and each micro-operation that was pending with + or -.
 * mutants lists deliberate faults that must be found; see there.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "queue/aead.h"
#include "regress/qcrash/recover.h"
#include "regress/qcrash/search.h"
#include "regress/qcrash/works.h"

#define LOG_ROOM (256u * 1024 * 1024)
#define WORKERS_MOST 16
#define DUPLICATES_MOST 0.999

struct run {
	unsigned states, inner, traces, seconds, workers, patience;
	uint64_t seed;
	const char *save;
	char dir[256];
	char build[PATH_MAX]; /* where qtool lies */
	struct qtrace_log *before, *log;
	struct counts *counts; /* one a worker */
	volatile bool *halt;
	struct counts sum;
};

static void *
shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		perror("qcrash: mmap");
		exit(3);
	}
	return p;
}

static struct qtrace_log *
new_log(void)
{
	struct qtrace_log *log = shared(sizeof(*log) + LOG_ROOM);

	log->room = LOG_ROOM;
	return log;
}

static void broken(const char *where, const char *why)
    __attribute__((noreturn));

static void
broken(const char *where, const char *why)
{
	fprintf(stderr, "qcrash: %s: %s\n", where, why);
	exit(3);
}

static void
remove_tree(const char *dir)
{
	char command[600];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	if (system(command) != 0)
		broken(dir, "cannot be removed");
}

static const struct workload *
find_workload(const char *name)
{
	size_t i;

	for (i = 0; i < workload_count; i++)
		if (strcmp(workloads[i].name, name) == 0)
			return &workloads[i];
	broken(name, "no such workload");
}

static void
wait_for(const char *what, pid_t pid)
{
	int status;

	if (pid == -1 || waitpid(pid, &status, 0) != pid)
		broken(what, strerror(errno));
	if (status != 0)
		broken(what, "a part of it failed");
}

/* Of a program that was preloaded. */
static void
read_log(struct qtrace_log *log, const char *file)
{
	uint64_t room = log->room;
	int fd = open(file, O_RDONLY);

	if (fd == -1 || read(fd, log, sizeof(*log)) != (ssize_t)sizeof(*log) ||
	    log->used > room ||
	    read(fd, log->records, log->used) != (ssize_t)log->used)
		broken(file, "is no log");
	log->room = room;
	close(fd);
	(void)unlink(file);
}

/* Runs both parts; between them, between() sees the spool. */
static void
record(struct run *r, const struct workload *wl, const char *spool,
    void (*between)(void *ctx, const char *spool), void *ctx)
{
	char file[512];
	pid_t pid;

	r->before->used = r->log->used = 0;
	fflush(NULL);
	if ((pid = fork()) == 0)
		workload_before(wl, spool, r->before, r->seed);
	wait_for(wl->name, pid);
	if (between != NULL)
		between(ctx, spool);
	snprintf(file, sizeof(file), "%.400s.log", spool);
	if ((pid = fork()) == 0 && wl->tool != NULL)
		workload_tool(wl, spool, r->build, file);
	else if (pid == 0)
		workload_run(wl, spool, r->log, r->before, r->seed);
	wait_for(wl->name, pid);
	if (wl->tool != NULL)
		read_log(r->log, file);
}

static void
take_marks(struct duty *d, const struct qtrace_log *log, bool before)
{
	const struct qtrace_record *r;
	uint32_t event = 0;
	uint64_t at;

	for (at = 0; at < log->used; at += r->size, event++) {
		r = (const void *)(log->records + at);
		if (r->call == QTRACE_MARK)
			duty_mark(d, before ? DUTY_BEFORE : event + 1, r,
			    (const char *)(r + 1));
	}
}

static void
take_base(void *ctx, const char *spool)
{
	if (disk_base(ctx, spool) == -1)
		broken(spool, strerror(errno));
}

static void
add_counts(struct counts *to, const struct counts *from)
{
	int i;

	for (i = 0; i < MODELS; i++) {
		to->choices[i] += from->choices[i];
		to->distinct[i] += from->distinct[i];
		to->wrong[i] += from->wrong[i];
	}
	to->unlike += from->unlike;
	to->moments += from->moments;
	to->states += from->states;
	to->inner += from->inner;
	to->traces += from->traces;
	to->judged += from->judged;
	to->again += from->again;
	if (from->again_most > to->again_most)
		to->again_most = from->again_most;
	to->anomalies += from->anomalies;
}

static uint64_t
wrong_of(const struct counts *c)
{
	uint64_t n = 0;
	int i;

	for (i = 0; i < MODELS; i++)
		n += c->wrong[i];
	return n;
}

static double
duplicates(const struct counts *c)
{
	uint64_t all = 0;
	int i;

	for (i = 0; i < MODELS; i++)
		all += c->choices[i];
	return all == 0 ? 1 : 1 - (double)c->unlike / (double)all;
}

static void
print_counts(const char *name, const struct counts *c, uint64_t ms)
{
	int i;

	printf("%-14s %5" PRIu64 " moments %7" PRIu64 " states %6" PRIu64
	       " inside recovery %5.1f%% duplicates %6" PRIu64
	       " repeats (at most %" PRIu64 ") %.0f/s |",
	    name, c->moments, c->states, c->inner, duplicates(c) * 100,
	    c->again, c->again_most,
	    (double)(c->states + c->inner) * 1000 / (double)(ms + 1));
	for (i = 0; i < MODELS; i++)
		printf(" %s %" PRIu64 ":%" PRIu64, legal_models[i],
		    c->distinct[i], c->wrong[i]);
	printf("\n");
	fflush(stdout);
}

/* libcrypto reads its settings and finds its ciphers when it is first used:
 * here, or in every recovery again. */
static void
warm_up(void)
{
	static const uint8_t salt[AEAD_SALT];
	uint8_t key[AEAD_KEY] = { 0 }, clear[1] = { 0 },
		sealed[sizeof(clear) + AEAD_TAG];

	if (aead_derive(key, salt, "warm", key) == -1 ||
	    aead_seal(key, NULL, "", clear, sizeof(clear), sealed) == -1 ||
	    !aead_open(key, NULL, "", sealed, sizeof(sealed), clear))
		broken("libcrypto", "cannot seal");
}

static void
work(const struct run *r, const struct workload *wl, struct disk *d,
    struct duty *duty, unsigned worker)
{
	struct search s = { .disk = d,
		.duty = duty,
		.workload = wl->name,
		.dir = r->dir,
		.save = r->save,
		.worker = worker,
		.workers = r->workers,
		.seed = r->seed,
		.limit = r->states / r->workers,
		.inner = r->inner,
		.traces = r->traces,
		.patience = r->patience,
		.counts = &r->counts[worker],
		.halt = r->halt };
	cpu_set_t here;

	/* A recovery's threads wait for each other: on one processor that
	 * costs least. */
	CPU_ZERO(&here);
	CPU_SET(worker % (unsigned)sysconf(_SC_NPROCESSORS_ONLN), &here);
	(void)sched_setaffinity(0, sizeof(here), &here);
	warm_up();
	if (r->seconds > 0)
		s.until = mono_ms() + r->seconds * UINT64_C(1000);
	workload_options(wl, &s.options);
	search_run(&s);
	if (wrong_of(s.counts) >= r->patience)
		*r->halt = true;
	fflush(stdout);
	_exit(0);
}

/* False: something was violated. */
static bool
run_one(struct run *r, const struct workload *wl)
{
	struct counts sum = { 0 };
	struct disk *d = disk_new();
	struct duty *duty = duty_new();
	pid_t pids[WORKERS_MOST];
	uint64_t began = mono_ms();
	const char *why;
	char spool[300];
	unsigned i;

	snprintf(spool, sizeof(spool), "%s/recorded", r->dir);
	remove_tree(spool);
	record(r, wl, spool, take_base, d);
	if ((why = disk_record(d, r->log)) != NULL ||
	    (why = disk_compare(d, spool)) != NULL)
		broken(wl->name, why);
	take_marks(duty, r->before, true);
	take_marks(duty, r->log, false);
	memset(r->counts, 0, r->workers * sizeof(*r->counts));
	for (i = 0; i < r->workers; i++) {
		fflush(NULL);
		if ((pids[i] = fork()) == 0)
			work(r, wl, d, duty, i);
	}
	for (i = 0; i < r->workers; i++) {
		wait_for(wl->name, pids[i]);
		add_counts(&sum, &r->counts[i]);
	}
	sum.moments = r->counts[0].moments;
	print_counts(wl->name, &sum, mono_ms() - began);
	if (sum.states == 0)
		broken(wl->name, "no states");
	add_counts(&r->sum, &sum);
	disk_free(d);
	duty_free(duty);
	return wrong_of(&sum) == 0;
}

static int
run_all(struct run *r, int argc, char **argv)
{
	uint64_t began = mono_ms();
	bool good = true;
	size_t i;

	r->before = new_log();
	r->log = new_log();
	r->counts = shared(r->workers * sizeof(*r->counts));
	r->halt = shared(sizeof(*r->halt));
	for (i = 0; argc == 0 && i < workload_count && !*r->halt; i++)
		good = run_one(r, &workloads[i]) && good;
	for (i = 0; i < (size_t)argc && !*r->halt; i++)
		good = run_one(r, find_workload(argv[i])) && good;
	print_counts("all", &r->sum, mono_ms() - began);
	printf("qcrash: %" PRIu64 " distinct states (and %" PRIu64
	       " crashes inside recovery, %" PRIu64
	       " distinct traces of it), %" PRIu64 " violations, %" PRIu64
	       " seconds\n",
	    r->sum.states, r->sum.inner, r->sum.traces, wrong_of(&r->sum),
	    (mono_ms() - began) / 1000);
	if (duplicates(&r->sum) > DUPLICATES_MOST)
		broken("run", "nothing but duplicates");
	return good ? 0 : 1;
}

/* What was kept says which workload and moment; the marks are recorded anew,
 * and stand in the same order for the same seed. */
static int
replay(struct run *r, const char *dir)
{
	char path[600], line[256], name[64] = "";
	unsigned moment = 0;
	struct recovery rec = { .verbose = true };
	struct outcome *o = shared(sizeof(*o));
	const char *why;
	uint32_t i;
	FILE *in;

	snprintf(path, sizeof(path), "%s/why", dir);
	if ((in = fopen(path, "r")) == NULL)
		broken(path, strerror(errno));
	while (fgets(line, sizeof(line), in) != NULL && line[0] != '\n') {
		fputs(line, stdout);
		(void)sscanf(line, "workload: %63s", name);
		(void)sscanf(line, "moment: %u", &moment);
	}
	fclose(in);
	workload_options(find_workload(name), &rec.options);
	rec.duty = duty_new();
	snprintf(
	    path, sizeof(path), "cp -a '%s/spool' '%s/spool'", dir, r->dir);
	if (system(path) != 0)
		broken(dir, "cannot be copied");
	snprintf(path, sizeof(path), "%s/spool", r->dir);
	recover(&rec, path, o);
	for (i = 0; i < o->n; i++)
		printf("found %016" PRIx64 " status=%u generation=%u body=%u\n",
		    o->found[i].evpid, o->found[i].status,
		    o->found[i].generation, o->found[i].body);
	printf("stage=%d complaint=%s\n", (int)o->stage, o->complaint);
	why = recover_tree(path, o);
	printf("%s\n", why == NULL ? "the tree fits" : why);
	return 0;
}

static void
print_calls(const struct qtrace_log *log)
{
	const struct qtrace_record *r;
	const char *name;
	uint64_t at;

	for (at = 0; at < log->used; at += r->size) {
		r = (const void *)(log->records + at);
		name = r->name > 0 ? (const char *)(r + 1) : "";
		if (r->call == QTRACE_MARK || r->call == QTRACE_SYNC ||
		    r->error != 0)
			continue;
		printf("%s %s\n", r->libc, name);
	}
}

static int
cross(struct run *r, const char *workload, const char *spool)
{
	r->before = new_log();
	r->log = new_log();
	record(r, find_workload(workload), spool, NULL, NULL);
	print_calls(r->before);
	print_calls(r->log);
	return 0;
}

/* One write that the recorder sees, and one that it does not. */
static int
stray(struct run *r, const char *spool)
{
	char name[300];
	long n;
	int fd;

	r->log = new_log();
	qtrace_start(r->log, spool);
	snprintf(name, sizeof(name), "%s/seen", spool);
	if ((fd = open(name, O_WRONLY | O_CREAT, 0600)) == -1 ||
	    write(fd, "seen", 4) != 4)
		broken(name, strerror(errno));
		/* The kernel's own door. */
#if defined(__x86_64__)
	__asm__ volatile("syscall"
			 : "=a"(n)
			 : "0"(1L), "D"((long)fd), "S"("unseen"), "d"(6L)
			 : "rcx", "r11", "memory");
#else
	n = syscall(SYS_write, fd, "unseen", 6);
#endif
	close(fd);
	qtrace_stop();
	print_calls(r->log);
	return n == 6 ? 0 : 3;
}

/* With the recorder in front. */
static void
preload(char **argv)
{
	char self[PATH_MAX], lib[PATH_MAX + 32];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *given = getenv("QTRACE_LIB");

	if (qtrace_start != NULL)
		return;
	if (n == -1 || getenv("LD_PRELOAD") != NULL)
		broken("libqtrace.so", "cannot be preloaded");
	self[n] = '\0';
	if (given != NULL)
		snprintf(lib, sizeof(lib), "%s", given);
	else
		snprintf(lib, sizeof(lib), "%s/libqtrace.so", dirname(self));
	if (setenv("LD_PRELOAD", lib, 1) == -1)
		broken(lib, strerror(errno));
	execv("/proc/self/exe", argv);
	broken(lib, strerror(errno));
}

/* The folder above ours, or above that of the recorder. */
static void
find_build(char build[PATH_MAX])
{
	const char *lib = getenv("LD_PRELOAD");

	snprintf(build, PATH_MAX, "%.4000s", lib == NULL ? "." : lib);
	if (realpath(lib == NULL ? "." : lib, build) == NULL)
		broken(build, strerror(errno));
	*strrchr(build, '/') = '\0';
	*strrchr(build, '/') = '\0';
}

static int
usage(void)
{
	fprintf(stderr,
	    "usage: qcrash run [-s N] [-i N] [-r N] [-t N] [-j N] [-S N] "
	    "[-o DIR] [-x] [WORKLOAD ...]\n"
	    "       qcrash replay DIR | record WORKLOAD SPOOL | "
	    "stray SPOOL | list\n");
	return 2;
}

static int
options(struct run *r, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "s:i:r:t:j:S:o:x")) != -1) {
		unsigned long n =
		    optarg == NULL ? 0 : strtoul(optarg, NULL, 10);

		switch (c) {
		case 's':
			r->states = (unsigned)n;
			break;
		case 'i':
			r->inner = (unsigned)n;
			break;
		case 'r':
			r->traces = (unsigned)n;
			break;
		case 't':
			r->seconds = (unsigned)n;
			break;
		case 'j':
			r->workers = (unsigned)n;
			break;
		case 'S':
			r->seed = n;
			break;
		case 'o':
			r->save = optarg;
			break;
		case 'x':
			r->patience = 1;
			break;
		default:
			return -1;
		}
	}
	return r->workers < 1 || r->workers > WORKERS_MOST ? -1 : optind;
}

static int
act(struct run *r, int argc, char **argv)
{
	int first;

	if (strcmp(argv[1], "run") == 0 &&
	    (first = options(r, argc - 1, argv + 1)) > 0)
		return run_all(r, argc - 1 - first, argv + 1 + first);
	if (strcmp(argv[1], "replay") == 0 && argc == 3)
		return replay(r, argv[2]);
	if (strcmp(argv[1], "record") == 0 && argc == 4)
		return cross(r, argv[2], argv[3]);
	if (strcmp(argv[1], "stray") == 0 && argc == 3)
		return stray(r, argv[2]);
	return usage();
}

int
main(int argc, char **argv)
{
	struct run r = { .states = 1000,
		.inner = 8,
		.workers = 2,
		.seed = 1,
		.patience = 20 };
	int status;
	size_t i;
	pid_t pid;

	if (argc < 2)
		return usage();
	preload(argv);
	umask(0);
	find_build(r.build);
	if (strcmp(argv[1], "list") == 0) {
		for (i = 0; i < workload_count; i++)
			puts(workloads[i].name);
		return 0;
	}
	snprintf(r.dir, sizeof(r.dir), "%s/qcrash.XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(r.dir) == NULL)
		broken(r.dir, strerror(errno));
	/* So that it is cleared up whatever becomes of it. */
	fflush(NULL);
	if ((pid = fork()) == 0)
		exit(act(&r, argc, argv));
	if (pid == -1 || waitpid(pid, &status, 0) != pid)
		broken("fork", strerror(errno));
	remove_tree(r.dir);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 3;
}
