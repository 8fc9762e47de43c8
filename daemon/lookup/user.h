/*
 * user - which names are users of this system
 *
 * Answers of the system are kept for five seconds, for one name comes many
 * times; the memory is bounded by forgetting all of them.
 */
#ifndef DAEMON_LOOKUP_USER_H
#define DAEMON_LOOKUP_USER_H

#include <stdint.h>

#define USER_KEEP 5000 /* milliseconds */
#define USER_KNOWN 4096 /* names kept */

struct users;

enum user_result {
	USER_NONE,
	USER_FOUND,
	USER_TROUBLE /* the system could not say */
};

struct users *users_new(void);
void users_free(struct users *u); /* NULL is accepted */

/* now as of mono_ms(). */
enum user_result users_find(struct users *u, const char *name, uint64_t now);

#endif
