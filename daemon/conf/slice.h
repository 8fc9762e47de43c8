/*
 * slice - prints parts of a configuration (inside daemon/conf)
 *
 * Each returns what buf_put() does: 0, or -1 when the buffer is full.
 */
#ifndef DAEMON_CONF_SLICE_H
#define DAEMON_CONF_SLICE_H

#include <stdbool.h>

#include "daemon/conf/conf.h"
#include "lib/base/buf.h"

int slice_string(struct buf *b, const char *s);
/* " word "value"", or nothing without a value. */
int slice_option(struct buf *b, const char *word, const char *value);

int slice_relay(const struct conf_relay *r, struct buf *b);
int slice_limits(const struct conf *c, struct buf *b);
int slice_pkis(const struct conf *c, struct buf *b);
int slice_trust_anchor(const struct conf *c, struct buf *b);

/* What is in files: see parse_given.c. */
int slice_given_table(const struct conf_table *t, bool rows, struct buf *b);
int slice_outgoing_tables(const struct conf *c, struct buf *b);
int slice_table_names(const struct conf *c, struct buf *b); /* of those */
int slice_given_texts(const struct conf *c, struct buf *b);
int slice_given_anchor(const struct conf *c, struct buf *b);

#endif
