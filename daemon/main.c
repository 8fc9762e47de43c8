/*
 * main - smtpd(8): the command line, and which role this process is
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/conf/conf.h"
#include "daemon/control/control.h"
#include "daemon/dns/dns.h"
#include "daemon/lookup/lookup.h"
#include "daemon/mda/mda.h"
#include "daemon/mta/mta.h"
#include "daemon/parent/keyfile.h"
#include "daemon/parent/parent.h"
#include "daemon/proc/proc.h"
#include "daemon/scheduler/scheduler.h"
#include "daemon/smtp/smtp.h"
#include "daemon/spooler/spooler.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/mono.h"

#define DEFAULT_CONF "/etc/spoolkit/smtpd.conf"
#define EX_USAGE 64
#define EX_CONFIG 78

static const struct proc_role *const roles[ROLES] = {
	[ROLE_CONTROL] = &control_role,
	[ROLE_SMTP] = &smtp_role,
	[ROLE_LOOKUP] = &lookup_role,
	[ROLE_DNS] = &dns_role,
	[ROLE_SPOOLER] = &spooler_role,
	[ROLE_SCHEDULER] = &scheduler_role,
	[ROLE_MTA] = &mta_role,
	[ROLE_MDA] = &mda_role,
};

struct command_line {
	bool check, foreground, verbose;
	bool paused_mta, paused_mda, paused_smtp;
	const char *conf;
	const char *role;
};

static _Noreturn void
usage(FILE *to, int code)
{
	fprintf(to,
	    "usage: smtpd [-dnv] [-f FILE] [-P mta|mda|smtp]\n"
	    "  -d        stay in the foreground, log to standard error\n"
	    "  -f FILE   configuration, instead of %s\n"
	    "  -n        check the configuration, then exit 0 or 1\n"
	    "  -P WHAT   start with mta, mda or smtp paused (may be repeated)\n"
	    "  -v        log more\n"
	    "See smtpd(8), smtpd.conf(5), smtpctl(8).\n",
	    DEFAULT_CONF);
	exit(code);
}

static void
pause_at_start(struct command_line *c, const char *what)
{
	if (strcmp(what, "mta") == 0) {
		c->paused_mta = true;
	} else if (strcmp(what, "mda") == 0) {
		c->paused_mda = true;
	} else if (strcmp(what, "smtp") == 0) {
		c->paused_smtp = true;
	} else {
		fprintf(stderr,
		    "smtpd: EX_USAGE: -P takes mta, mda or smtp, not '%s'\n",
		    what);
		exit(EX_USAGE);
	}
}

static void
read_command_line(struct command_line *c, int argc, char **argv)
{
	int ch;

	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		usage(stdout, 0);
	while ((ch = getopt(argc, argv, "df:hnP:vx:")) != -1) {
		switch (ch) {
		case 'd':
			c->foreground = true;
			break;
		case 'f':
			c->conf = optarg;
			break;
		case 'h':
			usage(stdout, 0);
		case 'n':
			c->check = true;
			break;
		case 'P':
			pause_at_start(c, optarg);
			break;
		case 'v':
			c->verbose = true;
			break;
		case 'x':
			c->role = optarg;
			break;
		default:
			usage(stderr, EX_USAGE);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "smtpd: EX_USAGE: unexpected word '%s'\n",
		    argv[optind]);
		usage(stderr, EX_USAGE);
	}
}

static _Noreturn void
run_role(const struct command_line *c)
{
	int role = role_by_name(c->role);

	if (role == -1 || roles[role] == NULL) {
		fprintf(stderr, "smtpd: EX_USAGE: there is no role '%s'\n",
		    c->role);
		exit(EX_USAGE);
	}
	log_open(c->role, c->foreground);
	proc_main(roles[role]);
}

static void
report(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

/* Whether the files of keys can be had; without reading them, for whoever only
 * checks may not be allowed to. */
static bool
keys_fit(const struct conf *c, bool check)
{
	struct keyfile k;
	char err[512];
	int rc;

	if (check) {
		rc = keyfile_check(c, err, sizeof(err));
	} else {
		rc = keyfile_open(c, &k, err, sizeof(err));
		keyfile_close(&k);
	}
	if (rc == -1)
		report(NULL, err);
	return rc == 0;
}

