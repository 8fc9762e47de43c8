/*
 * disk_files - a disk's state as files of a real directory, and back
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "regress/qcrash/disk_inside.h"

#define RUN 256 /* sectors written at once */
#define TMPFS_BARE 40 /* the size of an empty directory there */

static int
read_file(struct disk *d, int fd, uint32_t node)
{
	uint8_t sector[IMAGE_SECTOR];
	struct node *n = &d->live.nodes[node];
	uint32_t s = 0;
	ssize_t got;

	for (;; s++) {
		memset(sector, 0, sizeof(sector));
		got = pread(fd, sector, sizeof(sector),
		    (off_t)s * (off_t)sizeof(sector));
		if (got == -1)
			return -1;
		if (got == 0)
			return 0;
		n->size += (uint64_t)got;
		image_set(n, s, blocks_number(d->blocks, sector));
	}
}

static int
read_tree(struct disk *d, int dirfd, const char *name)
{
	struct dirent *entry;
	char path[256];
	struct stat st;
	uint32_t node, i;
	int fd, rc = 0;
	DIR *dir = fdopendir(dirfd);

	if (dir == NULL)
		return -1;
	while (rc == 0 && (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(path, sizeof(path), "%s%s%.100s", name,
		    name[0] == '\0' ? "" : "/", entry->d_name);
		fd = openat(dirfd, entry->d_name, O_RDONLY | O_NOFOLLOW);
		if (fd == -1 || fstat(fd, &st) == -1)
			return -1;
		i = disk_intern(d, path);
		node = st.st_nlink > 1 && S_ISREG(st.st_mode)
		    ? disk_bound(d, st.st_ino)
		    : DISK_NONE;
		if (node != DISK_NONE) {
			d->live.entry[i] = node + 1;
			close(fd);
			continue;
		}
		node = image_node(&d->live, S_ISDIR(st.st_mode),
		    (uint16_t)(st.st_mode & 07777));
		disk_bind(d, st.st_ino, node);
		d->live.entry[i] = node + 1;
		if (S_ISDIR(st.st_mode)) {
			rc = read_tree(d, fd, path);
		} else {
			rc = read_file(d, fd, node);
			close(fd);
		}
	}
	closedir(dir);
	return rc;
}

int
disk_base(struct disk *d, const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY);

	return fd == -1 ? -1 : read_tree(d, fd, "");
}

static bool
same_file(const struct disk *a, const struct node *x, const struct disk *b,
    const struct node *y)
{
	uint32_t s, end, p, q;

	if (x->dir != y->dir || x->size != y->size || x->mode != y->mode)
		return false;
	end = (uint32_t)((x->size + IMAGE_SECTOR - 1) / IMAGE_SECTOR);
	for (s = 0; s < end; s++) {
		p = image_get(x, s);
		q = image_get(y, s);
		if (memcmp(blocks_data(
			       a->blocks, p == BLOCK_NONE ? BLOCK_ZERO : p),
			blocks_data(
			    b->blocks, q == BLOCK_NONE ? BLOCK_ZERO : q),
			IMAGE_SECTOR) != 0)
			return false;
	}
	return true;
}

const char *
disk_compare(const struct disk *d, const char *dir)
{
	struct disk *now = disk_new();
	uint32_t i, j, a, b;
	static char why[200];

	why[0] = '\0';
	if (disk_base(now, dir) == -1)
		snprintf(why, sizeof(why), "%s: %s", dir, strerror(errno));
	for (i = 1; i < d->name_count && why[0] == '\0'; i++) {
		j = disk_intern(now, d->names[i]);
		a = d->live.entry[i];
		b = now->live.entry[j];
		if ((a == 0) != (b == 0) ||
		    (a != 0 &&
			!same_file(d, &d->live.nodes[a - 1], now,
			    &now->live.nodes[b - 1])))
			snprintf(why, sizeof(why),
			    "%.100s is not what the log makes of it",
			    d->names[i]);
	}
	for (i = 1; i < now->name_count && why[0] == '\0'; i++) {
		for (j = 0; j < d->name_count; j++)
			if (strcmp(d->names[j], now->names[i]) == 0)
				break;
		if (j == d->name_count && now->live.entry[i] != 0)
			snprintf(why, sizeof(why),
			    "%.100s is there, and the log does not say why",
			    now->names[i]);
	}
	disk_free(now);
	return why[0] == '\0' ? NULL : why;
}

