/*
 * trouble - what the system refuses the queue, by its cause
 *
 * A message whose files cannot be made as they should be waits with a cause:
 * the file system as a whole, its bucket, or a file of its own. Parts of the
 * queue that are no message's have one of theirs. A cause is logged when it
 * appears and when it is over, not for each message that it stops; one that
 * comes back within a minute is not logged again. The alarm is made of those
 * there are now.
 */
#ifndef QUEUE_TROUBLE_H
#define QUEUE_TROUBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum trouble_part {
	TROUBLE_JOURNAL, /* a flush of it failed */
	TROUBLE_READING, /* files cannot be read, for no fault of theirs */
	TROUBLE_SLOW, /* a flush takes long */
	TROUBLE_FILES, /* flushing the files failed */
	TROUBLE_RENEWAL, /* a segment cannot be made anew */
	TROUBLE_FINISHED, /* state/finished cannot be written */
	TROUBLE_CORRUPT, /* nothing can be set aside */
	TROUBLE_PARTS
};

struct trouble;

struct trouble *trouble_new(void);
void trouble_free(struct trouble *t);

/*
 * The files of a message were refused: returns its cause, which is not 0. had
 * is the one it had before, or 0. what is the operation, bucket says that the
 * whole bucket cannot be used. *fresh: nobody has heard of it yet.
 */
uint32_t trouble_meet(struct trouble *t, uint32_t had, const char *what,
    uint64_t msgid, int error, bool bucket, uint64_t now, bool *fresh);
/* It is well again, or gone. cause 0 is accepted. */
void trouble_over(struct trouble *t, uint32_t cause, uint64_t now);

/* The bucket cannot be used; no message waits for it to be filed. */
void trouble_bucket(struct trouble *t, uint64_t msgid, int error, uint64_t now);

/* error 0: it works. True: nobody had heard of it. */
bool trouble_part(
    struct trouble *t, enum trouble_part part, int error, uint64_t now);

/* The alarm; "" when all is well. */
void trouble_text(
    const struct trouble *t, char *text, size_t size, uint64_t now);

/* Whether the error is the file system's or the process's, not a file's. */
bool trouble_of_system(int error);

#endif
