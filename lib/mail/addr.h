/*
 * addr - mailboxes (RFC 5321 section 4.1.2): the one tokenizer for addresses
 *
 * Only what this parser put together is ever stored or sent. A quoted local
 * part that needs no quotes loses them; the case of a local part is kept, a
 * domain is folded to lower case by addr_key() only.
 */
#ifndef LIB_MAIL_ADDR_H
#define LIB_MAIL_ADDR_H

#include <stdbool.h>
#include <stddef.h>

#define ADDR_LOCAL_MAX 64
#define ADDR_DOMAIN_MAX 255
#define ADDR_TEXT_MAX (2 * ADDR_LOCAL_MAX + 2 + 1 + ADDR_DOMAIN_MAX + 1)

struct addr {
	char local[2 * ADDR_LOCAL_MAX + 3]; /* as sent, quotes included */
	char domain[ADDR_DOMAIN_MAX + 1]; /* "" only in the null address */
};

enum addr_result {
	ADDR_OK,
	ADDR_SYNTAX,
	ADDR_LOCAL_LONG,
	ADDR_DOMAIN_LONG,
	ADDR_UTF8 /* is 8-bit, which was not allowed */
};

/* What stands between < and >, len octets: a mailbox, or a source route and a
 * mailbox (the route is dropped). "" is the null address. "postmaster" without
 * a domain is taken when postmaster is true (domain stays ""). */
enum addr_result addr_parse(
    struct addr *a, const char *text, size_t len, bool postmaster, bool utf8);

/* A domain name or address literal by itself (EHLO argument, rule). */
bool addr_domain_ok(const char *text, size_t len, bool utf8);

bool addr_is_null(const struct addr *a);
/* local@domain, or "" for the null address. Returns dst. */
const char *addr_text(char dst[ADDR_TEXT_MAX], const struct addr *a);
/* The same folded to lower case: the key of every look-up. */
const char *addr_key(char dst[ADDR_TEXT_MAX], const struct addr *a);

#endif