static int
write_file(const struct disk *d, int fd, const struct node *n, bool garbage)
{
	uint8_t run[RUN * IMAGE_SECTOR];
	uint32_t s, first, end, block;
	uint64_t at, len;

	end = (uint32_t)((n->size + IMAGE_SECTOR - 1) / IMAGE_SECTOR);
	if (ftruncate(fd, (off_t)n->size) == -1)
		return -1;
	for (s = 0; s < end; s++) {
		for (first = s; s < end && s - first < RUN; s++) {
			block = image_get(n, s);
			if (block == BLOCK_ZERO ||
			    (block == BLOCK_NONE && !garbage))
				break;
			memcpy(run + (s - first) * IMAGE_SECTOR,
			    blocks_data(d->blocks, block), IMAGE_SECTOR);
		}
		if (s == first)
			continue;
		at = (uint64_t)first * IMAGE_SECTOR;
		len = (uint64_t)(s - first) * IMAGE_SECTOR;
		if (len > n->size - at)
			len = n->size - at;
		if (pwrite(fd, run, len, (off_t)at) != (ssize_t)len)
			return -1;
		s--;
	}
	return 0;
}

/* Another name of it that was made already; DISK_NONE. */
static uint32_t
made_as(const struct disk *d, uint32_t name)
{
	uint32_t i;

	for (i = 1; i < name; i++)
		if (d->reach[i] && d->work.entry[i] == d->work.entry[name])
			return i;
	return DISK_NONE;
}

int
disk_make(const struct disk *d, const char *dir, bool garbage)
{
	int root, fd, rc = 0;
	const struct node *n;
	uint32_t i, other;

	(void)mkdir(dir, 0700);
	if ((root = open(dir, O_RDONLY | O_DIRECTORY)) == -1)
		return -1;
	for (i = d->name_count; i-- > 1;)
		if (!d->reach[i])
			(void)unlinkat(root, d->names[i], AT_REMOVEDIR);
	for (i = 1; i < d->name_count && rc == 0; i++) {
		if (!d->reach[i])
			continue;
		n = &d->work.nodes[d->work.entry[i] - 1];
		if (n->dir) {
			if (mkdirat(root, d->names[i], n->mode) == -1 &&
			    errno != EEXIST)
				rc = -1;
			continue;
		}
		if ((other = made_as(d, i)) != DISK_NONE) {
			rc =
			    linkat(root, d->names[other], root, d->names[i], 0);
			continue;
		}
		fd = openat(
		    root, d->names[i], O_RDWR | O_CREAT | O_EXCL, n->mode);
		if (fd == -1 || write_file(d, fd, n, garbage) == -1)
			rc = -1;
		if (fd != -1)
			close(fd);
	}
	close(root);
	return rc;
}

bool
disk_bare(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode) && (st.st_mode & 077) == 0 &&
	    st.st_size == TMPFS_BARE;
}

int
disk_wipe(const char *dir)
{
	char path[512];
	struct dirent *entry;
	DIR *at = opendir(dir);
	int rc = 0;

	if (at == NULL)
		return errno == ENOENT ? 0 : -1;
	while (rc == 0 && (entry = readdir(at)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		if (entry->d_type != DT_DIR) {
			rc = unlinkat(dirfd(at), entry->d_name, 0);
			continue;
		}
		if (disk_bare(dirfd(at), entry->d_name))
			continue;
		snprintf(
		    path, sizeof(path), "%.300s/%.200s", dir, entry->d_name);
		rc = disk_wipe(path);
	}
	closedir(at);
	return rc;
}
