/*
 * intake - smtp hands a message to the spooler
 *
 * smtp -> spooler  OPEN, ENVELOPE..., BODY..., COMMIT or ABORT
 * spooler -> smtp  OPENED, CREDIT, DONE, PAUSE
 *
 * Only OPEN and COMMIT are answered. Body octets are sent within a window:
 * INTAKE_WINDOW for the whole conversation at first, then what CREDIT adds.
 * An envelope text is complete, check line and all: generation 1, state queued,
 * ids counted from recipient number 0001 in the order of sending. The spooler
 * reads each and holds it against that. Transactions are named by their
 * message id.
 */
#ifndef DAEMON_EDGE_INTAKE_H
#define DAEMON_EDGE_INTAKE_H

#include "lib/proto/pack.h"

enum intake_type {
	INTAKE_OPEN = 0x0300,
	INTAKE_OPENED,
	INTAKE_ENVELOPE,
	INTAKE_BODY,
	INTAKE_COMMIT,
	INTAKE_ABORT,
	INTAKE_DONE,
	INTAKE_CREDIT,
	INTAKE_PAUSE
};

#define INTAKE_WINDOW (8u << 20) /* octets of bodies under way */
#define INTAKE_PIECE (32u * 1024) /* a BODY is at most this long */

/* What became of a transaction, for its reply. */
enum intake_status {
	INTAKE_OK,
	INTAKE_FULL, /* 452 4.3.1 */
	INTAKE_TEMPORARY, /* 451 4.3.0 */
	INTAKE_STATUSES
};

struct intake_open {
	uint32_t ticket;
};
struct intake_opened {
	uint32_t ticket;
	enum intake_status status;
	uint64_t msgid;
};
struct intake_envelope {
	uint64_t msgid;
	const uint8_t *text;
	size_t len;
};
struct intake_body {
	uint64_t msgid;
	const uint8_t *data;
	size_t len;
};
struct intake_commit {
	uint32_t ticket;
	uint64_t msgid;
	uint64_t size; /* of the body: checked against what arrived */
	uint16_t envelopes; /* likewise */
};
struct intake_abort {
	uint64_t msgid;
};
struct intake_done {
	uint32_t ticket;
	enum intake_status status;
};
struct intake_credit {
	uint32_t octets;
};
struct intake_pause {
	bool paused; /* take no new sessions */
};

void intake_open_put(struct buf *b, const struct intake_open *m);
int intake_open_get(struct unpack *u, struct intake_open *m);
void intake_opened_put(struct buf *b, const struct intake_opened *m);
int intake_opened_get(struct unpack *u, struct intake_opened *m);
void intake_envelope_put(struct buf *b, const struct intake_envelope *m);
int intake_envelope_get(struct unpack *u, struct intake_envelope *m);
void intake_body_put(struct buf *b, const struct intake_body *m);
int intake_body_get(struct unpack *u, struct intake_body *m);
void intake_commit_put(struct buf *b, const struct intake_commit *m);
int intake_commit_get(struct unpack *u, struct intake_commit *m);
void intake_abort_put(struct buf *b, const struct intake_abort *m);
int intake_abort_get(struct unpack *u, struct intake_abort *m);
void intake_done_put(struct buf *b, const struct intake_done *m);
int intake_done_get(struct unpack *u, struct intake_done *m);
void intake_credit_put(struct buf *b, const struct intake_credit *m);
int intake_credit_get(struct unpack *u, struct intake_credit *m);
void intake_pause_put(struct buf *b, const struct intake_pause *m);
int intake_pause_get(struct unpack *u, struct intake_pause *m);

#endif
