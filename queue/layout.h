/*
 * layout - the names of a spool, and how its files are opened
 *
 * Everything is reached from one directory fd, never by an absolute path, and
 * never through a symbolic link. What is opened must be a regular file of the
 * queue's user with one link and no rights for others: anything else is left
 * alone and reported.
 */
#ifndef QUEUE_LAYOUT_H
#define QUEUE_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LAYOUT_BUCKETS 256
#define LAYOUT_NAME_MAX 64 /* "corrupt/journal-0123456789abcdef-01234567.why" */

struct layout {
	int root; /* the spool directory */
	int lock; /* held while the spool is open */
	uid_t owner;
	gid_t group;
	bool chown; /* created things are handed to owner */
};

/*
 * Makes what is missing below path, takes the lock. -1 with a sentence in err.
 * owner and group of (uid_t)-1 are the caller's own.
 */
int layout_open(struct layout *l, const char *path, uid_t owner, gid_t group,
    char *err, size_t errlen);
void layout_close(struct layout *l);

/* Names relative to the spool; they return name. */
unsigned layout_bucket(uint64_t msgid);
const char *layout_bucket_name(char name[LAYOUT_NAME_MAX], unsigned bucket);
/* Whether files can be looked up, made and removed there. False: what is
 * missing below it may come back with it. */
bool layout_bucket_usable(const struct layout *l, uint64_t msgid);
const char *layout_message(char name[LAYOUT_NAME_MAX], uint64_t msgid);
const char *layout_envelope(char name[LAYOUT_NAME_MAX], uint64_t evpid);
const char *layout_incoming(char name[LAYOUT_NAME_MAX], uint64_t msgid);
const char *layout_segment(char name[LAYOUT_NAME_MAX], unsigned file);

/* Nothing that a name may have been replaced by is followed or waited for. */
#define LAYOUT_OPEN_SAFE (O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
/* As openat(2), and the time of the last access stays where it can: else
 * reading a queue writes every inode of it. */
int layout_open_quietly(int dir, const char *name, int flags);

/* -1 with errno as openat(2) has it, or EPERM (owner or mode), EMLINK (more
 * than one link), EFTYPE's stand-in EINVAL (no regular file). */
int layout_open_read(const struct layout *l, const char *name, off_t *size);
/* The same of a name in an open directory. */
int layout_open_in(
    const struct layout *l, int dir, const char *name, off_t *size);
/* Opens for writing, made when missing; whatever was in it stays for now. */
int layout_open_write(const struct layout *l, const char *name, bool fresh);
int layout_open_dir(const struct layout *l, const char *name);
/* Why an open failed, for people. */
const char *layout_reason(int error);

/* Reads all of a small file; NULL with errno (EFBIG over max). The caller
 * frees it; a NUL follows it. */
char *layout_read_all(
    const struct layout *l, const char *name, size_t max, size_t *len);
int layout_write_all(int fd, const void *data, size_t len);
/* Writes name anew through name.new: all or nothing, flushed. */
int layout_replace(const struct layout *l, const char *dir, const char *name,
    const char *text);

/* Moves a file of the tree to corrupt/ and writes the reason beside it. */
int layout_set_aside(
    const struct layout *l, const char *name, const char *reason);
/* Keeps bytes in corrupt/name, with the reason. */
int layout_keep(const struct layout *l, const char *name, const void *data,
    size_t len, const char *reason);

#endif
