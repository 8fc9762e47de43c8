#!/bin/sh
# Runs the daemon out of the source tree: own spool, socket and maildirs under
# var/, on a high port, in the foreground. Called by `make run`.
set -u
cd "$(dirname "$0")/.." || exit 1
top=$(pwd)
build=${BUILD:-build}
conf=var/smtpd.conf

# Mail belongs to whoever starts it. Root delivers as the person behind sudo,
# or as the owner of the checkout; only where both are root as root.
owner=
if [ "$(id -u)" -eq 0 ]; then
	owner=${SUDO_USER:-}
	[ -n "$owner" ] || owner=$(ls -ld . | awk '{ print $3 }')
	# A checkout from elsewhere may belong to nobody here.
	id "$owner" >/dev/null 2>&1 || owner=root
fi
me=${owner:-$(id -un)}

mkdir -p var/mail || exit 1
if [ -n "$owner" ]; then
	chown "$owner" var var/mail || exit 1
fi

# The port is PORT, else that of the last time.
last=$(sed -n 's/^listen on 127\.0\.0\.1 port \([0-9]*\)$/\1/p' $conf 2>/dev/null)
port=${PORT:-${last:-2525}}
if [ ! -e $conf ]; then
	cat >$conf <<END
# Written once by \`make run\`; yours to change. See man/smtpd.conf.5.
hostname localhost
spool "$top/var/spool"
control "$top/var/smtpd.sock"
listen on 127.0.0.1 port $port

accept from local for local users any deliver to maildir "$top/var/mail/%{user}"${owner:+ owner $owner}
accept from local for any relay
END
elif [ -n "$last" ] && [ "$port" != "$last" ]; then
	sed "s/^\(listen on 127\.0\.0\.1 port\) $last\$/\1 $port/" $conf \
		>$conf.new && mv $conf.new $conf || exit 1
fi

send="swaks --server 127.0.0.1:$port --from $me@localhost --to $me@localhost"
ctl="$build/smtpctl -s var/smtpd.sock"
cat <<END
The daemon runs in the foreground, configured by $conf; ^C stops it.
In another terminal, from $top:

  $send
  ls var/mail/$me/new
  $ctl show status

Keep the next one in the queue, look at it, and let it go:

  $ctl pause mda
  $send
  $ctl show queue
  $ctl resume mda

END
exec "$build/smtpd" -d -f $conf
