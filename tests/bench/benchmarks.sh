#!/bin/sh
# benchmarks.sh [-o FILE] [-q] [-H HARNESS -P PYTHON -M MODELS | -J JSON ...] DIR...: writes BENCHMARKS.md (or FILE).
#
# DIR...: checkpoint folders; what they can do is timed by `attend bench`, in this one call: encoders at four sizes and on a ragged
# batch, decoders reading and writing, encoder-decoders, classifiers learning. Nothing but a shell is needed for this part.
#
# -H -P -M: also side by side with other engines: HARNESS is the folder of the reference harness (peers.py and
# tokenizers_bench.py), PYTHON one with the engines installed, MODELS the folder of its checkpoints. Takes an hour.
# -J FILE: take these results of peers.py (--json), and of tokenizers_bench.py, instead of running them; may be repeated, later
# ones replace rows of earlier ones. Needs -P.
# -q: one short round, to try the set-up; its numbers are not worth writing down.
#
# ATTEND=path of the command (default build/attend), THREADS=2. Nothing else may run on the machine meanwhile.
# The file holds ratios and shares of the machine's limit only: times of different machines do not compare.
set -u
tree=$(cd "$(dirname "$0")/../.." && pwd)
out=$tree/BENCHMARKS.md
harness= python= models= jsons= quick=false
while getopts o:H:P:M:J:qh option; do
	case $option in
	o) out=$OPTARG ;;
	H) harness=$OPTARG ;;
	P) python=$OPTARG ;;
	M) models=$OPTARG ;;
	J) jsons="$jsons $OPTARG" ;;
	q) quick=true ;;
	h) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 0 ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
