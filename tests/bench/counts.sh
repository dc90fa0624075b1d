#!/bin/sh
# counts.sh [--record] [TASK...]: counts the instructions of small fixed tasks under valgrind's callgrind and compares them with
# tests/bench/counts.txt, because counts stay where times do not. ATTEND=path of the command (default build/attend).
#
# Of every task two figures: `first` is a whole process with one repetition (start, loading, packing, the first pass), `again` what
# a second repetition adds. One thread; the level is forced (ATTEND_ISA) to one that valgrind knows. A figure more than 5 % above
# its record fails; one more than 5 % below is told, so that the gain can be kept: run again with --record, look at the
# difference, commit it. --record without tasks makes the whole file anew.
#
# Counts hold for one compiler and one valgrind on one kind of CPU; where one of them differs from what the file says, nothing is
# compared and the status is 77 (skipped). Wanted: 0. A task that fails or a count that rose: 1.
set -u
tree=$(cd "$(dirname "$0")/../.." && pwd)
record=false
[ "${1:-}" = --record ] && { record=true; shift; }
wanted=" $* "
attend=${ATTEND:-$tree/build/attend}
[ -x "$attend" ] || { echo "no command at $attend: build it, or set ATTEND" >&2; exit 1; }
attend=$(cd "$(dirname "$attend")" && pwd)/$(basename "$attend")
file=$tree/tests/bench/counts.txt
limit=5 # per cent
skip() { echo "skipped: $*"; exit 77; }

command -v valgrind >/dev/null || skip "no valgrind"
ATTEND_DATA=$tree/models/pretrained
LC_ALL=C
export ATTEND_DATA LC_ALL
unset ATTEND_ISA LD_PRELOAD MALLOC_PERTURB_ MALLOC_ARENA_MAX
version() { "$attend" --version -v | sed -n "s/^$1: //p"; }
case " $(version 'cpu levels') " in *" avx2 "*) ;; *) skip "this CPU has no AVX2" ;; esac
here="compiler: $(version compiler); $(valgrind --version); $(uname -m); libc $(getconf GNU_LIBC_VERSION 2>/dev/null || echo unknown)"
made=$(sed -n 's/^# \(compiler: .*\)/\1/p' "$file" 2>/dev/null)
$record || [ "$here" = "$made" ] || skip "counts were taken with \"$made\", here is \"$here\""

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$tree" || exit 1
echo 'The cat sat on the [MASK].' >"$work/mask.txt"
head -n 40 tests/data/stories.txt >"$work/text.txt"
failed=0

# count LEVEL REPEAT BENCH-ARGUMENT...: instructions of the process.
count()
{
	level=$1
	repeat=$2
	shift 2
	ATTEND_ISA=$level valgrind --tool=callgrind --callgrind-out-file=/dev/null "$attend" bench --threads 1 --warmup 0 \
		--repeat "$repeat" --json "$@" >"$work/out" 2>"$work/err" || { cat "$work/err" >&2; return 1; }
	sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$work/err"
}

# compare NAME FIGURE COUNT
compare()
{
	before=$(awk -v n="$1" -v f="$2" '$1 == n { print f == "first" ? $2 : $3 }' "$file" 2>/dev/null)
	if $record; then echo "$1 $2 $3${before:+ (was $before)}"; return; fi
	[ -n "$before" ] || { echo "$1 $2: no record of it"; failed=1; return; }
	change=$(awk -v a="$before" -v b="$3" 'BEGIN { printf "%+.2f", 100 * (b - a) / a }')
	verdict=$(awk -v c="$change" -v l=$limit 'BEGIN { print (c > l ? "MORE" : (c < -l ? "fewer: --record keeps it" : "ok")) }')
	echo "$1 $2: $3, $change % $verdict"
	[ "$verdict" = MORE ] && failed=1
}

# task NAME LEVEL BENCH-ARGUMENT...
task()
{
	name=$1
	level=$2
	shift 2
	[ "$wanted" = "  " ] || case $wanted in *" $name "*) ;; *)
		awk -v n="$name" '$1 == n' "$file" >>"$work/new" 2>/dev/null
		return
		;;
	esac
	one=$(count "$level" 1 "$@") && two=$(count "$level" 2 "$@") || { echo "$name: did not run"; failed=1; return; }
	compare "$name" first "$one"
	compare "$name" again $((two - one))
	echo "$name $one $((two - one))" >>"$work/new"
}

bert=models/pretrained/bert-mini
gpt2=models/pretrained/gpt2-mini
seq2seq=models/pretrained/seq2seq-mini
task encode-f32 avx2 -m $bert --tokens 8
task encode-bf16 avx2 -m $bert --tokens 8 --dtype bf16
task encode-int8 avx2 -m $bert --tokens 8 --dtype int8
task encode-int4 avx2 -m $bert --tokens 8 --dtype int4
task encode-portable portable -m $bert --tokens 8
task prefill-f32 avx2 -m $gpt2 --task prefill --tokens 8
task decode-f32 avx2 -m $gpt2 --task decode --tokens 4 --new-tokens 5
task decode-int8 avx2 -m $gpt2 --task decode --tokens 4 --new-tokens 5 --dtype int8
task beams-f32 avx2 -m $seq2seq --task seq2seq --tokens 8 --new-tokens 5 --num-beams 3
task train-f32 avx2 -m tests/golden/checkpoints/bert_seqcls_single --task train --batch 2 --tokens 8
task cold-f32 avx2 -m $bert --task cold --input "$work/mask.txt"
task wordpiece avx2 -m $bert --task tokenize --input-file "$work/text.txt"
task bytes-bpe avx2 -m $gpt2 --task tokenize --input-file "$work/text.txt"
task bytes-bpe-offsets avx2 -m $gpt2 --task tokenize --offsets --input-file "$work/text.txt"

if $record && [ $failed = 0 ]; then
	{
		echo "# Instructions: task, first, again. Made by tests/bench/counts.sh --record; what they mean stands there."
		echo "# $here"
		cat "$work/new"
	} >"$work/counts" && cp "$work/counts" "$file"
fi
exit $failed
