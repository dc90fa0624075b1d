#!/bin/sh
# run.sh [--record] CASE...: runs the commands of case files and compares standard output, standard error and exit status
# to the byte. ATTEND=path of the command (default build/attend). A case file, tests/cli/NAME.case:
#
#     # Text before the first command and lines that begin with '#' are comments.
#     $ attend fill-mask --top-k 1 "The capital of France is [MASK]."
#     > {"score": ...}             expected standard output
#     ! attend: something          expected standard error
#     ? 2                          expected status, when it is not 0
#
# '\' alone after a line of output: it ended without a newline. Commands run one after the other under sh in an empty folder
# that has the links models (models/pretrained) and tests (the tree's), so that no path of this machine shows. --record writes
# into the file what the commands print now.
set -u
tree=$(cd "$(dirname "$0")/../.." && pwd)
record=false
[ "${1:-}" = --record ] && { record=true; shift; }
[ $# -gt 0 ] || set -- "$tree"/tests/cli/*.case
attend=${ATTEND:-$tree/build/attend}
attend=$(cd "$(dirname "$attend")" && pwd)/$(basename "$attend")
[ -x "$attend" ] || { echo "no command at $attend: build it, or set ATTEND" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
ln -s "$attend" "$work/bin/attend"
PATH=$work/bin:$PATH
ATTEND_DATA=$tree/models/pretrained
export PATH ATTEND_DATA
unset ATTEND_ISA
LC_ALL=C.UTF-8
export LC_ALL
limit=$(command -v timeout || true)

# Each line of FILE behind MARK; a last line without newline is followed by a backslash.
mark()
{
	[ -s "$2" ] || return 0
	sed "s/^/$1 /; s/^$1 \$/$1/" "$2"
	[ "$(tail -c 1 "$2" | wc -l)" = 1 ] || printf '\n\\\n'
}

run_case()
{
	rm -rf "$work/run"
	mkdir "$work/run"
	ln -s "$tree/models/pretrained" "$work/run/models"
	ln -s "$tree/tests" "$work/run/tests"
	while IFS= read -r line || [ -n "$line" ]; do
		case $line in
		'$ '*)
			printf '%s\n' "$line"
			(cd "$work/run" && exec ${limit:+timeout 280} sh -c "${line#??}") >"$work/out" 2>"$work/err" </dev/null
			status=$?
			mark '>' "$work/out"
			mark '!' "$work/err"
			[ $status = 0 ] || echo "? $status"
			;;
		'>'* | '!'* | '?'* | '\') ;; # an expectation: what is printed now stands in its place
		*) printf '%s\n' "$line" ;;
		esac
	done <"$1"
}

failed=0
for case in "$@"; do
	run_case "$case" >"$work/result"
	if $record; then
		cp "$work/result" "$case"
	elif ! diff -u "$case" "$work/result"; then
		failed=1
	fi
done
exit $failed
