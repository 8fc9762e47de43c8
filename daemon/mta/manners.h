/*
 * manners - what the configuration says of relaying, as the engine takes it
 *
 * Manners that a reload does not change stay the same objects, and so do the
 * routes that are known by them.
 */
#ifndef DAEMON_MTA_MANNERS_H
#define DAEMON_MTA_MANNERS_H

#include "daemon/conf/conf.h"
#include "daemon/mta/manner.h"

struct manners;

struct manners *manners_new(void);
/* What cannot be used, for its certificate cannot be read for one, is logged,
 * and mail for it waits. */
void manners_configure(struct manners *ms, const struct conf *conf);
/* NULL: why says what is wrong with the action, or that there is none. */
struct choice *manners_of(
    const struct manners *ms, const char *action, const char **why);

#endif
