/*
 * self - the addresses we listen on, to see mail coming back to us
 *
 * A listener on all addresses stands for each one the machine has.
 */
#ifndef DAEMON_MTA_SELF_H
#define DAEMON_MTA_SELF_H

#include <sys/socket.h>

#include <stddef.h>

#include "daemon/conf/conf.h"

/* The caller frees the array; NULL when *n is 0. */
struct sockaddr_storage *self_addresses(const struct conf *conf, size_t *n);

/* The address that the system would connect from; false: it does not know. */
bool self_towards(const struct sockaddr_storage *to, socklen_t len, char *dst,
    socklen_t size);

#endif
