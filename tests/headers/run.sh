#!/bin/sh
# run.sh C-COMPILER C++-COMPILER HEADER-FOLDER: each public header compiles alone, as strict C11 and as C++, twice included.
set -u
status=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for header in "$3"/*.h; do
	name=$(basename "$header")
	printf '#include "%s"\n#include "%s"\nint main(void)\n{\n\treturn 0;\n}\n' "$name" "$name" >"$work/alone.c"
	"$1" -std=c11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I "$3" -x c "$work/alone.c" || status=1
	"$2" -std=c++11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I "$3" -x c++ "$work/alone.c" || status=1
done
exit $status
