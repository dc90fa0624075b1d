#!/bin/sh
# format.sh [--fix]: every source as clang-format 14 writes it. Status 1 when a file differs.
set -u
cd "$(dirname "$0")/.."
tool=$(command -v clang-format-14 || command -v clang-format) || { echo "format: clang-format is not installed" >&2; exit 1; }
files=$(find lib loaders models tokenizer apps tests -name '*.[ch]' | sort)
if [ "${1:-}" = --fix ]; then
	# shellcheck disable=SC2086 # a list of files
	exec "$tool" -i $files
fi
status=0
for file in $files; do
	"$tool" "$file" | cmp -s - "$file" || { echo "$file: sh tests/format.sh --fix"; status=1; }
done
[ $status = 0 ] && echo "format: clean"
exit $status
