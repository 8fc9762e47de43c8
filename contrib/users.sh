#!/bin/sh
# Creates the system users the roles run as, where they are missing. An
# ordinary user needs none and gets none; neither does a staged installation.
set -u
cd "$(dirname "$0")/.." || exit 1

[ "$(id -u)" -eq 0 ] || exit 0
[ -z "${DESTDIR:-}" ] || exit 0

names=$(sed -n 's/.*ROLE_.*"\(_[a-z-]*\)" },$/\1/p' daemon/conf/role.c)
if [ -z "$names" ]; then
	echo "users: daemon/conf/role.c names no users" >&2
	exit 1
fi

nologin=/sbin/nologin
[ -x $nologin ] || nologin=/usr/sbin/nologin

create() {
	if command -v pw >/dev/null 2>&1; then
		pw groupadd -n "$1" &&
			pw useradd -n "$1" -g "$1" -d /nonexistent \
				-s $nologin -w no -c "SMTP spool daemon"
	elif command -v groupadd >/dev/null 2>&1; then
		system=
		[ "$(uname -s)" != Linux ] || system=--system
		{ getent group "$1" >/dev/null || groupadd $system "$1"; } &&
			useradd $system -g "$1" -d /nonexistent -s $nologin \
				-c "SMTP spool daemon" "$1"
	else
		# Busybox
		{ getent group "$1" >/dev/null || addgroup -S "$1"; } &&
			adduser -S -D -H -h /nonexistent -s $nologin \
				-G "$1" -g "SMTP spool daemon" "$1"
	fi
}

bad=0
for name in $names; do
	id "$name" >/dev/null 2>&1 && continue
	if create "$name"; then
		echo "users: created $name"
	else
		echo "users: cannot create $name" >&2
		bad=1
	fi
done
exit $bad
