#!/bin/sh
# Lints every manual page with mandoc; one TAP line a page.
set -u
cd "$(dirname "$0")/.." || exit 1

n=0
bad=0
for page in man/*.[1-9]; do
	[ -e "$page" ] || continue
	n=$((n + 1))
	if said=$(mandoc -Tlint -W warning "$page" 2>&1) && [ -z "$said" ]; then
		echo "ok $n - $page"
	else
		echo "not ok $n - $page"
		echo "$said" | sed 's/^/# /'
		bad=$((bad + 1))
	fi
done
echo "1..$n"
if [ "$n" -eq 0 ]; then
	echo "# no manual page found in man/"
	exit 1
fi
[ "$bad" -eq 0 ]
