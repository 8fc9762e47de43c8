/*
 * qtrace - what a program does to one directory tree, call by call
 *
 * libqtrace.so is preloaded. It writes every call that changes a file or a
 * directory below a root into a log in shared memory, with the data, in the
 * order in which they took effect: one lock is held over each call. Flushes
 * alone are two records, for what is written while one runs is not flushed by
 * it. A call that it cannot describe (a mapping, io_uring, a write through a
 * duplicate descriptor it does not know) ends the program with a sentence.
 *
 * A program finds these functions as weak symbols: they are NULL when the
 * library was not preloaded.
 */
#ifndef REGRESS_QCRASH_QTRACE_H
#define REGRESS_QCRASH_QTRACE_H

#include <stddef.h>
#include <stdint.h>

#define QTRACE_MAGIC UINT64_C(0x7163726173680001)

enum qtrace_call {
	QTRACE_OPEN, /* a file; flags tell whether it was made or emptied */
	QTRACE_WRITE, /* at offset, with the data */
	QTRACE_SIZE, /* of the file is length now */
	QTRACE_SYNC, /* begins; of the file, or of everything */
	QTRACE_SYNCED, /* ends; offset is the place of its begin in the log */
	QTRACE_LINK,
	QTRACE_RENAME,
	QTRACE_UNLINK,
	QTRACE_MKDIR,
	QTRACE_RMDIR,
	QTRACE_MODE, /* length is the new mode */
	QTRACE_OWNER,
	QTRACE_MARK, /* a word of the program itself, in name */
	QTRACE_CALLS
};

#define QTRACE_MADE 1u /* the open made the file */
#define QTRACE_EMPTIED 2u /* and an old one lost its octets */
#define QTRACE_DIR 4u
#define QTRACE_ALL 8u /* a flush of the whole file system */

/* Followed by name, other and data, padded to eight octets. */
struct qtrace_record {
	uint32_t size; /* with all that follows */
	uint8_t call, flags;
	uint16_t mode; /* of a file that was made */
	int32_t error; /* 0: it succeeded */
	uint32_t thread;
	uint64_t inode;
	uint64_t offset, length;
	uint64_t mark[3]; /* numbers of a mark */
	uint32_t name, other; /* lengths */
	char libc[16]; /* the function that was called */
};

struct qtrace_log {
	uint64_t magic;
	uint64_t room; /* for records, in octets */
	uint64_t used;
	uint64_t calls; /* of all kinds */
	char records[];
};

/* Calls that can be made to fail, by name: what they write to below prefix. */
struct qtrace_fault {
	const char *libc; /* "fdatasync", "pwritev", "openat"; NULL: none */
	const char *prefix; /* of the name below the root */
	unsigned skip; /* so many go well first */
	unsigned count; /* so many fail then */
	int error; /* 0: half of the data is written */
};

#define QTRACE_FAULTS 4

void qtrace_start(struct qtrace_log *log, const char *root)
    __attribute__((weak));
void qtrace_stop(void) __attribute__((weak));
/* The same for good: no thread changes anything any more, so that the log is
 * whole when the program exits. */
void qtrace_freeze(void) __attribute__((weak));
void qtrace_mark(const char *word, uint64_t a, uint64_t b, uint64_t c)
    __attribute__((weak));
void qtrace_fault(unsigned slot, const struct qtrace_fault *f)
    __attribute__((weak));
/* A flush takes so long, as it does on a disk, and others run meanwhile; one
 * of everything twenty times that. */
void qtrace_slow(unsigned us) __attribute__((weak));
/* arc4random_buf() gives the same from now on for the same seed. */
void qtrace_seed(uint64_t seed) __attribute__((weak));

#endif
