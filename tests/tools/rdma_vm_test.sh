#!/bin/bash
# Whether tools/rdma-vm keeps what its --help promises. Three boots, about 15 s.
# Prints a line per check, and "N passed, M failed".
set -u
cd "$(dirname "$0")/../.." || exit 1
passed=0
failed=0

# check WHAT COMMAND...
check() {
  local what=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAILED: $what"
  fi
}
holds() { case $1 in *"$2"*) ;; *) echo "in: $1"; return 1 ;; esac; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One boot shows what a command gets and what is left of it.
export KVSTORE_RDMA_VM_TEST='two words'
outside=/var/tmp/rdma-vm-test.$$
tools/rdma-vm --network bridge2 --share "$work" -- bash -c '
  rdma link
  echo "variable: $KVSTORE_RDMA_VM_TEST; folder: $PWD; arguments: $*" >&2
  echo kept >"$1/file"
  echo gone >"$2"
  sleep 1000 &
  exit 7' name "$work" "$outside" >"$work/out" 2>"$work/err"
status=$?
out=$(cat "$work/out")
err=$(cat "$work/err")
check "the exit status is the command's, not $status" [ $status = 7 ]
check 'there are two devices' \
  [ "$(echo "$out" | grep -c 'state ACTIVE physical_state LINK_UP netdev v[01]')" = 2 ]
check 'errors come apart from output' [ "$(echo "$out" | wc -l)" = 2 ]
check 'the environment is ours' holds "$err" 'variable: two words;'
check 'the folder is ours' holds "$err" "folder: $PWD;"
check 'the arguments arrive whole' holds "$err" "arguments: $work $outside"
check 'what is written in a shared folder stays' [ "$(cat "$work/file" 2>/dev/null)" = kept ]
check 'what is written elsewhere does not' [ ! -e "$outside" ]

out=$(tools/rdma-vm --network pair --no-share rdma link)
check 'a pair is two devices, too' [ "$(echo "$out" | grep -c 'LINK_UP netdev v[01]')" = 2 ]

tools/rdma-vm --network none --no-share --timeout 8 sleep 1000 2>"$work/err"
status=$?
check "a command that takes too long ends with 124, not $status" [ $status = 124 ]
check 'and says so' holds "$(cat "$work/err")" 'longer than 8'

tools/rdma-vm --network token-ring true 2>"$work/err"
check 'an unknown network is refused' holds "$(cat "$work/err")" 'token-ring'
python=$(python3 -c 'import sys; print(sys.executable)')
PATH=/nowhere "$python" tools/rdma-vm true 2>"$work/err"
check 'without an emulator the status is 125' [ $? = 125 ]
check 'and it names the remedy' holds "$(cat "$work/err")" 'tools/deps.sh'

echo "$passed passed, $failed failed"
[ $failed = 0 ]
