/*
 * header - walks the header of a message as it comes (RFC 5322 section 2.2)
 *
 * Fed in pieces of any size, it keeps a small state and no text: which of the
 * fields we care about were seen, how many Received fields, whether the header
 * has ended. Obsolete forms ("Date : ...") count.
 */
#ifndef LIB_MAIL_HEADER_H
#define LIB_MAIL_HEADER_H

#include <stdbool.h>
#include <stddef.h>

struct header {
	unsigned received; /* fields so named */
	bool has_date, has_message_id, has_from;
	bool ended; /* the empty line was seen, or what is no header */
	/* private */
	char name[16];
	unsigned char len;
	unsigned char where;
};

void header_init(struct header *h);
/* Lines end with CRLF. */
void header_feed(struct header *h, const void *data, size_t len);

#endif
