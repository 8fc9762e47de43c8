/*
 * status - SMTP reply codes and enhanced status codes (RFC 5321, RFC 3463)
 */
#ifndef LIB_MAIL_STATUS_H
#define LIB_MAIL_STATUS_H

#include <stddef.h>

struct status {
	unsigned code; /* 250, 421, ...; 0: none */
	unsigned klass, subject, detail; /* 4.7.0; klass 0: none */
	const char *text; /* points into what was parsed, after the codes */
};

/* "421 4.7.0 try later", "4.7.0 try later" or free text. Never fails: what is
 * not there is 0, and text is the rest. An enhanced code whose class differs
 * from the reply's first digit is left in the text. */
void status_parse(struct status *s, const char *line);

/* "4.7.0": the enhanced code, or one made from the reply code: 4.0.0; "" when
 * there is neither. Returns dst. */
#define STATUS_ENHANCED_MAX 12
const char *status_enhanced(
    char dst[STATUS_ENHANCED_MAX], const struct status *s);

#endif
