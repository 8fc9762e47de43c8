/*
 * ctl_client - a tool's end of the control socket
 *
 * Blocking, one request at a time. SIGINT and SIGTERM are held back except
 * while waiting for the daemon, so that an interrupt is never missed and never
 * falls between two lines of output.
 */
#ifndef LIB_PROTO_CTL_CLIENT_H
#define LIB_PROTO_CTL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/proto/ctl.h"

struct ctl_client;

/* Connects and says HELLO. NULL with a sentence in err and an exit code of
 * lib/cli/exitcode.h in *code. */
struct ctl_client *ctl_client_open(
    const char *path, int *code, char *err, size_t errlen);
void ctl_client_free(struct ctl_client *c); /* NULL is accepted */

const char *ctl_client_host(const struct ctl_client *c); /* the daemon's */

/* -1 when the daemon is gone; what it said last is still to be read. */
int ctl_client_ask(struct ctl_client *c, const char *command,
    const char *reason, uint32_t flags, const char *const *args, size_t n);

enum ctl_got {
	CTL_GOT_ROW,
	CTL_GOT_LINE,
	CTL_GOT_LOST,
	CTL_GOT_END,
	CTL_GOT_NOTHING, /* until the deadline */
	CTL_GOT_SIGNAL, /* SIGINT or SIGTERM */
	CTL_GOT_GONE, /* the daemon closed the connection */
	CTL_GOT_GARBAGE /* what came is not of this protocol */
};

/* What came; its strings are lent until the next call. */
struct ctl_event {
	struct ctl_row row;
	struct ctl_line line;
	struct ctl_lost lost;
	struct ctl_end end;
};

/* Waits for the next message, at most until the monotonic time deadline_ms
 * (0: for ever). */
enum ctl_got ctl_client_next(
    struct ctl_client *c, uint64_t deadline_ms, struct ctl_event *e);

/* True when the next call would have to wait: time to show what there is. */
bool ctl_client_idle(const struct ctl_client *c);

#endif
