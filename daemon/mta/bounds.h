/*
 * bounds - the limits of outgoing mail with what is in use of them, and what
 * is paused
 */
#ifndef DAEMON_MTA_BOUNDS_H
#define DAEMON_MTA_BOUNDS_H

struct answer;
struct engine;

/* All of it; of mail to one domain when it is not NULL. Ends the answer. */
void bounds_answer(struct engine *e, struct answer *a, const char *domain);
/* Rows of what is paused; returns how many. */
unsigned bounds_pauses(const struct engine *e, struct answer *a);

#endif
