/*
 * start - parent and every role: configuration, peers, sockets, life
 *
 * parent -> role  SECRET (to the spooler, when there are keys), CONF (pieces,
 *                 the last one marked), PEER and SOCKET with their
 *                 descriptors, GO; at a reload SECRET, CONF, SOCKETs and GO
 *                 again; LOG; STOP for a clean end.
 * role -> parent  READY after each GO.
 */
#ifndef DAEMON_EDGE_START_H
#define DAEMON_EDGE_START_H

#include "lib/proto/pack.h"

enum start_type {
	START_CONF = 0x0100,
	START_PEER,
	START_SOCKET,
	START_GO,
	START_STOP,
	START_LOG,
	START_READY,
	START_SECRET
};

#define START_PIECE (64u * 1024) /* of the configuration text */

struct start_conf {
	const uint8_t *text;
	size_t len;
	bool last;
};

struct start_peer { /* comes with a descriptor */
	uint8_t role;
};

struct start_socket { /* comes with a descriptor */
	uint32_t index; /* of the listener; 0 for the control socket */
};

enum start_secrets {
	START_RING, /* the text of a key ring */
	START_PASSPHRASE, /* for it */
	START_SECRETS
};

struct start_secret { /* comes with a descriptor, to be read to its end */
	uint8_t which;
};

struct start_log { /* smtpctl log brief|verbose */
	bool verbose;
};

void start_secret_put(struct buf *b, const struct start_secret *m);
int start_secret_get(struct unpack *u, struct start_secret *m);
void start_log_put(struct buf *b, const struct start_log *m);
int start_log_get(struct unpack *u, struct start_log *m);
void start_conf_put(struct buf *b, const struct start_conf *m);
int start_conf_get(struct unpack *u, struct start_conf *m);
void start_peer_put(struct buf *b, const struct start_peer *m);
int start_peer_get(struct unpack *u, struct start_peer *m);
void start_socket_put(struct buf *b, const struct start_socket *m);
int start_socket_get(struct unpack *u, struct start_socket *m);

#endif
