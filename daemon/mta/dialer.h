/*
 * dialer - sockets the parent connects for us (daemon/edge/dial.h)
 */
#ifndef DAEMON_MTA_DIALER_H
#define DAEMON_MTA_DIALER_H

#include <stdint.h>

#include "daemon/proc/proc.h"

struct dialer;

struct dialer *dialer_new(struct proc *p);

/* fn gets the socket, which does not block and is its to close, or -1 and an
 * errno; never before this has returned. Returns what dialer_forget() takes; 0
 * and no call when too many are asked for. */
uint32_t dialer_ask(struct dialer *d, const char *path,
    void (*fn)(void *arg, int fd, int error), void *arg);
void dialer_forget(struct dialer *d, uint32_t ticket);

/* DIAL_OPENED; arg is the dialer. */
int dialer_on_opened(void *arg, struct message *m);

#endif
