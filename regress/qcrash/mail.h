/*
 * mail - envelopes and bodies that are known from their ids alone
 *
 * So whatever comes back from a spool can be held against what went in.
 */
#ifndef REGRESS_QCRASH_MAIL_H
#define REGRESS_QCRASH_MAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAIL_TEXT 512

size_t mail_text(char text[MAIL_TEXT], uint64_t evpid, unsigned generation);
/* The generation that a text claims, 0 when it is none of ours: each octet
 * of it is looked at. */
unsigned mail_generation(uint64_t evpid, const char *text, size_t len);
/* len octets of a message's body from octet at on. */
void mail_body(uint8_t *data, uint64_t msgid, uint64_t at, size_t len);

#endif
