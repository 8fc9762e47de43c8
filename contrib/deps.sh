#!/bin/sh
# Installs what is missing to build and to test; silent when all is there.
# Things are looked for themselves (a program, a pkg-config module, a Perl
# module), so that it does not matter who put them there.
set -u
cd "$(dirname "$0")/.." || exit 1

# what to look for | use | Debian | Fedora | FreeBSD | Alpine | purpose
# A dash: part of the system, or not needed there.
list() {
	cat <<'END'
cmd:cc|build|gcc|gcc|-|gcc|C11 compiler
hdr:stdio.h|build|libc6-dev|glibc-devel|-|musl-dev|the C library's headers
cmd:make|build|make|make|gmake|make|GNU make
cmd:pkg-config|build|pkg-config|pkgconf|pkgconf|pkgconf|finds the libraries
pc:libevent_extra|build|libevent-dev|libevent-devel|libevent|libevent-dev|event loop
pc:libevent_openssl|build|libevent-dev|libevent-devel|libevent|libevent-dev|TLS sockets
pc:libcrypto|build|libssl-dev|openssl-devel|-|openssl-dev|digests, TLS
pc:libzstd|build|libzstd-dev|libzstd-devel|zstd|zstd-dev|compression
pc:hogweed|build|nettle-dev|nettle-devel|nettle|nettle-dev|libunbound.pc asks for it
pc:libunbound|build|libunbound-dev|unbound-devel|unbound|unbound-dev|DNS
pc:jansson|build|libjansson-dev|jansson-devel|jansson|jansson-dev|JSON
pc:libbsd-overlay|build|libbsd-dev|libbsd-devel|-|libbsd-dev|BSD calls
pc:ncursesw|build|libncurses-dev|ncurses-devel|-|ncurses-dev|screens
pc:cmocka|test|libcmocka-dev|libcmocka-devel|cmocka|cmocka-dev|unit tests
cmd:prove|test|perl|perl-Test-Harness|perl5|perl-utils|system tests
perl:Test::More|test|perl|perl-Test-Simple|perl5|perl|system tests
perl:IO::Socket::SSL|test|libio-socket-ssl-perl|perl-IO-Socket-SSL|p5-IO-Socket-SSL|perl-io-socket-ssl|remote hosts with TLS
perl:Email::MIME|test|libemail-mime-perl|perl-Email-MIME|p5-Email-MIME|perl-email-mime|reads bounces
cmd:python3|test|python3|python3|python3|python3|remote hosts of the tests
cmd:openssl|test|openssl|openssl|-|openssl|makes certificates
py:aiosmtpd|test|python3-aiosmtpd|python3-aiosmtpd|py311-aiosmtpd|py3-aiosmtpd|an independent SMTP server
cmd:swaks|test|swaks|swaks|swaks|swaks|an independent SMTP client
cmd:curl|test|curl|curl|curl|curl|an independent SMTP client
cmd:nsd|test|nsd|nsd|nsd|nsd|a real name server for MX
cmd:ldns-signzone|test|ldnsutils|ldns-utils|ldns|ldns-tools|signs its zones
cmd:openssl|test|openssl|openssl|-|openssl|certificates for tests
cmd:strace|test|strace|strace|-|strace|counts flushes, injects faults
cmd:mandoc|test|mandoc|mandoc|-|mandoc|checks the manual
cmd:tmux|test|tmux|tmux|tmux|tmux|a terminal for tests of screens
cmd:setpriv|test|util-linux|util-linux|-|setpriv|tests under another user
cmd:mkfs.ext4|test|e2fsprogs|e2fsprogs|-|e2fsprogs|a device whose every octet is searched
cmd:ps|test|procps|procps-ng|-|procps|tests look at processes
END
}

there() {
	case $1 in
	cmd:*) command -v "${1#*:}" || [ -x "/usr/sbin/${1#*:}" ] ;;
	hdr:*) [ -e "/usr/include/${1#*:}" ] ;;
	pc:*) pkg-config --exists "${1#*:}" ;;
	perl:*) perl -e "use ${1#*:};" ;;
	py:*) python3 -c "import ${1#*:}" ||
		/usr/bin/python3 -c "import ${1#*:}" ;;
	esac >/dev/null 2>&1
}

# Prints "use|Debian|Fedora|FreeBSD|Alpine" of all that is not found.
missing() {
	list | while IFS='|' read -r what use deb rpm fbsd apk purpose; do
		there "$what" || echo "$use|$deb|$rpm|$fbsd|$apk"
	done
}

# names FIELD [USE]: the missing packages of one system on one line.
names() {
	echo "$lacking" | grep "^${2:-}" | cut -d'|' -f"$1" | grep -v '^-*$' |
		sort -u | tr '\n' ' '
}

# Packages that bring a service must not start it, least of all on port 53.
apt_install() {
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		trap 'rm -f $policy' EXIT
		trap 'exit 1' INT TERM HUP
		printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy
	fi
	had_nsd=$(command -v nsd || ls /usr/sbin/nsd 2>/dev/null)
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq &&
		apt-get install -y -qq --no-install-recommends "$@" || return 1
	if [ -z "$had_nsd" ] && command -v systemctl >/dev/null 2>&1; then
		systemctl -q disable nsd 2>/dev/null
	fi
	return 0
}

lacking=$(missing)
if [ -n "$lacking" ]; then
	if ! command -v apt-get >/dev/null 2>&1; then
		echo "deps: missing; install with the line of your system:"
		echo "  dnf install $(names 3)"
		echo "  pkg install $(names 4)"
		echo "  apk add $(names 5)"
	elif [ "$(id -u)" -ne 0 ]; then
		echo "deps: missing; install as root with:"
		echo "  apt-get install --no-install-recommends $(names 2)"
	else
		echo "deps: installing $(names 2)"
		# shellcheck disable=SC2046
		apt_install $(names 2) || echo "deps: apt-get failed"
	fi
	lacking=$(missing)
	if [ -n "$(names 2 build)$(names 3 build)" ]; then
		echo "deps: cannot build without:"
		echo "$lacking" | sed -n 's/^build|\([^|]*\).*/  \1/p'
		exit 1
	fi
fi

# Each role runs under its own user when the daemon is started as root.
if [ "$(id -u)" -eq 0 ] && [ -e contrib/users.sh ]; then
	sh contrib/users.sh
fi
