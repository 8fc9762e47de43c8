/*
 * binding - the listening sockets, which outlive the roles that use them
 *
 * Kept by the parent, so that a role's restart refuses nobody; after a reload
 * an address that stays keeps its socket.
 */
#ifndef DAEMON_PARENT_BINDING_H
#define DAEMON_PARENT_BINDING_H

#include <stddef.h>

#include "daemon/conf/conf.h"

struct binding;

/* Opens what c asks for, taking over from old (may be NULL) what stays. NULL
 * after an error was logged; old is then untouched, else it is freed. */
struct binding *binding_open(const struct conf *c, struct binding *old);
void binding_free(struct binding *b);

size_t binding_count(const struct binding *b);
/* A duplicate of the i-th listener's socket, the caller's. -1 with errno. */
int binding_listener(const struct binding *b, size_t i);
int binding_control(const struct binding *b);

#endif
