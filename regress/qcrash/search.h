/*
 * search - goes through the states of one recorded workload
 *
 * All workers go through the same choices and each checks those whose hash
 * falls to it, so that nothing needs to be shared but the numbers. A state is
 * recovered once, whatever moments and models it belongs to; what came of it
 * is judged for each moment anew.
 */
#ifndef REGRESS_QCRASH_SEARCH_H
#define REGRESS_QCRASH_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/queue.h"
#include "regress/qcrash/disk.h"
#include "regress/qcrash/duty.h"
#include "regress/qcrash/legal.h"

/* One worker's, in shared memory. */
struct counts {
	uint64_t choices[MODELS]; /* generated, with duplicates */
	uint64_t distinct[MODELS];
	uint64_t wrong[MODELS]; /* violations */
	uint64_t unlike; /* of those, by their hashes */
	uint64_t moments; /* crash points */
	uint64_t states; /* recovered */
	uint64_t inner; /* crashes inside recovery */
	uint64_t traces; /* distinct ones of recoveries */
	uint64_t judged; /* state and moment */
	uint64_t again; /* delivered envelopes that were back, in all */
	uint64_t again_most; /* of one state */
	uint64_t anomalies;
};

struct search {
	struct disk *disk;
	struct duty *duty;
	struct queue_options options;
	const char *workload;
	const char *dir; /* of this worker */
	const char *save; /* where violations are kept; NULL: nowhere */
	unsigned worker, workers;
	uint64_t seed;
	uint64_t limit; /* states for this worker */
	uint64_t inner; /* crashes at most, per distinct trace of recovery */
	uint64_t traces; /* of those at most; 0: all */
	uint64_t until; /* ms; 0: no end */
	unsigned patience; /* violations before it gives up */
	struct counts *counts;
	const volatile bool *halt; /* another worker has seen enough */
};

void search_run(struct search *s);

#endif
