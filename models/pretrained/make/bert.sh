#!/bin/sh
# bert.sh WORK OUT SHORT LONGER LONGEST LAST: pretrain bert-mini from scratch on the lines that prepare.sh made in WORK, 1,024 tokens
# an update: SHORT updates of blocks of 32 tokens, LONGER of 64 and LONGEST of 256 at a constant rate, then LAST of 128 in which it falls
# to zero. ATTEND: the command; PYTHON: one with numpy and safetensors. Runs that were stopped go on.
set -e
work=$1 out=$2 here=$(dirname "$0") attend=${ATTEND:-attend}
short=$3 longer=$4 longest=$5 last=$6
new=$out/new start=$out/start
if [ ! -e "$new/config.json" ]; then
	mkdir -p "$out"
	"$attend" train-tokenizer --type bert --vocab-size 8000 --limit-alphabet 120 --model-max-length 256 -o "$new" "$work/bert.train.txt"
	cp "$here/bert-mini.json" "$new/config.json"
fi
if [ ! -e "$start/ready" ]; then # new weights, by an update of rate 0, and then where the neighbours are
	head -n 50 "$work/bert.held.txt" > "$out/few.txt"
	"$attend" finetune --task mlm --from-scratch -m "$new" --train-file "$out/few.txt" --max-seq-length 32 --learning-rate 0 \
		--max-steps 1 --seed 1 -t 1 --overwrite-output-dir -o "$start"
	"${PYTHON:-python3}" "$here/neighbours.py" "$start"
	: > "$start/ready"
fi
train() { # OUT, options
	to=$1
	shift
	[ ! -e "$to/model.safetensors" ] || return 0
	set -- --task mlm --train-file "$work/bert.train.txt" --validation-file "$work/bert.held.txt" --bf16 --weight-decay 0.05 \
		--adam-beta2 0.98 --dropout 0 --eval-strategy steps --eval-steps 500 --per-device-eval-batch-size 32 --save-strategy steps \
		--save-steps 250 --save-total-limit 2 -t 1 -o "$to" "$@"
	[ ! -e "$to" ] || set -- --resume "$@"
	"$attend" finetune "$@"
}
constant="--learning-rate 1e-3 --lr-scheduler-type constant_with_warmup --warmup-steps"
train "$out/32" -m "$start" --max-seq-length 32 --per-device-train-batch-size 32 $constant 200 --max-steps "$short" --seed 1
train "$out/64" -m "$out/32" --max-seq-length 64 --per-device-train-batch-size 16 $constant 100 --max-steps "$longer" --seed 2
train "$out/256" -m "$out/64" --max-seq-length 256 --per-device-train-batch-size 4 $constant 50 --max-steps "$longest" --seed 3
train "$out/128" -m "$out/256" --max-seq-length 128 --per-device-train-batch-size 8 --mlm-probability 0.2 --learning-rate 1.5e-3 \
	--lr-scheduler-type linear --warmup-steps 200 --max-steps "$last" --seed 4
