#!/bin/sh
# Holds every #include "..." against the storeys of the house: a folder may
# include itself and what its row names. See ARCHITECTURE.md.
set -u
cd "$(dirname "$0")/.." || exit 1

allowed() {
	case $1 in
	lib/compat) echo ;;
	lib/base) echo lib/compat ;;
	lib/mail) echo lib/base lib/compat ;;
	lib/proto) echo lib/mail lib/base lib/compat ;;
	lib/cli) echo lib/base lib/proto lib/compat ;;
	queue) echo lib/mail lib/base lib/compat ;;
	daemon) echo daemon/* lib/base lib/compat ;;
	daemon/conf) echo lib/mail lib/base lib/compat ;;
	daemon/net) echo lib/proto lib/mail lib/base lib/compat ;;
	daemon/proc) echo daemon/conf daemon/edge lib/proto lib/cli lib/base lib/compat ;;
	daemon/edge) echo daemon/conf lib/proto lib/mail lib/base lib/compat ;;
	daemon/agents) echo lib/base lib/compat ;;
	daemon/spooler) echo queue daemon/proc daemon/conf daemon/net \
		daemon/edge lib/proto lib/mail lib/cli lib/base lib/compat ;;
	daemon/*) echo daemon/proc daemon/conf daemon/net daemon/edge \
		lib/proto lib/mail lib/cli lib/base lib/compat ;;
	tools/qtool) echo queue daemon/conf lib/proto lib/mail lib/cli lib/base lib/compat ;;
	tools/*) echo lib/proto lib/mail lib/cli lib/base lib/compat ;;
	bench | bench/lib | regress/unit | regress/fuzz | regress/spool | regress/qcrash | \
		regress/sim) echo any ;;
	backends*) echo lib/sdk ;;
	*) echo none ;;
	esac
}

bad=0
held=0
for dir in $(git ls-files -co --exclude-standard '*.c' '*.h' |
	sed 's,/[^/]*$,,' | sort -u); do
	may=" $dir $(allowed "$dir" | tr '\n' ' ') "
	for file in "$dir"/*.[ch]; do
		[ -f "$file" ] || continue
		for inc in $(sed -n 's/^#include "\(.*\)".*/\1/p' "$file"); do
			held=$((held + 1))
			to=${inc%/*}
			case $may in
			*" $to "* | *" any "*) ;;
			*)
				echo "layers: $file includes $inc: $dir may not use $to"
				bad=$((bad + 1))
				;;
			esac
		done
	done
done
stems=$(git ls-files -co --exclude-standard '*.c' | grep -v '^regress\|^bench' |
	sed 's,.*/,,' | sort | uniq -d)
for stem in $stems; do
	[ "$stem" = main.c ] && continue
	echo "layers: two files are called $stem"
	bad=$((bad + 1))
done
if [ "$bad" -gt 0 ]; then
	echo "layers: $bad of $held includes against the storeys"
	exit 1
fi
echo "layers: $held includes, all downwards"
