/*
 * look - what is in one file of a bucket
 *
 * A looker belongs to one thread and keeps its buffers. A file is read once,
 * from front to back. What the journal makes good is counted, not listed.
 */
#ifndef TOOLS_QTOOL_LOOK_H
#define TOOLS_QTOOL_LOOK_H

#include "tools/qtool/survey.h"
#include "tools/qtool/tree.h"

struct looker;

struct looker *looker_new(const struct survey_options *o);
void looker_free(struct looker *k);

void look_at(struct looker *k, const struct tree_item *it, struct problems *p);
/* What was read, and what the journal covered, since the last call. */
void looker_count(struct looker *k, struct survey_stats *s);

#endif
