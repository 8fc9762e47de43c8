/*
 * settings - where the spool and its key ring are
 *
 * As the command line says, else as the configuration does, of which only
 * these two lines are read, else the default.
 */
#ifndef TOOLS_QTOOL_SETTINGS_H
#define TOOLS_QTOOL_SETTINGS_H

#include <stddef.h>

#include "queue/keyring.h"

#define SETTINGS_CONF "/etc/spoolkit/smtpd.conf"
#define SETTINGS_SPOOL "/var/spool/spoolkit"

/* The path, to be freed; NULL with a sentence. dir and conf may be NULL. */
char *settings_spool(
    const char *dir, const char *conf, char *err, size_t errlen);

/* The path of the ring, NULL: none is named. */
char *settings_ring(const char *ring, const char *conf);

/*
 * 0 and the ring, NULL where none is named; else with a sentence -1, or 1 when
 * only the configuration names it and what is sealed is simply locked. A
 * passphrase it wants is read from the file, else asked for on the terminal.
 */
int settings_keys(const char *ring, const char *conf,
    const char *passphrase_file, struct keyring **keys, char *err,
    size_t errlen);
/* The passphrase of a ring, from the file, else asked for. -1 with a sentence. */
#define SETTINGS_PASSPHRASE 1024
int settings_passphrase(const char *ring, const char *file,
    char word[SETTINGS_PASSPHRASE], char *err, size_t errlen);
void settings_forget(struct keyring *keys); /* NULL is accepted */

#endif
