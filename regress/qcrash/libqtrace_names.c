/*
 * libqtrace_names - the calls that change directories, modes and owners
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "regress/qcrash/libqtrace.h"

static uint64_t
inode_at(int dirfd, const char *path)
{
	struct stat st;

	return fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_ino
								   : 0;
}

/* Both names must be ours, or neither. */
static bool
both(char from[QTRACE_NAME], char to[QTRACE_NAME], int from_fd,
    const char *from_path, int to_fd, const char *to_path)
{
	bool a = qtrace_name(from, from_fd, from_path);
	bool b = qtrace_name(to, to_fd, to_path);

	if (a != b)
		qtrace_refuse(to_path, "a name that leaves or enters the root");
	return a;
}

static int
rename_at(int from_fd, const char *from_path, int to_fd, const char *to_path,
    unsigned flags)
{
	struct qtrace_record r = { .call = QTRACE_RENAME };
	char from[QTRACE_NAME], to[QTRACE_NAME];
	struct stat st;
	int rc;

	if (!both(from, to, from_fd, from_path, to_fd, to_path))
		return (int)syscall(SYS_renameat2, (long)from_fd, from_path,
		    (long)to_fd, to_path, (long)flags, 0L);
	if (flags & ~1u)
		qtrace_refuse(from, "an exchange of names is not modelled");
	qtrace_enter();
	if (fstatat(from_fd, from_path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode))
		qtrace_refuse(from, "directories may not be renamed");
	r.inode = inode_at(from_fd, from_path);
	rc = (int)syscall(SYS_renameat2, (long)from_fd, from_path, (long)to_fd,
	    to_path, (long)flags, 0L);
	if (rc == 0) {
		(void)qtrace_write(&r, "rename", from, to, NULL, 0, 0);
		for (int fd = 0; fd < 1024; fd++) {
			struct qtrace_file *f = qtrace_file(fd);

			if (f != NULL && strcmp(f->name, from) == 0)
				snprintf(f->name, sizeof(f->name), "%s", to);
		}
	}
	qtrace_leave();
	return rc;
}

int
renameat2(
    int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
	return rename_at(from_fd, from, to_fd, to, flags);
}

int
renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	return rename_at(from_fd, from, to_fd, to, 0);
}

