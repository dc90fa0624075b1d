#!/bin/sh
# try.sh: installs what is missing (Debian, Ubuntu), builds, and asks each of the three bundled models once, trains a
# classifier from a small labelled file and asks it.
set -eu
cd "$(dirname "$0")/.."
. cmake/setup.sh
# shellcheck disable=SC2086 # a list of words
attend_need $attend_packages
echo "Building ..." >&2
attend_build build -DATTEND_BUILD_TESTS=OFF

show()
{
	printf '\n$ attend'
	for word in "$@"; do
		case $word in
		*[!a-zA-Z0-9_./=-]*) printf ' "%s"' "$word" ;;
		*) printf ' %s' "$word" ;;
		esac
	done
	printf '\n'
	build/attend "$@"
}

show fill-mask --top-k 3 "Once upon a [MASK] there was a little boy."
show generate -n 40 -p "Once upon a time"
show generate -m models/pretrained/seq2seq-mini -p "digits: three hundred and five"

# A classifier from 360 labelled sentences, in some seconds.
reviews=$(mktemp -d)
trap 'rm -r "$reviews"' EXIT
show finetune --train-file tests/data/reviews.tsv --validation-split 0.2 -o "$reviews/model" --lr 3e-4 --batch-size 16
show classify -m "$reviews/model" "The tea was warm and the waiter made us smile."
