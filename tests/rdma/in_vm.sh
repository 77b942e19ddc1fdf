#!/bin/bash
# In the VM of run_in_vm.sh: makes two hosts of it, and runs the tests.
#   in_vm.sh FOLDER_OF_PROGRAMS TEST
set -u
bin=$1
filter=$2
status=0

for host in 0 1; do ip netns add h$host; done
ip link add h0 netns h0 type veth peer name h1 netns h1
for host in 0 1; do
  printf '%s\n' "addr add 10.9.0.$((host + 1))/24 dev h$host" "link set h$host up" "link set lo up" |
    ip -netns h$host -batch -
done

if [ "$filter" = '*' ]; then
  "$bin/kvstore_transfer_tests" --gtest_filter='Ways/TransportContract.*/rdma' || status=1
fi
"$bin/kvstore_rdma_tests" --gtest_filter="$filter" || status=1
exit $status
