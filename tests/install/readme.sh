#!/bin/sh
# readme.sh BUILD-FOLDER: the C program in README.md compiles without warnings and runs.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
awk '/^```c$/ && !done {inside = 1; next} /^```$/ && inside {inside = 0; done = 1} inside' README.md >"$work/program.c"
[ -s "$work/program.c" ] || { echo "README.md holds no C program"; exit 1; }
${CC:-cc} -std=c11 -Wall -Wextra -Werror -I "$1/include/attend" -o "$work/program" "$work/program.c" -L "$1" -lattend
ATTEND_DATA=$PWD/models/pretrained LD_LIBRARY_PATH=$1 "$work/program" >"$work/out" || { cat "$work/out"; exit 1; }
[ -s "$work/out" ] || { echo "the program printed nothing"; exit 1; }
