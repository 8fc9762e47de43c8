/*
 * duty - what was promised, and whether a recovery kept it
 *
 * Learns from the marks that a workload left in the log when it asked for
 * something and when it was answered. I1 to I3 of the crash test: what was
 * acknowledged and not finished is there once, whole, and no older than the
 * last change that was answered; what was finished for good is not; what was
 * never answered is there wholly or not at all; a bounce is there or what it
 * reports, never both and never neither.
 */
#ifndef REGRESS_QCRASH_DUTY_H
#define REGRESS_QCRASH_DUTY_H

#include <stddef.h>
#include <stdint.h>

#include "regress/qcrash/outcome.h"
#include "regress/qcrash/qtrace.h"

#define DUTY_BEFORE 0u /* a moment before the log */

struct duty;

struct duty *duty_new(void);
void duty_free(struct duty *d); /* NULL is accepted */
/* when: DUTY_BEFORE, or the number of the event + 1; upwards. */
void duty_mark(struct duty *d, uint32_t when, const struct qtrace_record *r,
    const char *word);
/* How many marks there were by then: equal numbers, equal duties. */
uint32_t duty_count(const struct duty *d, uint32_t when);
/* The size of a body; false for a message that nobody sent. */
bool duty_size(const struct duty *d, uint64_t msgid, uint64_t *size);

/* NULL, or what is wrong with o after a crash at when. *again counts what had
 * been delivered and is there all the same. */
const char *duty_judge(
    struct duty *d, uint32_t when, const struct outcome *o, unsigned *again);

#endif
