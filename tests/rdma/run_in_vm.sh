#!/bin/bash
# What needs RDMA devices, in one boot of tools/rdma-vm: the contract of all ways over real verbs, and
# the tests of this folder (devices.h).
#   tests/rdma/run_in_vm.sh BUILD_FOLDER [TEST]     all, or those of this folder that match
# Prints what failed, and "N passed, M failed".
set -u
build=$(realpath "$1")
filter=${2:-*}
cd "$(dirname "$0")/../.." || exit 1

out=$(KVSTORE_TEST_REAL_VERBS=1 tools/rdma-vm --network bridge4 --no-share --timeout 480 \
  bash tests/rdma/in_vm.sh "$build/bin" "$filter" 2>&1)
status=$?
passed=$(grep -c '^\[       OK \]' <<<"$out")
failed=$(grep -c '^\[  FAILED  \] .* ms)$' <<<"$out")
# It ended before its last test.
[ $status = 0 ] || [ "$failed" -gt 0 ] || failed=1
[ "$passed" -gt 0 ] || failed=1
[ "$failed" = 0 ] || echo "$out"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
