#!/bin/bash
# The contract of all ways, over real verbs: one boot of tools/rdma-vm, some 45 s.
#   tests/transfer/real_verbs_test.sh BUILD_FOLDER
# Prints what failed, and "N passed, M failed".
set -u
program=$(realpath "$1")/bin/kvstore_transfer_tests
cd "$(dirname "$0")/../.." || exit 1

out=$(KVSTORE_TEST_REAL_VERBS=1 tools/rdma-vm --network bridge2 --no-share --timeout 240 \
  "$program" --gtest_filter='Ways/TransportContract.*/rdma:RealVerbsTest.*' 2>&1)
status=$?
passed=$(grep -c '^\[       OK \]' <<<"$out")
failed=$(grep -c '^\[  FAILED  \] .* ms)$' <<<"$out")
# It ended before its last test.
[ $status = 0 ] || [ "$failed" -gt 0 ] || failed=1
[ "$passed" -gt 0 ] || failed=1
[ "$failed" = 0 ] || echo "$out"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
