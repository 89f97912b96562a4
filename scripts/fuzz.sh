#!/usr/bin/env bash
# Runs every fuzz target of the packages given (all of the module by default)
# for the time given, one after another.
# usage: fuzz.sh [TIME [PACKAGE...]]
set -euo pipefail
go=${GO:-go}
time=${1:-10s}
shift || true
[ $# -gt 0 ] || set -- ./...
ran=0
for package in $($go list "$@"); do
	for target in $($go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		echo "$package $target ($time)"
		$go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package"
		ran=$((ran + 1))
	done
done
echo "$ran fuzz targets ran"
test "$ran" -gt 0
