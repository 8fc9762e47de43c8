/*
 * unixsock - local stream sockets with peer credentials
 */
#ifndef LIB_BASE_UNIXSOCK_H
#define LIB_BASE_UNIXSOCK_H

#include <sys/types.h>

#include <stdbool.h>

/* A connected pair, close-on-exec and non-blocking. -1 with errno. */
int unixsock_pair(int fd[2]);

/* Listens at path with the given mode, non-blocking; replaces a socket that
 * nobody listens on any more. -1 with errno (EADDRINUSE: somebody does). */
int unixsock_listen(const char *path, mode_t mode);

/* Connects, blocking. -1 with errno. */
int unixsock_connect(const char *path);

/* Who is at the other end, as the system vouches. -1 with errno. */
int unixsock_peer(int fd, uid_t *uid, gid_t *gid);

/* Whether gid is among the other end's supplementary groups; false where the
 * system does not tell. */
bool unixsock_peer_in(int fd, gid_t gid);

#endif
