/*
 * play - a workload is carried out, in a process of its own
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "regress/qcrash/actor.h"
#include "regress/qcrash/works.h"

#define FLUSH_US 600 /* that a flush takes */
#define SEGMENT 65536u

void
workload_options(const struct workload *wl, struct queue_options *o)
{
	memset(o, 0, sizeof(*o));
	o->segments = wl->segments;
	o->journal_size = (uint64_t)wl->segments * SEGMENT;
	o->large = wl->large;
	o->settle_ms = wl->settle_ms;
	o->sync_files = wl->sync_files;
	o->reserve_percent = UINT_MAX;
	o->compression = wl->compression;
	o->seal = wl->seal;
	if (wl->seal && (o->keys = workload_keys()) == NULL) {
		puts("qcrash: the key ring is refused");
		_exit(3);
	}
}

static void
quiet(void)
{
	int fd = open("/dev/null", O_RDWR);

	if (fd != -1 && getenv("QCRASH_VERBOSE") == NULL)
		(void)dup2(fd, STDERR_FILENO);
	log_open("qcrash", true);
}

void
workload_before(const struct workload *wl, const char *dir,
    struct qtrace_log *log, uint64_t seed)
{
	struct work *w = calloc(1, sizeof(*w));

	if (w == NULL)
		_exit(4);
	(void)mkdir(dir, 0700);
	quiet();
	qtrace_seed(seed);
	qtrace_start(log, dir);
	w->wl = wl;
	if (wl->before != NULL) {
		act_open(w, dir);
		wl->before(w);
		if (!wl->cut)
			act_close(w);
	}
	qtrace_freeze();
	_exit(0);
}

void
workload_run(const struct workload *wl, const char *dir, struct qtrace_log *log,
    const struct qtrace_log *before, uint64_t seed)
{
	struct work *w = calloc(1, sizeof(*w));

	if (w == NULL)
		_exit(4);
	quiet();
	qtrace_seed(seed + 1);
	qtrace_slow(FLUSH_US);
	qtrace_start(log, dir);
	w->wl = wl;
	act_recall(w, before);
	act_open(w, dir);
	wl->run(w);
	if (wl->stop)
		act_close(w);
	qtrace_freeze();
	_exit(0);
}
