#!/bin/sh
# format.sh [--fix]: every source as clang-format 14 writes it. Status 1 when a file differs.
set -u
cd "$(dirname "$0")/.."
tool=$(command -v clang-format-14 || command -v clang-format) || { echo "format: clang-format is not installed" >&2; exit 1; }

# Many files a call, two calls at a time: starting the tool takes longer than a file.
run()
{
	find lib loaders models tokenizer apps tests -name '*.[ch]' | xargs -n 40 -P 2 "$tool" "$@"
}

if [ "${1:-}" = --fix ]; then
	run -i
	exit
fi
if report=$(run --dry-run --Werror 2>&1); then
	echo "format: clean"
	exit 0
fi
files=$(echo "$report" | sed -n 's/^\([^ :]*\):[0-9]*:[0-9]*: error: .*/\1: sh tests\/format.sh --fix/p' | sort -u)
echo "${files:-$report}"
exit 1
