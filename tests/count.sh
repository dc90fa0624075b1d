#!/bin/sh
# count.sh BUILD-FOLDER [CTEST-OPTION...]: runs ctest; prints the names of skipped tests and "N passed, N failed"; status 1
# when a test failed or none ran.
set -u
build=$1
shift
report=$PWD/$build/ctest.xml
rm -f "$report"
ctest --test-dir "$build" --output-on-failure --output-junit "$report" -j "${ATTEND_JOBS:-1}" "$@" >"$build/ctest.log" 2>&1
status=$?
grep -v '^ *Start ' "$build/ctest.log"
[ -f "$report" ] || { echo "ctest ended with status $status and without a report"; echo "0 passed, 0 failed"; exit 1; }
total=$(grep -c '<testcase ' "$report")
passed=$(grep -c '<testcase .*status="run"' "$report")
failed=$(grep -c '<testcase .*status="fail"' "$report")
skipped=$((total - passed - failed))
[ "$skipped" = 0 ] || sed -n 's/.*<testcase name="\([^"]*\)".*status="\(notrun\|disabled\)".*/skipped: \1/p' "$report"
echo "$passed passed, $failed failed"
[ "$status" = 0 ] && [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
