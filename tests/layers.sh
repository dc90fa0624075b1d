#!/bin/sh
# layers.sh: who may include whom (a layer sees what stands below it), where the outer libraries may be seen, and what a
# library never does. Prints each offence as FILE:LINE; status 1 when there is one.
set -u
cd "$(dirname "$0")/.."
found=$(mktemp)
trap 'rm -f "$found"' EXIT

# may FILES ALLOWED...: includes in quotes must begin with one of the prefixes.
may()
{
	files=$1
	shift
	allowed=$(printf '%s|' "$@")
	# shellcheck disable=SC2086 # a pattern of files
	for file in $files; do
		[ -f "$file" ] || continue
		grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$file" | grep -vE "\"(${allowed%|})" | sed "s|^|$file:|" >>"$found"
	done
}

# only PATTERN WHY FOLDERS -- FILES...: the pattern stands in those files alone; lines that begin as comments do not count.
only()
{
	pattern=$1 why=$2 folders=$3
	shift 4
	exempt=$(printf '%s|' "$@")
	# shellcheck disable=SC2086
	grep -rnE --include='*.[ch]' "$pattern" $folders 2>/dev/null | grep -vE "^(${exempt%|}):" |
		grep -vE '^[^:]*:[0-9]*:[[:space:]]*(/?\*|//)' | sed "s|\$|    <- $why|" >>"$found"
}

may 'lib/core/*.[ch]' lib/core/
may 'lib/kernels/*.[ch]' lib/core/ lib/kernels/
may 'tokenizer/*.[ch]' lib/core/ tokenizer/
may 'lib/nn/*.[ch]' lib/core/ lib/kernels/ lib/nn/
may 'models/*.[ch]' lib/core/ lib/kernels/ lib/nn/ models/
may 'loaders/safetensors*.[ch]' lib/core/ loaders/safetensors
may 'loaders/*.[ch]' lib/attend.h lib/core/ lib/kernels/ lib/nn/ models/ tokenizer/ loaders/
may 'lib/train/*.[ch]' lib/attend.h lib/attend_train.h lib/core/ lib/kernels/ lib/nn/ models/ tokenizer/ loaders/ lib/train/
may 'lib/tasks/*.[ch]' lib/attend.h lib/core/ lib/kernels/ lib/nn/ models/ tokenizer/ loaders/ lib/train/ lib/tasks/
may 'lib/*.h' lib/attend.h lib/core/attend_base.h tokenizer/attend_tokenizer.h
may 'apps/*.[ch]' lib/attend.h lib/attend_train.h apps/

all='lib loaders models tokenizer apps'
library='lib loaders models tokenizer'
only '#[[:space:]]*include[[:space:]]*["<](cjson/)?cJSON' 'cJSON' "$all" -- lib/core/json.c
only '#[[:space:]]*include[[:space:]]*["<]cblas' 'cblas' "$all" -- lib/core/blas.c
only '#[[:space:]]*include[[:space:]]*["<]omp\.h|#pragma omp' 'the team is lib/core/threads.h' "$all" -- none
only '#[[:space:]]*include[[:space:]]*["<]utf8proc' 'utf8proc' "$all" -- tokenizer/unicode.c
only '#[[:space:]]*include[[:space:]]*["<]onig' 'Oniguruma' "$all" -- tokenizer/regex.c
names='albert|bart|bert|distilbert|electra|gpt|gpt2|gpt_neo|longformer|marian|mbart|modernbert|mpnet|mt5|openai-gpt|pegasus|roberta|t5|xlm-roberta|xlnet'
only "(arch|model_type)[a-z_]*[[:space:]]*[!=]=[[:space:]]*[^N[:space:]]|strn?cmp\\(.*(arch|model_type)|\"($names)\"" 'asks which model it is' \
	'lib loaders apps' -- 'loaders/config_[a-z_]*\.[ch]'
only '(^|[^a-z_>.])(printf|puts|putchar|perror|exit|_exit|abort|assert)[[:space:]]*\(|f(printf|puts|write)[[:space:]]*\(.*(stdout|stderr)' \
	'a library never prints, exits or aborts' "$library" -- none
only '(^|[^a-z_])(malloc|calloc|realloc|free|attend_fail|attend_alloc_array)[[:space:]]*\(' 'a kernel neither allocates nor fails' \
	lib/kernels -- none
only 'ffast-math|Ofast' 'IEEE rules' "$all CMakeLists.txt cmake" -- none

# Sizes and names: a source over 600 lines wants to be two (generated tables excepted); file names are unique.
find $all -name '*.[ch]' | while read -r file; do
	lines=$(wc -l <"$file")
	[ "$lines" -le 600 ] || head -n 5 "$file" | grep -qiE 'generated|written by' || echo "$file: $lines lines, at most 600"
done >>"$found"
find $all -name '*.[ch]' | sed 's|.*/||' | sort | uniq -d | sed 's/$/: two files of this name/' >>"$found"

if [ -s "$found" ]; then
	cat "$found"
	exit 1
fi
echo "layers: clean"
