/*
 * wire - the connection below a session: a socket, in clear or under TLS
 *
 * Connects without blocking, from a given address where there is one, and
 * carries octets both ways by a bufferevent of either kind. What ends it is told
 * once; its owner frees it from the loop's tail, never from a callback.
 */
#ifndef DAEMON_MTA_WIRE_H
#define DAEMON_MTA_WIRE_H

#include <sys/socket.h>

#include <event2/util.h>
#include <openssl/ssl.h>
#include <stddef.h>

struct dialer;
struct evbuffer;
struct event_base;
struct wire;

enum wire_fault {
	WIRE_SOURCE, /* the address to connect from cannot be had */
	WIRE_CONNECT,
	WIRE_TLS, /* the handshake failed */
	WIRE_LOST /* closed or reset */
};

struct wire_ops {
	void (*on_up)(void *arg); /* connected */
	void (*on_secure)(void *arg); /* the handshake is over */
	void (*on_data)(void *arg, struct evbuffer *in);
	void (*on_room)(void *arg); /* most of what was to leave has left */
	void (*on_down)(void *arg, enum wire_fault fault, const char *why);
};

struct wire_ends {
	const struct sockaddr_storage *addr, *source;
	socklen_t addrlen, sourcelen; /* sourcelen 0: the system chooses */
	struct dialer *dialer; /* connects unix sockets; NULL: we do */
};

/* Never calls back before it has returned. */
struct wire *wire_open(struct event_base *base, const struct wire_ends *ends,
    const struct wire_ops *ops, void *arg);
void wire_free(struct wire *w);
void wire_stop(struct wire *w); /* no callback any more */

void wire_put(struct wire *w, const void *octets, size_t n);
struct evbuffer *wire_output(struct wire *w); /* lent until wire_secure() */

/* The handshake begins. Takes ssl. What had come and was not read is dropped:
 * it came in clear, from whomever (RFC 3207 section 5). */
void wire_secure(struct wire *w, SSL *ssl);
SSL *wire_ssl(const struct wire *w); /* NULL: in clear */

#endif
