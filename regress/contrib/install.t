#!/bin/sh
# make install with DESTDIR: the programs find each other where they were put,
# no users are made for it, and make uninstall takes everything away again.
BUILD=${BUILD:-build}
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$dir"' EXIT
n=0
ASAN_OPTIONS=detect_leaks=0 # roles end with what they have
export ASAN_OPTIONS

check() {
	name=$1
	shift
	n=$((n + 1))
	if "$@" >"$dir/out" 2>&1; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		sed 's/^/# /' "$dir/out" "$dir/log" 2>/dev/null
	fi
}

# Waits for a command to succeed.
soon() {
	i=0
	until sh -c "$1"; do
		i=$((i + 1))
		[ $i -lt 300 ] || return 1
		sleep 0.2
	done
}

unset MAKEFLAGS MFLAGS MAKELEVEL
make="make -s BUILD=$BUILD SAN=${SAN:-0} DESTDIR=$dir/root"
local=$dir/root/usr/local

# Nothing that makes users may run: these would leave a mark.
mkdir "$dir/bin"
for tool in useradd groupadd adduser addgroup pw; do
	printf '#!/bin/sh\ntouch "%s/users"\n' "$dir" >"$dir/bin/$tool"
	chmod +x "$dir/bin/$tool"
done
check 'make install' env PATH="$dir/bin:$PATH" $make install
check 'no users are made' test ! -e "$dir/users"
check 'mailq is smtpctl' test "$local/bin/mailq" -ef "$local/sbin/smtpctl"

cat >"$dir/conf" <<END
hostname localhost
spool "$dir/spool"
control "$dir/sock"
listen on 127.0.0.1 port 0
accept from local for any deliver to maildir "$dir/mail"$(
	[ "$(id -u)" -ne 0 ] || echo ' owner root')
END
port=$(perl -Iregress/lib -MSpoolkit -e 'print Spoolkit::free_port()')
sed -i "s/port 0/port $port/" "$dir/conf"
chmod 755 "$dir"
"$local/sbin/smtpd" -d -f "$dir/conf" >"$dir/log" 2>&1 &
pid=$!
check 'smtpd is up' soon "grep -q event=ready '$dir/log'"
check 'a message is taken' swaks --server "127.0.0.1:$port" --from a@b.example \
	--to root@localhost
check 'the agent is found in libexec' soon "ls '$dir'/mail/new/*"
check 'mailq' env SMTPD_CONTROL="$dir/sock" "$local/bin/mailq"
check 'smtpctl stop' "$local/sbin/smtpctl" -s "$dir/sock" stop
wait $pid
check 'the daemon ended well' test $? -eq 0
pid=

check 'make uninstall' $make uninstall
check 'nothing is left' sh -c \
	"test -z \"\$(find '$dir/root' ! -type d | tee /dev/stderr)\""
$make install >/dev/null 2>&1
echo '# mine' >>"$dir/root/etc/spoolkit/smtpd.conf"
check 'make uninstall again' $make uninstall
check 'but a configuration that was edited' \
	grep -q '^# mine' "$dir/root/etc/spoolkit/smtpd.conf"
echo "1..$n"
