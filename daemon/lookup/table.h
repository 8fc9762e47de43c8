/*
 * table - lists and maps, inline or in files
 *
 * A file is `key value` lines (`key: value`, `key = value` and a key alone
 * do as well), comments, and continued lines that start with a blank, as
 * aliases(5) has them. Keys are folded to lower case. A file is looked at
 * at most once a second and read again when it has changed; one that cannot be
 * read leaves what was read before, and is logged once. A look-up is a binary
 * search.
 */
#ifndef DAEMON_LOOKUP_TABLE_H
#define DAEMON_LOOKUP_TABLE_H

#include <stdint.h>

#include "daemon/conf/conf.h"
#include "daemon/conf/network.h"

#define TABLE_FILE_MAX (64u << 20)

struct tables;

enum table_result {
	TABLE_NONE,
	TABLE_FOUND,
	TABLE_TROUBLE /* there is no such table, or it was never read */
};

/* old (may be NULL) gives what it read of the same files, and is freed. */
struct tables *tables_new(const struct conf *c, struct tables *old);
void tables_free(struct tables *t); /* NULL is accepted */

/* The time of all look-ups until the next call, as of mono_ms(). */
void tables_now(struct tables *t, uint64_t now);

/* key is folded here. *value is lent until the next call of tables_now(); ""
 * in a plain list. value may be NULL. */
enum table_result table_find(
    struct tables *t, const char *name, const char *key, const char **value);
/* A table of addresses and networks. */
enum table_result table_find_address(
    struct tables *t, const char *name, const struct network *address);

#endif
