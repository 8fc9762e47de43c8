#include "bench/lib/limit.h"

#include <sys/stat.h>

#include <err.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/base/mono.h"

#define FOLDERS 256
#define OPEN_MOST 16

static double
rate(unsigned n, uint64_t since_us)
{
	uint64_t us = mono_us() - since_us;

	return (double)n * 1e6 / (double)(us > 0 ? us : 1);
}

static int
on_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void
limit_remove_tree(const char *dir)
{
	if (nftw(dir, on_remove, OPEN_MOST, FTW_DEPTH | FTW_PHYS) == -1)
		warn("%s", dir);
}

static void
write_whole(int fd, const char *data, size_t size, const char *path)
{
	if (write(fd, data, size) != (ssize_t)size)
		err(1, "%s", path);
}

double
limit_create(const char *dir, unsigned n, size_t size, int flush_each)
{
	char top[PATH_MAX], path[PATH_MAX + 32];
	char *data = mem_zalloc(size);
	uint64_t start;
	unsigned i;
	double got;
	int fd;

	memset(data, 'x', size);
	snprintf(top, sizeof(top), "%s/create", dir);
	mkdir(top, 0700);
	for (i = 0; i < FOLDERS; i++) {
		snprintf(path, sizeof(path), "%s/%02x", top, i);
		if (mkdir(path, 0700) == -1)
			err(1, "%s", path);
	}
	start = mono_us();
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%02x/%u", top, i % FOLDERS, i);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd == -1)
			err(1, "%s", path);
		write_whole(fd, data, size, path);
		if (flush_each && fsync(fd) == -1)
			err(1, "%s", path);
		close(fd);
	}
	if (!flush_each) {
		fd = open(top, O_RDONLY | O_CLOEXEC);
		if (fd == -1 || syncfs(fd) == -1)
			err(1, "%s", top);
		close(fd);
	}
	got = rate(n, start);
	limit_remove_tree(top);
	free(data);
	return got;
}

double
limit_overwrite(const char *dir, unsigned n, size_t size)
{
	char path[PATH_MAX], *data = mem_zalloc(size);
	uint64_t start;
	unsigned i;
	double got;
	int fd;

	snprintf(path, sizeof(path), "%s/overwrite", dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd == -1)
		err(1, "%s", path);
	for (i = 0; i < n; i++)
		write_whole(fd, data, size, path);
	if (fsync(fd) == -1)
		err(1, "%s", path);
	memset(data, 'x', size);
	start = mono_us();
	for (i = 0; i < n; i++)
		if (pwrite(fd, data, size, (off_t)(i * size)) !=
			(ssize_t)size ||
		    fdatasync(fd) == -1)
			err(1, "%s", path);
	got = rate(n, start);
	close(fd);
	unlink(path);
	free(data);
	return got;
}

/* nftw() has no place for a caller's pointer. */
static unsigned files_read;

static int
on_read(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	static char room[65536];
	int fd;

	(void)st;
	(void)ftw;
	if (type != FTW_F)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return 0;
	while (read(fd, room, sizeof(room)) > 0)
		;
	close(fd);
	files_read++;
	return 0;
}

double
limit_read_tree(const char *dir)
{
	uint64_t start = mono_us();

	files_read = 0;
	if (nftw(dir, on_read, OPEN_MOST, FTW_PHYS) == -1)
		err(1, "%s", dir);
	return rate(files_read, start);
}
