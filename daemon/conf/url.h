/*
 * url - where and how relay via goes, as text (inside daemon/conf, pure)
 */
#ifndef DAEMON_CONF_URL_H
#define DAEMON_CONF_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/conf/conf.h"

/* False with a sentence that names what is wrong; u is empty then. */
bool url_parse(struct conf_url *u, const char *text, char *why, size_t size);
void url_clear(struct conf_url *u);

#endif
