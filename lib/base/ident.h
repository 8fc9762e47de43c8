/*
 * ident - message and envelope ids (spool.5)
 *
 * A message id is 48 random bits, written as 12 lower-case hex digits. An
 * envelope id (evpid) is the message id and a recipient number from 0001,
 * written as 16 digits. Both are held in 64 bits; a message id in its low 48.
 */
#ifndef LIB_BASE_IDENT_H
#define LIB_BASE_IDENT_H

#include <stdbool.h>
#include <stdint.h>

#define IDENT_MSGID_DIGITS 12
#define IDENT_EVPID_DIGITS 16
#define IDENT_TEXT_MAX 17 /* either id with its NUL */
#define IDENT_RCPT_MAX 0xffffu

static inline uint64_t
ident_msgid(uint64_t evpid)
{
	return evpid >> 16;
}

static inline uint64_t
ident_evpid(uint64_t msgid, unsigned rcpt)
{
	return msgid << 16 | (rcpt & 0xffffu);
}

static inline unsigned
ident_rcpt(uint64_t evpid)
{
	return (unsigned)(evpid & 0xffffu);
}

uint64_t ident_random_msgid(void); /* never 0 */
uint64_t ident_random64(void);

/* Write into the caller's room and return it. */
const char *ident_msgid_text(char text[IDENT_TEXT_MAX], uint64_t msgid);
const char *ident_evpid_text(char text[IDENT_TEXT_MAX], uint64_t evpid);

/* True for exactly 12 (16) lower-case hex digits and nothing after them.
 * Message id 0 and recipient number 0 are no ids. */
bool ident_msgid_parse(const char *text, uint64_t *msgid);
bool ident_evpid_parse(const char *text, uint64_t *evpid);

#endif
