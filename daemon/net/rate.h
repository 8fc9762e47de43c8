/*
 * rate - what one client may take: sessions at a time, and time per octet
 *
 * Clients are counted by network, /32 in IPv4 and /64 in IPv6, since the owner
 * of one address there has them all. A phase of a session must go on at a
 * minimum rate over its whole length, so that an octet now and then does not
 * hold it open.
 */
#ifndef DAEMON_NET_RATE_H
#define DAEMON_NET_RATE_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stdint.h>

#define RATE_GRACE 60000 /* ms that any phase may take */
#define RATE_OCTETS 100 /* a second, in the long run */

struct rate;

struct rate *rate_new(void);
void rate_free(struct rate *r); /* NULL is accepted */

/* Counts one more session; false, and not counted, when max are open. */
bool rate_take(struct rate *r, const struct sockaddr *from, unsigned max);
/* Ends a session that was counted. */
void rate_give(struct rate *r, const struct sockaddr *from);

/* When a phase that began at start (ms) and brought octets is too slow. */
uint64_t rate_deadline(uint64_t start, uint64_t octets);

#endif
