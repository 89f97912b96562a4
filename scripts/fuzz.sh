#!/usr/bin/env bash
# Runs every fuzz target of the packages given (all of the module by default)
# for the time given, one after another.
# usage: fuzz.sh [TIME [PACKAGE...]]
set -euo pipefail
go=${GO:-go}
time=${1:-10s}
shift || true
[ $# -gt 0 ] || set -- ./...
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# fuzz PACKAGE TARGET
fuzz() { $go test -run '^$' -fuzz "^$2\$" -fuzztime "$time" "$1" 2>&1 | tee "$out"; }

# out_of_time: the fuzzer sometimes counts the end of its own time as a failure,
# when an input is under way then. There is no failing input, so once more.
out_of_time() { grep -q '^    context deadline exceeded$' "$out" && ! grep -qE 'Failing input|panic|_test\.go:' "$out"; }

ran=0
for package in $($go list "$@"); do
	for target in $($go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		echo "$package $target ($time)"
		fuzz "$package" "$target" || { out_of_time && fuzz "$package" "$target"; } || exit 1
		ran=$((ran + 1))
	done
done
echo "$ran fuzz targets ran"
test "$ran" -gt 0
