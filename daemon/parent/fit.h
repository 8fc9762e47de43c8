/*
 * fit - whether what the mda asks for is what the configuration allows
 *
 * The mda reads addresses from strangers, and the parent acts as root: a path
 * that no action could have led to is refused, whoever asks for it. Pure.
 */
#ifndef DAEMON_PARENT_FIT_H
#define DAEMON_PARENT_FIT_H

#include <stdbool.h>

#include "daemon/conf/conf.h"

/* True when path can be what an action of this kind says, with some names in
 * place of %{user}, %{tag} and %{domain}. */
bool fit_path(
    const struct conf *c, enum conf_action_kind kind, const char *path);

#endif