usage() { echo "benchmarks.sh: $*; see -h" >&2; exit 2; }
[ $# -gt 0 ] || [ -n "$harness$jsons" ] || usage "no checkpoint folder"
[ -z "$harness" ] || [ -n "$python" -a -n "$models" ] || usage "-H needs -P and -M"
[ -z "$jsons" ] || [ -n "$python" ] || usage "-J needs -P"
attend=${ATTEND:-$tree/build/attend}
[ -x "$attend" ] || { echo "no command at $attend: build it, or set ATTEND" >&2; exit 1; }
threads=${THREADS:-2}
rounds=5
profiles=3
$quick && rounds=1 profiles=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
LC_ALL=C
export LC_ALL
say() { echo "$*" >&2; }
load=$(cut -d' ' -f1 /proc/loadavg 2>/dev/null || echo 0)
awk -v l="$load" 'BEGIN { exit !(l > 0.5) }' && say "warning: load $load before the start; the numbers will not be worth much"

# A ragged batch: 32 lengths as sentences have them, 3 to 59 tokens.
echo "14 9 27 6 21 38 11 17 25 8 30 13 45 19 5 23 16 33 10 28 7 20 52 12 36 18 24 15 59 3 29 22" >"$work/lengths"

number() { sed -n "s/.*\"$1\": \([0-9.][0-9.]*\).*/\1/p"; }
bench() { "$attend" bench --threads "$threads" --json "$@" 2>"$work/why"; }

# repeats FIRST_MS: how many repetitions of a round take about half a second.
repeats() { awk -v m="$1" 'BEGIN { n = int(500 / (m + 0.001)); print (n < 2 ? 2 : (n > 20 ? 20 : n)) }'; }

# measure BENCH-ARGUMENT...: the least time of all rounds into $least, its floor into $floor; false: attend refuses.
measure()
{
	bench --warmup 1 --repeat 1 "$@" >"$work/first" || return 1
	n=$(repeats "$(number min_ms <"$work/first")")
	$quick && n=1
	for round in $(seq $rounds); do bench --warmup 1 --repeat "$n" "$@" | number min_ms; done >"$work/times"
	least=$(sort -g "$work/times" | head -n 1)
	for round in $(seq "$profiles"); do
		bench --warmup 1 --repeat 2 --profile "$@" >"$work/profile" || return 1
		grep -o '"floor_ms": [0-9.]*' "$work/profile" | awk '{ s += $2 } END { print s }'
	done >"$work/floors"
	floor=$(sort -g "$work/floors" | head -n 1) # by the best limits that were measured
}

# row TITLE TYPES BENCH-ARGUMENT...: one line of the table per weight type.
row()
{
	title=$1
	types=$2
	shift 2
	whole=
	for type in $types; do
		if ! measure --dtype "$type" "$@"; then
			echo "| $title | $type | - | - | not run: $(sed 's/^attend[a-z ]*: //' "$work/why" | head -n 1) |"
			continue
		fi
		[ -n "$whole" ] || whole=$least
		awk -v t="$title" -v k="$type" -v f="$floor" -v l="$least" -v w="$whole" \
			'BEGIN { printf "| %s | %s | %.0f %% | %.2f | |\n", t, k, 100 * f / l, w / l }'
		say "$title, $type"
	done
}

# scaling TITLE BENCH-ARGUMENT...: what more threads than one give.
scaling()
{
	title=$1
	shift
	[ "$threads" -gt 1 ] || return
	measure "$@" || return
	all=$least
	all_threads=$threads
	threads=1
	measure "$@" && awk -v t="$title" -v a="$least" -v b="$all" -v n="$all_threads" \
		'BEGIN { printf "| %s | f32 | - | - | %d threads against one: %.2f x |\n", t, n, a / b }'
	threads=$all_threads
}

alone()
{
	name=$(basename "$1")
	"$attend" inspect --json "$1" >"$work/inspect" 2>"$work/why" || { echo "| $name | - | - | - | $(cat "$work/why") |"; return; }
	has() { grep -q "$1" "$work/inspect"; }
	if has '"encoder": {' && has '"decoder": {'; then
		row "$name 64 -> 32" "f32 bf16 int8" -m "$1" --task seq2seq --tokens 64 --new-tokens 32
		row "$name 64 -> 32, x 8" "f32 bf16 int8" -m "$1" --task seq2seq --batch 8 --tokens 64 --new-tokens 32
		row "$name 64 -> 32, 4 beams" "f32 bf16 int8" -m "$1" --task seq2seq --tokens 64 --new-tokens 32 --num-beams 4
	elif has '"decoder": {'; then
		row "$name prefill 1 x 128" "f32 bf16 int8 int4" -m "$1" --task prefill --tokens 128
		row "$name prefill 1 x 512" "f32 bf16 int8 int4" -m "$1" --task prefill --tokens 512
		row "$name decode 64 + 64" "f32 bf16 int8 int4" -m "$1" --task decode --tokens 64 --new-tokens 64
		row "$name decode 64 + 64, x 8" "f32 bf16 int8 int4" -m "$1" --task decode --batch 8 --tokens 64 --new-tokens 64
	elif has 'ForSequenceClassification'; then
		row "$name train 8 x 128" "f32 bf16" -m "$1" --task train --batch 8 --tokens 128
	else
		for size in 1x16 1x128 1x512 8x128; do
			row "$name encode $size" "f32 bf16 int8" -m "$1" --batch "${size%x*}" --tokens "${size#*x}"
		done
		row "$name encode 32 ragged" "f32 bf16 int8" -m "$1" --batch 32 --lengths "$work/lengths"
		scaling "$name encode 8x128" -m "$1" --batch 8 --tokens 128
	fi
}

version() { "$attend" --version -v | sed -n "s/^$1: //p"; }
cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)
{
	echo "# Benchmarks"
	echo
	echo "Made by \`sh tests/bench/benchmarks.sh\` on $(date -u '+%-d %B %Y'); its head says how anyone can make them anew. Ratios and shares"
	echo "of the machine's limit only: times of different machines do not compare."
	echo
	echo "| machine | |"
	echo "|---|---|"
	echo "| CPU | ${cpu:-$(uname -m)}, $(getconf _NPROCESSORS_ONLN) logical CPUs, $threads threads used |"
	echo "| system | $(uname -sm), $(. /etc/os-release 2>/dev/null && echo "${PRETTY_NAME:-}"), load $load before the start |"
	echo "| attend | $(version version), $(version compiler), kernels $(version kernels), $(git -C "$tree" rev-parse --short HEAD 2>/dev/null || echo 'no commit') |"
	if [ $# -gt 0 ]; then
		echo
		echo "## attend alone"
		echo
		echo "Share of the limit: the time that arithmetic in registers and reading memory would take at the speeds that \`attend bench"
		echo "--profile\` measures at its start, over the best time. It is not reachable: norms, softmax and choosing tokens are free in it. Of"
		echo "f32: how many times faster than the f32 row."
		echo
		echo "| row | weights | of the limit | of f32 | |"
		echo "|---|---|---|---|---|"
		for folder; do alone "$folder"; done
	fi
} >"$work/md"

if [ -n "$harness" ]; then
	$quick && short=--quick || short=
	"$python" "$harness/peers.py" --models "$models" --suite all --attend "$attend" --threads "$threads" $short --json "$work/peers.json" \
		>/dev/null || exit 1
	"$python" "$harness/tokenizers_bench.py" --attend "$attend" --json "$work/tokenizers.json" >/dev/null || exit 1
	jsons="$jsons $work/peers.json $work/tokenizers.json"
fi
# shellcheck disable=SC2086 # a list
if [ -n "$jsons" ]; then
	"$python" "$tree/tests/bench/peers_table.py" $jsons >>"$work/md" || exit 1
fi
cp "$work/md" "$out" && say "wrote $out"
