/*
 * works - the workloads: what is done to a spool while it is recorded
 *
 * Each has a first part that is not recorded, which makes the spool it begins
 * with, and a second one that is. Both leave marks of what they asked for and
 * of what they were answered.
 */
#ifndef REGRESS_QCRASH_WORKS_H
#define REGRESS_QCRASH_WORKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/keyring.h"
#include "queue/queue.h"
#include "regress/qcrash/qtrace.h"

struct work;

struct workload {
	const char *name;
	void (*before)(struct work *w); /* NULL: an empty directory */
	void (*run)(struct work *w);
	unsigned segments;
	size_t large;
	unsigned settle_ms;
	bool sync_files;
	bool cut; /* before ends like a killed process */
	bool stop; /* run ends with a clean stop, recorded too */
	int compression;
	bool seal;
	const char *const *tool; /* words for qtool, which is run instead */
};

extern const struct workload workloads[];
extern const size_t workload_count;

void workload_options(const struct workload *wl, struct queue_options *o);

/* The ring that seals, the same in every process; NULL when it cannot be made. */
struct keyring *workload_keys(void);
extern const char workload_ring[];

/* In a child of its own: each part with a log of its marks, and the second
 * one of its calls. They exit. */
void workload_before(const struct workload *wl, const char *dir,
    struct qtrace_log *log, uint64_t seed) __attribute__((noreturn));
void workload_run(const struct workload *wl, const char *dir,
    struct qtrace_log *log, const struct qtrace_log *before, uint64_t seed)
    __attribute__((noreturn));

/* qtool at work on the spool, recorded in file; build is where it lies. */
void workload_tool(const struct workload *wl, const char *dir,
    const char *build, const char *file) __attribute__((noreturn));

#endif
