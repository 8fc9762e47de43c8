/*
 * tool - the workloads that are qtool's, and the ring of the sealed ones
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "regress/qcrash/works.h"

#define WORDS 16

/* A secret of the tests: 32 octets of no secrecy at all. */
const char workload_ring[] =
    "crashcrashcrash1 active 2026-11-22T00:00:00Z aes-256-gcm "
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";

struct keyring *
workload_keys(void)
{
	char err[200];

	return keyring_parse(
	    workload_ring, strlen(workload_ring), NULL, err, sizeof(err));
}

static void
write_ring(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0400);
	size_t len = strlen(workload_ring);

	if (fd == -1 || write(fd, workload_ring, len) != (ssize_t)len ||
	    close(fd) == -1) {
		printf("qcrash: %s: %s\n", path, strerror(errno));
		exit(3);
	}
}

void
workload_tool(const struct workload *wl, const char *dir, const char *build,
    const char *file)
{
	char path[600], ring[600];
	char *words[WORDS];
	int n = 0, fd;

	snprintf(path, sizeof(path), "%s/qtool", build);
	snprintf(ring, sizeof(ring), "%s.ring", dir);
	words[n++] = path;
	words[n++] = strdup("-q");
	words[n++] = strdup("-d");
	words[n++] = strdup(dir);
	if (wl->seal) {
		write_ring(ring);
		words[n++] = strdup("--keyring");
		words[n++] = ring;
	}
	words[n++] = strdup("--jobs");
	words[n++] = strdup("1");
	for (int i = 0; wl->tool[i] != NULL && n < WORDS - 1; i++)
		words[n++] = strdup(wl->tool[i]);
	words[n] = NULL;
	if (setenv("QTRACE", file, 1) == -1 ||
	    setenv("QTRACE_ROOT", dir, 1) == -1)
		exit(3);
	if ((fd = open("/dev/null", O_RDWR)) != -1)
		(void)dup2(fd, STDOUT_FILENO);
	execv(path, words);
	fprintf(stderr, "qcrash: %s: %s\n", path, strerror(errno));
	_exit(3);
}
