/*
 * sim - a world for the outgoing engine: hosts, names, a queue, and a clock
 * that jumps to whatever happens next
 *
 * A host does what its fields say; a name has the MX it was given; the queue
 * tries again as the scheduler does. Nothing here is faster or slower than
 * what its fields say, so a day takes as long as its events.
 */
#ifndef REGRESS_SIM_SIM_H
#define REGRESS_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/conf/conf.h"
#include "daemon/mta/engine.h"

#define SIM_HOSTS 4096
#define SIM_CONNECTS 64 /* whose times are kept */

enum sim_connect {
	SIM_OPEN,
	SIM_REFUSES,
	SIM_SILENT, /* 30 s, then none */
	SIM_NO_SOURCE /* bind() fails */
};
enum sim_rcpt {
	SIM_TAKES,
	SIM_DEFERS, /* 451 */
	SIM_REJECTS, /* 550 */
	SIM_GREYLISTS, /* each tuple for grey_s */
	SIM_GREYLISTS_CLIENT, /* until one of its tuples has passed */
	SIM_421
};

struct sim_host {
	char address[64];
	enum sim_connect connect;
	uint32_t banner_ms; /* before the session is set up */
	const char *banner; /* NULL: a good one; else how it ends */
	enum conn_end banner_end;
	bool bad_tls; /* opportunistic TLS fails */
	enum sim_rcpt rcpt;
	uint32_t grey_s;
	unsigned takes_after; /* recipients rejected before one is taken */
	const char *data; /* NULL: 250; else the reply to the message */
	bool refuses_mail; /* 451 to MAIL */
	bool drops; /* closes instead of a reply to MAIL */
	unsigned most; /* sessions; 0: any; one more is refused */
	uint32_t carry_ms; /* of one transaction */
	/* What happened. */
	unsigned sessions, peak, connects, transactions, rcpts, taken, quits;
	uint64_t connect_at[SIM_CONNECTS];
	const char *sources[SIM_CONNECTS];
	bool white; /* GREYLISTS_CLIENT: it has passed */
};

struct sim_envelope {
	struct timer timer; /* when it is due */
	uint64_t evpid;
	int64_t created; /* seconds */
	unsigned tries, rcpts, untried;
	const char *domain;
	uint64_t first_rcpt; /* ms: its tuple was seen; 0: never */
	bool waits; /* for its destination */
	bool done;
	int64_t done_at;
	struct carry_outcome last; /* without its strings */
	int64_t next; /* due, seconds */
	char status[640];
};

struct sim;

/* conf: NULL for the defaults; lines of limits. */
struct sim *sim_new(const char *conf);
void sim_free(struct sim *s);
struct engine *sim_engine(struct sim *s);
uint64_t sim_now(const struct sim *s); /* ms since the start */

struct sim_host *sim_host(struct sim *s, const char *address);
/* "10 a 192.0.2.1 2001:db8::1, 20 b 192.0.2.2"; "" for null MX, NULL: DNS
 * does not answer. */
void sim_mx(struct sim *s, const char *domain, const char *text);
/* How mail goes unless another choice is given: by MX. */
struct choice *sim_choice(struct sim *s);
struct manner *sim_manner(bool by_mx, const char *via, uint16_t port);
void sim_use(struct sim *s, struct choice *c); /* takes it; from now on */

/* A message with n recipients at a domain, due now; its first envelope. */
struct sim_envelope *sim_mail(struct sim *s, const char *domain, unsigned n);
size_t sim_count(const struct sim *s, enum carry_result last);
size_t sim_done(const struct sim *s);
struct sim_envelope *sim_envelope(struct sim *s, size_t i);
size_t sim_envelopes(const struct sim *s);

/* On to that time of the simulation, or until nothing can happen. */
void sim_run(struct sim *s, uint64_t until_ms);
/* Until all mail is delivered or that time has come; true: it is. */
bool sim_drain(struct sim *s, uint64_t until_ms);
uint64_t sim_steps(const struct sim *s); /* events so far */
/* The only route to an address; NULL: there is none. */
struct route *sim_route(struct sim *s, const char *address);
/* What the engine told last of a kind; NULL: nothing. */
unsigned sim_events(const struct sim *s, enum engine_event what);
void sim_retry(struct sim *s, bool on); /* false: mail that failed stays */

#endif
