/*
 * envfile - what the library must know of an envelope's text, and its two
 * stored forms
 *
 * Its id, and whether its check line is there and fits. All else is the
 * business of lib/mail/envelope. A file, and an image in the journal, holds
 * the text itself, or the text sealed (seal.h) with a check line of its own
 * behind it: damage shows without the key.
 */
#ifndef QUEUE_ENVFILE_H
#define QUEUE_ENVFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "queue/keyring.h"

#define ENVFILE_MAX (128u * 1024) /* a longer text is no envelope */
#define ENVFILE_STORED_MAX (192u * 1024) /* the same, sealed */

enum envfile_state {
	ENVFILE_WHOLE,
	ENVFILE_TORN, /* no check line at its end */
	ENVFILE_EDITED, /* a check line that does not fit */
	ENVFILE_NO_KEY, /* whole, sealed by a kid that is not in the ring */
	ENVFILE_WRONG_KEY /* it is, but its secret did not seal this */
};

/* Of what is stored, sealed or not: WHOLE, TORN or EDITED. */
enum envfile_state envfile_check(const char *text, size_t len);

/* The id line's value; 0 when there is none. */
uint64_t envfile_id(const char *text, size_t len);
uint32_t envfile_generation(const char *text, size_t len);

/* The length of the first envelope of a record, 0 when there is no other. */
size_t envfile_first(const char *text, size_t len);

bool envfile_is_sealed(const char *data, size_t len);
/* Appends the stored form; key NULL: the text. -1: errno, or libcrypto
 * failed. */
int envfile_wrap(const struct key *key, uint64_t evpid, const char *text,
    size_t len, struct buf *out);
/*
 * Appends the text of what is stored. A text in the clear comes as it is, in
 * any state; a sealed one only when it is whole. evpid and kid (may be NULL)
 * are what a sealed one says in the clear, 0 and "" else.
 */
enum envfile_state envfile_unwrap(const struct keyring *r, const char *data,
    size_t len, struct buf *clear, uint64_t *evpid, char kid[KEYRING_KID + 1]);
const char *envfile_reason(enum envfile_state s); /* NULL: whole */

#endif