/* Where this program lies, for the roles to be executed from; NULL when it
 * cannot be found. */
static char *
own_path(const char *argv0)
{
	char *dirs, *dir, *rest, *path, *real = NULL;

	if (strchr(argv0, '/') != NULL)
		return realpath(argv0, NULL);
	dirs = rest = mem_strdup(getenv("PATH") == NULL ? "" : getenv("PATH"));
	while (real == NULL && (dir = strsep(&rest, ":")) != NULL) {
		path = mem_printf("%s/%s", *dir == '\0' ? "." : dir, argv0);
		if (access(path, X_OK) == 0)
			real = realpath(path, NULL);
		free(path);
	}
	free(dirs);
	return real;
}

/* smtpd-agent stands beside smtpd, or in libexec when installed. */
static char *
agent_path(const char *self)
{
	int dir = (int)(strrchr(self, '/') - self);
	char *beside = mem_printf("%.*s/smtpd-agent", dir, self);
	char *installed;

	if (access(beside, X_OK) == 0)
		return beside;
	installed = mem_printf("%.*s/../libexec/smtpd-agent", dir, self);
	if (access(installed, X_OK) == 0) {
		free(beside);
		return installed;
	}
	free(installed);
	return beside;
}

/* Goes to the background; the shell's command ends when all roles are up, with
 * 0, or when that failed, with the daemon's exit code. Returns the descriptor that tells it so. */
static int
become_daemon(void)
{
	int fds[2];
	char code;

	if (pipe2(fds, O_CLOEXEC) == -1)
		fatal("pipe: %s", strerror(errno));
	switch (fork()) {
	case -1:
		fatal("fork: %s", strerror(errno));
	case 0:
		break;
	default:
		close(fds[1]);
		if (read(fds[0], &code, 1) != 1)
			code = 1;
		if (code == EX_CONFIG)
			fprintf(stderr,
			    "smtpd: EX_CONFIG: it did not start; the log says "
			    "why\n");
		_exit(code);
	}
	close(fds[0]);
	setsid();
	if (daemon(0, 0) == -1)
		fatal("daemon: %s", strerror(errno));
	return fds[1];
}

/* A closed standard descriptor would become a socket of ours, for which any
 * line on standard error is meant. */
static void
open_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd != -1 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

int
main(int argc, char **argv)
{
	struct command_line c = { .conf = DEFAULT_CONF };
	struct parent_options o = { .ready_fd = -1 };
	char *self;
	char full[PATH_MAX];

	open_standard_fds();
	read_command_line(&c, argc, argv);
	if (c.role != NULL)
		run_role(&c);
	o.conf = conf_load(c.conf, report, NULL);
	if (o.conf == NULL)
		return 1;
	if (!conf_supply(o.conf, c.check, report, NULL) ||
	    !keys_fit(o.conf, c.check)) {
		conf_free(o.conf);
		return c.check ? 1 : EX_CONFIG;
	}
	if (c.check) {
		fprintf(stderr, "configuration OK\n");
		conf_free(o.conf);
		return 0;
	}
	self = own_path(argv[0]);
	if (self == NULL) {
		fprintf(stderr, "smtpd: EX_SOFTWARE: cannot find myself: %s\n",
		    strerror(errno));
		return 70;
	}
	o.conf->foreground = c.foreground;
	o.conf->verbose = c.verbose;
	o.conf->privileged = geteuid() == 0;
	o.conf->paused_mta = c.paused_mta;
	o.conf->paused_mda = c.paused_mda;
	o.conf->paused_smtp = c.paused_smtp;
	o.program = self;
	o.agent = agent_path(self);
	o.conf_path = realpath(c.conf, full) == NULL ? c.conf : full;
	log_open("parent", c.foreground);
	log_set_level(c.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	mono_open_test_clock();
	if (!c.foreground)
		o.ready_fd = become_daemon();
	return parent_run(&o);
}
