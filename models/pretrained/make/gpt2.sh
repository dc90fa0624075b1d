#!/bin/sh
# gpt2.sh WORK OUT STEPS LAST: pretrain gpt2-mini from scratch on the text that prepare.sh made in WORK: STEPS updates of 1,024
# tokens at a constant rate, then LAST updates in which it falls to zero. ATTEND: the command. Runs that were stopped go on.
set -e
work=$1 out=$2 steps=$3 last=$4 here=$(dirname "$0") attend=${ATTEND:-attend}
new=$out/start
if [ ! -e "$new/config.json" ]; then
	mkdir -p "$out"
	"$attend" train-tokenizer --type gpt2 --vocab-size 4096 --model-max-length 256 -o "$new" "$work/gpt2.vocabulary.txt"
	cp "$here/gpt2-mini.json" "$new/config.json"
fi
train() { # OUT, options
	to=$1
	shift
	[ ! -e "$to/model.safetensors" ] || return 0
	set -- --task lm "$@" --train-file "$work/gpt2.train.txt" --validation-file "$work/tiny.held.txt" --max-seq-length 256 \
		--per-device-train-batch-size 4 --bf16 --learning-rate 1.5e-3 --weight-decay 0.1 --adam-beta2 0.98 --dropout 0 \
		--eval-strategy steps --eval-steps 500 --save-strategy steps --save-steps 100 --save-total-limit 2 -t 1 -o "$to"
	[ ! -e "$to" ] || set -- --resume "$@"
	"$attend" finetune "$@"
}
train "$out/constant" --from-scratch -m "$new" --lr-scheduler-type constant_with_warmup --warmup-steps 200 --max-steps "$steps" --seed 1
train "$out/falling" -m "$out/constant" --lr-scheduler-type linear --warmup-steps 20 --max-steps "$last" --seed 2
