/*
 * place - where a destination's mail goes: path and user of a delivery
 *
 * Pure. The local part is what a stranger chose: whatever could leave the
 * directory the configuration meant is refused, not mended.
 */
#ifndef DAEMON_MDA_PLACE_H
#define DAEMON_MDA_PLACE_H

#include <stddef.h>

#include "daemon/conf/conf.h"

#define PLACE_PATH_MAX 1024
#define PLACE_USER_MAX 256
#define PLACE_ERROR_MAX 512

struct place {
	char path[PLACE_PATH_MAX]; /* with ~ for the home; mbox: may be "" */
	char user[PLACE_USER_MAX]; /* who runs the agent */
};

/*
 * In the action's path %{user} is the local part without +tag, %{tag} that
 * tag, %{domain} the domain, all in lower case, and %% a percent sign. -1 with
 * the reply in error: "550 5.1.1 ...", or "451 4.3.5 ..." for a path that
 * makes no sense.
 */
int place_find(struct place *p, const struct conf_action *action,
    const char *destination, char error[PLACE_ERROR_MAX]);

#endif
