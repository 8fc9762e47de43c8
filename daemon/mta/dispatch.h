/*
 * dispatch - finds sessions for the mail of a relay, or says why there is
 * none; pure
 *
 * A relay gets as many sessions as it has transactions, as far as the limits
 * go. Mail that cannot leave soon is given back: it waits in the queue, with
 * the reason, and not here.
 */
#ifndef DAEMON_MTA_DISPATCH_H
#define DAEMON_MTA_DISPATCH_H

struct engine;
struct relay;

void dispatch_relay(struct engine *e, struct relay *r);

#endif
