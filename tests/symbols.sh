#!/bin/sh
# symbols.sh STATIC SHARED: every global name begins with attend_; the shared library exports what ATTEND_API marks, no more.
set -u
status=0
bad=$(nm -g --defined-only "$1" | awk 'NF == 3 && $3 !~ /^attend_/ && $3 !~ /^(__|_)(asan|ubsan|tsan|odr|sancov|gcov|llvm)/ {print $3}' | sort -u)
[ -z "$bad" ] || { echo "global names without attend_: $bad"; status=1; }
declared=$(cat lib/attend*.h lib/core/attend_base.h tokenizer/attend_tokenizer.h 2>/dev/null |
	tr '\n' ' ' | grep -oE 'ATTEND_API [^;{]*' | grep -oE 'attend_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u)
exported=$(nm -D -g --defined-only "$2" | awk '$3 !~ /^(__|_)(asan|ubsan|tsan|odr|sancov|gcov|llvm)/ {print $3}' | sed 's/@.*//' | sort -u)
for name in $exported; do
	echo "$declared" | grep -qx "$name" || { echo "exported but not public: $name"; status=1; }
done
for name in $declared; do
	echo "$exported" | grep -qx "$name" || { echo "public but not exported (not defined?): $name"; status=1; }
done
exit $status
