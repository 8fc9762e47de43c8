/*
 * report - the spooler's answers to control: listing, showing, pausing
 */
#ifndef DAEMON_SPOOLER_REPORT_H
#define DAEMON_SPOOLER_REPORT_H

#include "lib/base/buf.h"

struct spooler;

/* Registers all of them. */
void report_start(struct spooler *s);
/* Tells smtp and the scheduler what is paused, as it stands. */
void report_pauses(struct spooler *s);

#endif
