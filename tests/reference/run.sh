#!/bin/sh
# run.sh: folders that `attend finetune` wrote, read by transformers: every tensor has its place there, and logits are equal. ATTEND=path
# of the command (default build/attend); ATTEND_PYTHON: a Python that has torch, transformers and safetensors (default python3).
# Where there is none the test is skipped, says so, and ends with status 77.
set -eu
tree=$(cd "$(dirname "$0")/../.." && pwd)
attend=${ATTEND:-$tree/build/attend}
python=${ATTEND_PYTHON:-python3}
if ! "$python" -c 'import torch, transformers, safetensors' 2>/dev/null; then
	echo "skipped: $python has no torch, transformers and safetensors (ATTEND_PYTHON names another)"
	exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ATTEND_DATA=$tree/models/pretrained
HF_HUB_OFFLINE=1
export ATTEND_DATA HF_HUB_OFFLINE
cd "$work"
printf 'The girl went to the park.\nShe saw a big dog.\n\nTom had a red ball.\nHe gave it to his friend.\n' >docs.txt
printf '__label__good __label__long a fine long film\n__label__bad a bad film\n' >several.txt
printf 'text\tlabel\na fine film\t4.5\na dull story\t1\n' >numbers.tsv
train()
{
	"$attend" finetune -q --max-steps 3 --lr 1e-3 "$@"
}
train -o single --train-file "$tree/tests/data/reviews.tsv"
train -o multi --train-file several.txt
train -o number --train-file numbers.tsv --label-type regression
train -o gpt -m "$ATTEND_DATA/gpt2-mini" --train-file "$tree/tests/data/reviews.tsv"
train -o pair -m "$ATTEND_DATA/seq2seq-mini" --train-file "$tree/tests/data/reviews.tsv"
train -o mlm --task mlm --train-file docs.txt --max-seq-length 32
train -o nsp --task mlm --sentence-pairs nsp --train-file docs.txt --max-seq-length 32
train -o lm --task lm -m "$ATTEND_DATA/gpt2-mini" --train-file docs.txt --max-seq-length 32
"$python" "$tree/tests/reference/check.py" "$attend" single multi number gpt pair mlm nsp lm
