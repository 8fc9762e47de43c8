/*
 * failure - what an envelope's error line says, taken apart
 *
 * The spooler writes the reply's codes and text, and behind them who said it
 * (" from mx.example [192.0.2.1]:26"); the mta writes "connect to HOST: why"
 * or "HOST: why in PHASE" where no reply came. Pure; never fails: what is not
 * there is 0 or "".
 */
#ifndef LIB_MAIL_FAILURE_H
#define LIB_MAIL_FAILURE_H

#include <stddef.h>

#include "lib/mail/status.h"

#define FAILURE_MX_MAX 256

struct failure {
	unsigned code; /* 421; 0: none */
	unsigned klass; /* 2, 4 or 5; 0: none */
	char enhanced[STATUS_ENHANCED_MAX]; /* 4.7.0 */
	const char *text; /* of the error, behind its codes */
	size_t len; /* of the text, without what stands apart below */
	/* connect greeting ehlo helo mail rcpt data end session, where the
	 * error tells; static. */
	const char *phase;
	char mx[FAILURE_MX_MAX]; /* the name, else the address, of the host */
};

void failure_read(struct failure *f, const char *error);

#endif
