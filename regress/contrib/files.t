#!/bin/sh
# What contrib/ and the run target hand out is in order: configurations pass
# smtpd -n, with the lines that are offered in comments too; scripts parse.
BUILD=${BUILD:-build}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0

check() {
	name=$1
	shift
	n=$((n + 1))
	if "$@" >"$dir/out" 2>&1; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		sed 's/^/# /' "$dir/out"
	fi
}

for script in contrib/*.sh regress/*.sh; do
	check "$script parses" sh -n "$script"
done

# The paths of a real host need not be there.
: >"$dir/aliases"
sed "s,/etc/aliases,$dir/aliases," contrib/smtpd.conf >"$dir/plain.conf"
check 'contrib/smtpd.conf' "$BUILD/smtpd" -n -f "$dir/plain.conf"
sed -e 's/^#	//' -e 's/^listen on eth0/listen on 127.0.0.2/' "$dir/plain.conf" \
	>"$dir/all.conf"
check 'contrib/smtpd.conf with what it offers' \
	"$BUILD/smtpd" -n -f "$dir/all.conf"

mkdir -p "$dir/tree/contrib" "$dir/tree/bin"
cp contrib/run.sh "$dir/tree/contrib"
printf '#!/bin/sh\nexec "$SMTPD" -n -f var/smtpd.conf\n' >"$dir/tree/bin/smtpd"
chmod +x "$dir/tree/bin/smtpd"
case $BUILD in
/*) SMTPD=$BUILD/smtpd ;;
*) SMTPD=$(pwd)/$BUILD/smtpd ;;
esac
export SMTPD
check 'the configuration of make run' \
	env BUILD=bin sh "$dir/tree/contrib/run.sh"
check 'and its spool is under var/' \
	grep -q "^spool \"$dir/tree/var/spool\"" "$dir/tree/var/smtpd.conf"
check 'nothing missing: deps.sh says nothing' \
	sh -c 'out=$(sh contrib/deps.sh) && test -z "$out"'
echo "1..$n"
