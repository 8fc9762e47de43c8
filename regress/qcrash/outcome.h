/*
 * outcome - what one recovery said of one spool
 */
#ifndef REGRESS_QCRASH_OUTCOME_H
#define REGRESS_QCRASH_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#define OUTCOME_FOUND 1024
#define OUTCOME_BULKS 8

enum stage {
	STAGE_BEGUN,
	STAGE_OPEN,
	STAGE_LOADED,
	STAGE_READ, /* all bodies */
	STAGE_CLOSED
};

struct found_envelope {
	uint64_t evpid;
	uint32_t generation; /* 0: a text that nobody wrote */
	uint8_t status;
	uint8_t body; /* 1: as it was sent */
	uint8_t covered; /* by bulk verb 0..7 */
};

struct outcome {
	enum stage stage;
	int signal; /* that ended it, 0 */
	char complaint[256]; /* "" or what was wrong whatever was promised */
	uint64_t state; /* the number in state/mark; 0: none */
	uint32_t bulks; /* a bit for each verb that was reported */
	uint32_t bulk_ids[OUTCOME_BULKS];
	uint32_t anomalies;
	uint32_t n;
	struct found_envelope found[OUTCOME_FOUND]; /* by evpid */
};

#endif
