#!/bin/sh
# run.sh: a disk of its own, too small (a tmpfs, in a mount namespace that ends with this script): refused before the start, and full
# in the middle of a run: the last good checkpoint stays, is named, and the run goes on from it to the same bits. Where no
# namespace or no mount is permitted: 77, and why.
set -u
tree=$(cd "$(dirname "$0")/../.." && pwd)
attend=${ATTEND:-$tree/build/attend}
if [ "${1:-}" != inside ]; then
	work=$(mktemp -d) || exit 1
	trap 'rm -rf "$work" "$work.why"' EXIT
	for how in "unshare -m" "unshare -rm"; do
		$how sh -c 'mount -t tmpfs -o size=1m none "$1"' sh "$work" 2>"$work.why" || continue
		$how sh "$0" inside "$work"
		exit $?
	done
	echo "skipped: no file system of a test's own can be mounted here: $(cat "$work.why")"
	exit 77
fi

work=$2
disk=$work/disk
failed=0
expect() # WHAT FOUND EXPECTED
{
	[ "$2" = "$3" ] && return
	printf '%s: expected "%s", found "%s"\n' "$1" "$3" "$2"
	failed=1
}
small() # BYTES: an empty disk
{
	umount "$disk" 2>/dev/null
	mkdir -p "$disk" && mount -t tmpfs -o size="$1" none "$disk" || exit 1
}
refused() # WHAT OPTION ...: before anything is written
{
	what=$1
	shift
	"$attend" finetune -q $recipe "$@" -o "$disk/out" 2>"$work/err"
	code=$?
	expect "$what" "$code $(sed 's/[0-9][0-9]* MB/N MB/g' "$work/err")" "6 attend: $disk/out: N MB are free, the run needs N MB"
	expect "$what: written" "$(ls -A "$disk")" ""
}
ATTEND_DATA=$tree/models/pretrained
export ATTEND_DATA
recipe="--train-file $tree/tests/data/reviews.tsv --batch-size 4 --max-steps 8 --save-strategy steps --save-steps 2"

# What lies on a disk: the weights of a checkpoint and of the result, and the optimiser's state.
"$attend" finetune -q $recipe -o "$work/whole" || exit 1
weights=$(wc -c <"$work/whole/model.safetensors")
one=$((weights + $(wc -c <"$work/whole/checkpoint-8/optimizer.safetensors")))
room=$((2 * one + weights + 4194304))

small $((4 * one))
refused "too small for four checkpoints and the result"
small $((2 * one))
refused "too small for two of them" --save-total-limit 1
small $((weights / 2))
refused "too small for the result" --save-strategy no
small $room
"$attend" finetune -q $recipe --save-total-limit 1 -o "$disk/out"
expect "just large enough" "$? $(ls "$disk/out" | grep checkpoint)" "0 checkpoint-8"

# Somebody takes the room between two checkpoints.
small $room
("$attend" finetune $recipe --save-total-limit 1 -o "$disk/out" 2>"$work/err"; echo $? >"$work/status") &
until [ -d "$disk/out/checkpoint-2" ] || [ -s "$work/status" ]; do sleep 0.01; done
until fallocate -l $((one + weights / 2)) "$disk/filler" 2>/dev/null || [ -s "$work/status" ]; do sleep 0.01; done
wait
expect "full in the middle" "$(cat "$work/status")" 6
left=$(ls "$disk/out" | sed -n 's/^checkpoint-//p')
expect "what is told" "$(grep '^attend: ' "$work/err" | sed "s|$disk/||g" | sed '2s/.*: No space left on device$/attend: FILE: No space left on device/')" \
	"attend: warning: out: no checkpoint of step $((left + 2)); checkpoint-$left is whole: resume goes on from there
attend: FILE: No space left on device"
expect "what is left half written" "$(find "$disk/out" -name '*.part' -o -name '.checkpoint*')" ""
rm "$disk/filler"
"$attend" finetune $recipe --save-total-limit 1 -o "$disk/out" --resume -q
expect "resumed" $? 0
cmp "$work/whole/model.safetensors" "$disk/out/model.safetensors" || failed=1
umount "$disk"
exit $failed
