#!/bin/sh
# Runs the daemon out of the source tree: own spool, socket and maildirs under
# var/, on a high port, in the foreground. Called by `make run`.
set -u
cd "$(dirname "$0")/.." || exit 1
top=$(pwd)
build=${BUILD:-build}
port=${PORT:-2525}

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

if [ ! -e var/smtpd.conf ]; then
	cat >var/smtpd.conf <<END
# Written once by \`make run\`; yours to change. See man/smtpd.conf.5.
hostname localhost
spool "$top/var/spool"
control "$top/var/smtpd.sock"
listen on 127.0.0.1 port $port

accept from local for local users any deliver to maildir "$top/var/mail/%{user}"${owner:+ owner $owner}
accept from local for any relay
END
fi

cat <<END
The daemon runs in the foreground, configured by var/smtpd.conf; ^C stops it.
In another terminal, from $top:

  swaks --server 127.0.0.1:$port --from $me@localhost --to $me@localhost
  ls var/mail/$me/new
  $build/smtpctl -s var/smtpd.sock show status
  $build/smtpctl -s var/smtpd.sock pause mda
  $build/smtpctl -s var/smtpd.sock show queue
  $build/smtpctl -s var/smtpd.sock resume mda

END
exec "$build/smtpd" -d -f var/smtpd.conf
