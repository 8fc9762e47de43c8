/*
 * proc - how a role lives: started by the parent, configured, run, stopped
 *
 * The parent executes `smtpd -x ROLE` with its end of a socket pair on
 * descriptor 3. proc_main() reads the configuration slice, the peers and the
 * sockets from it, calls prepare() while still privileged, drops to the role's
 * user with its root directory, calls start(), and runs the event loop. A
 * reload calls configure() once more.
 */
#ifndef DAEMON_PROC_PROC_H
#define DAEMON_PROC_PROC_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/conf/conf.h"
#include "daemon/conf/role.h"
#include "daemon/edge/start.h"
#include "daemon/proc/peer.h"

struct answers;
struct event_base;
struct proc;

/* One conversation a role takes part in, by the role's own struct. proc itself
 * speaks start.h with the parent, and query.h with control (answer.h). */
struct proc_peer {
	enum role who;
	const struct handler *handlers;
	size_t n;
};

struct proc_role {
	enum role id;
	bool keeps_root; /* stays in "/" (lookup reads files) */
	bool spool_root; /* its root is the spool, else an empty directory */
	const struct proc_peer *peers;
	size_t npeers;

	/* Still privileged, no peer yet: open files, make the role's struct,
	 * which every handler gets as its first argument. conf is lent until
	 * the next configure(). May call fatal(). */
	void *(*prepare)(struct proc *p, const struct conf *conf);
	/* All peers are connected, privileges are gone. */
	void (*start)(void *arg);
	/* A new configuration was read: the old one is freed afterwards.
	 * Also called once right before start(). */
	void (*configure)(void *arg, const struct conf *conf);
	/* A listening socket arrived, before start() or before the
	 * configure() of a reload; takes fd. index is that of conf->listeners
	 * in the configuration that comes; 0 for the control socket. At a
	 * reload all come again. May be NULL when the role gets none. */
	void (*socket)(void *arg, unsigned index, int fd);
	/* SIGTERM at the parent: finish what must be finished, then call
	 * proc_exit(); NULL: exit at once. */
	void (*stop)(void *arg);
	/* Further messages from the parent (agent, query); may be NULL. */
	const struct handler *from_parent;
	size_t nfrom_parent;
};

/* Never returns. What -d and -v said came with the command line. */
_Noreturn void proc_main(const struct proc_role *role);

#define PROC_PARENT_FD 3 /* the socket pair's end in a new role */

struct event_base *proc_base(struct proc *p);
struct peer *proc_peer(struct proc *p, enum role who);
const struct conf *proc_conf(struct proc *p);
bool proc_privileged(const struct proc *p); /* the daemon was started by root */
/* What the parent sent before the configuration that is being prepared or
 * configured: a descriptor for the caller, or -1. */
int proc_take_secret(struct proc *p, enum start_secrets which);
struct answers *proc_answers(struct proc *p); /* for answer.c */
/* Ends the role: flushes every peer for at most a second, exits 0. */
_Noreturn void proc_exit(struct proc *p);

#endif
