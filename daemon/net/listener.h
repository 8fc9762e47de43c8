/*
 * listener - listening sockets: opened by the parent, accepted from by smtp
 */
#ifndef DAEMON_NET_LISTENER_H
#define DAEMON_NET_LISTENER_H

#include <sys/socket.h>

#define LISTENER_BACKLOG 1024

struct event_base;
struct listener;

/* A bound and listening TCP socket, non-blocking, close-on-exec; IPV6_V6ONLY
 * for IPv6. -1 with errno. */
int listener_open(const struct sockaddr *addr, socklen_t len);

/* Accepts until paused, at most 64 a turn. When descriptors run out it rests
 * for 250 ms instead of spinning. Takes fd. on_accept takes its fd. */
struct listener *listener_new(struct event_base *base, int fd,
    void (*on_accept)(
	void *arg, int fd, const struct sockaddr *from, socklen_t len),
    void *arg);
void listener_pause(struct listener *l);
void listener_resume(struct listener *l);
void listener_free(struct listener *l);

#endif
