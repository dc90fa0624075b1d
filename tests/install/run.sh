#!/bin/sh
# run.sh BUILD-FOLDER: installs into a folder of its own, moves that folder, then builds and runs a program outside the tree
# through find_package and through pkg-config.
set -eu
build=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/first" >"$work/log" || { cat "$work/log"; exit 1; }
mv "$work/first" "$work/stage"
version=$(sed -n 's/^CMAKE_PROJECT_VERSION:[A-Z]*=//p' "$build/CMakeCache.txt")

same() # WHAT COMMAND...: it prints the version and the word that the bundled model fills in
{
	what=$1
	shift
	printed=$("$@" "$work/stage/share/attend/bert-mini") || { echo "$what: exit status $?"; exit 1; }
	[ "$printed" = "$version time" ] || { echo "$what: printed '$printed', expected '$version time'"; exit 1; }
}

cmake -S "$here" -B "$work/package" -DCMAKE_PREFIX_PATH="$work/stage" >"$work/log" 2>&1 &&
	cmake --build "$work/package" >>"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
same 'find_package, shared' "$work/package/with_shared"
same 'find_package, static' "$work/package/with_static"

PKG_CONFIG_PATH=$(dirname "$(find "$work/stage" -name attend.pc)")
export PKG_CONFIG_PATH
# shellcheck disable=SC2046 # lists of words
${CC:-cc} -std=c11 -Wall -Werror $(pkg-config --cflags attend) -o "$work/plain" "$here/outside.c" $(pkg-config --libs attend)
same 'pkg-config' env LD_LIBRARY_PATH="$(pkg-config --variable=libdir attend)" "$work/plain"

# What an installation must hold, beside the library.
for file in share/man/man1/attend.1 share/bash-completion/completions/attend share/zsh/site-functions/_attend \
	share/fish/vendor_completions.d/attend.fish share/attend/bert-mini/config.json share/attend/gpt2-mini/README.md \
	share/attend/seq2seq-mini/model.safetensors; do
	[ -s "$work/stage/$file" ] || { echo "not installed: $file"; exit 1; }
done
[ "$("$work/stage/bin/attend" fill-mask --top-k 1 "Once upon a [MASK] there was a little boy.")" != "" ] ||
	{ echo "the installed command does not find its models"; exit 1; }
readelf -d "$work"/stage/lib*/libattend.so "$work"/stage/lib*/*/libattend.so 2>/dev/null | grep -q 'SONAME.*libattend\.so\.' ||
	{ echo "the shared library has no SONAME"; exit 1; }
