/*
 * target - what a recipient's mail is sent to, by name; pure
 *
 * The host of `relay via`, the path of a socket, or a domain whose MX is to be
 * asked for.
 */
#ifndef DAEMON_MTA_TARGET_H
#define DAEMON_MTA_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TARGET_PORT 25
#define TARGET_NAME_MAX 256
#define TARGET_KEY_MAX (TARGET_NAME_MAX + 16)

enum target_kind {
	TARGET_MX, /* ask for the MX of name */
	TARGET_HOST, /* ask for the addresses of name */
	TARGET_LITERAL, /* name is an address: 192.0.2.1 or 2001:db8::1 */
	TARGET_PATH /* name is a unix socket */
};

struct target {
	enum target_kind kind;
	char name[TARGET_NAME_MAX]; /* lower case, but for a path */
	uint16_t port;
	bool family6; /* of a literal */
	uint8_t octets[16]; /* of a literal, in network order */
	char
	    key[TARGET_KEY_MAX]; /* equal keys, equal targets; for people too */
};

/* via: host or [address] of `relay via`, or NULL: by domain, which may be an
 * address literal. False for what is no name and no address. */
bool target_set(struct target *t, const char *via, uint16_t via_port,
    const char *domain, uint16_t mx_port);
/* False when it is too long. */
bool target_set_path(struct target *t, const char *path);

/* RFC 5321 section 5.1: what is not better than ourselves is cut off. own[i]
 * marks those that are ours, in order of preference. Returns how many are
 * left. */
size_t target_cut_own(const uint16_t *preference, const bool *own, size_t n);

#endif