int
rename(const char *from, const char *to)
{
	return rename_at(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int
linkat(int from_fd, const char *from_path, int to_fd, const char *to_path,
    int flags)
{
	struct qtrace_record r = { .call = QTRACE_LINK };
	char from[QTRACE_NAME], to[QTRACE_NAME];
	int rc;

	if (!both(from, to, from_fd, from_path, to_fd, to_path))
		return (int)syscall(SYS_linkat, (long)from_fd, from_path,
		    (long)to_fd, to_path, (long)flags, 0L);
	qtrace_enter();
	r.inode = inode_at(from_fd, from_path);
	rc = (int)syscall(SYS_linkat, (long)from_fd, from_path, (long)to_fd,
	    to_path, (long)flags, 0L);
	if (rc == 0)
		(void)qtrace_write(&r, "link", from, to, NULL, 0, 0);
	qtrace_leave();
	return rc;
}

int
link(const char *from, const char *to)
{
	return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int
symlinkat(const char *target, int dirfd, const char *path)
{
	char name[QTRACE_NAME];

	if (qtrace_name(name, dirfd, path))
		qtrace_refuse(name, "a symbolic link is not modelled");
	return (int)syscall(
	    SYS_symlinkat, target, (long)dirfd, path, 0L, 0L, 0L);
}

int
symlink(const char *target, const char *path)
{
	return symlinkat(target, AT_FDCWD, path);
}

int
unlinkat(int dirfd, const char *path, int flags)
{
	struct qtrace_record r = { .call = QTRACE_UNLINK };
	char name[QTRACE_NAME];
	int rc;

	if (!qtrace_name(name, dirfd, path))
		return (int)syscall(
		    SYS_unlinkat, (long)dirfd, path, (long)flags, 0L, 0L, 0L);
	if (flags & AT_REMOVEDIR)
		r.call = QTRACE_RMDIR;
	qtrace_enter();
	r.inode = inode_at(dirfd, path);
	rc = (int)syscall(
	    SYS_unlinkat, (long)dirfd, path, (long)flags, 0L, 0L, 0L);
	if (rc == 0)
		(void)qtrace_write(&r,
		    r.call == QTRACE_RMDIR ? "rmdir" : "unlink", name, NULL,
		    NULL, 0, 0);
	qtrace_leave();
	return rc;
}

int
unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

int
rmdir(const char *path)
{
	return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int
mkdirat(int dirfd, const char *path, mode_t mode)
{
	struct qtrace_record r = { .call = QTRACE_MKDIR };
	char name[QTRACE_NAME];
	struct stat st;
	int rc;

	if (!qtrace_name(name, dirfd, path))
		return (int)syscall(
		    SYS_mkdirat, (long)dirfd, path, (long)mode, 0L, 0L, 0L);
	qtrace_enter();
	rc = (int)syscall(
	    SYS_mkdirat, (long)dirfd, path, (long)mode, 0L, 0L, 0L);
	if (rc == 0 && fstatat(dirfd, path, &st, 0) == 0) {
		r.inode = st.st_ino;
		r.mode = (uint16_t)(st.st_mode & 07777);
		(void)qtrace_write(&r, "mkdir", name, NULL, NULL, 0, 0);
	}
	qtrace_leave();
	return rc;
}

int
mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}

static void
attribute(enum qtrace_call call, const char *libc, const char *name,
    uint64_t inode, mode_t mode)
{
	struct qtrace_record r = {
		.call = (uint8_t)call, .inode = inode, .length = mode
	};

	(void)qtrace_write(&r, libc, name, NULL, NULL, 0, 0);
}

int
fchmod(int fd, mode_t mode)
{
	struct qtrace_file *f = qtrace_file(fd);
	int rc;

	qtrace_enter();
	rc = (int)syscall(SYS_fchmod, (long)fd, (long)mode, 0L, 0L, 0L, 0L);
	if (rc == 0 && f != NULL)
		attribute(QTRACE_MODE, "fchmod", f->name, f->inode, mode);
	qtrace_leave();
	return rc;
}

int
fchmodat(int dirfd, const char *path, mode_t mode, int flags)
{
	char name[QTRACE_NAME];
	bool ours = qtrace_name(name, dirfd, path);
	int rc;

	if (flags != 0 && ours)
		qtrace_refuse("fchmodat", "its flags are not modelled");
	qtrace_enter();
	rc = (int)syscall(
	    SYS_fchmodat, (long)dirfd, path, (long)mode, 0L, 0L, 0L);
	if (rc == 0 && ours)
		attribute(
		    QTRACE_MODE, "fchmod", name, inode_at(dirfd, path), mode);
	qtrace_leave();
	return rc;
}

int
chmod(const char *path, mode_t mode)
{
	return fchmodat(AT_FDCWD, path, mode, 0);
}

int
fchown(int fd, uid_t owner, gid_t group)
{
	struct qtrace_file *f = qtrace_file(fd);
	int rc;

	qtrace_enter();
	rc = (int)syscall(
	    SYS_fchown, (long)fd, (long)owner, (long)group, 0L, 0L, 0L);
	if (rc == 0 && f != NULL)
		attribute(QTRACE_OWNER, "fchown", f->name, f->inode, 0);
	qtrace_leave();
	return rc;
}

int
fchownat(int dirfd, const char *path, uid_t owner, gid_t group, int flags)
{
	char name[QTRACE_NAME];
	bool ours = qtrace_name(name, dirfd, path);
	int rc;

	qtrace_enter();
	rc = (int)syscall(SYS_fchownat, (long)dirfd, path, (long)owner,
	    (long)group, (long)flags, 0L);
	if (rc == 0 && ours)
		attribute(
		    QTRACE_OWNER, "fchown", name, inode_at(dirfd, path), 0);
	qtrace_leave();
	return rc;
}
