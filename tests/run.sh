#!/bin/sh
# run.sh: installs what is missing (Debian, Ubuntu), builds, and runs all tests; the last line is "N passed, N failed".
# Options go to ctest: `sh tests/run.sh -L quick`. ATTEND_BUILD: the build folder; ATTEND_CMAKE: options for cmake.
set -eu
cd "$(dirname "$0")/.."
. cmake/setup.sh
# shellcheck disable=SC2086 # lists of words
attend_need $attend_packages g++ libcmocka-dev valgrind
build=${ATTEND_BUILD:-build}
echo "Building in $build ..." >&2
# shellcheck disable=SC2086
attend_build "$build" -DATTEND_BUILD_TESTS=ON ${ATTEND_CMAKE:-}
sh tests/count.sh "$build" "$@"
