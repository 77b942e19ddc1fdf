#!/bin/bash
# Who may include whom, and which library has which owner (docs/architecture.md, decision 0001), for
# the tree at $1. Prints every line that breaks a rule, and exits with 1 if there is one.
set -u
cd "$1" || exit 2
broken=0

# report RULE: the lines on standard input, each a violation.
report() {
  local line
  while IFS= read -r line; do
    echo "$1: $line"
    broken=1
  done
}

# room FOLDER PATTERN: quoted includes of the folder's files match the pattern.
room() {
  report "$1 may not include this" < <(
    grep -rnE --include='*.h' --include='*.cc' '^#include "' "$1" 2>/dev/null |
      grep -vE ":#include \"($2)")
}

# owner PATTERN FILES: only these files of the product (a pattern) include what matches.
owner() {
  report "$1 has other owners" < <(
    grep -rnE --include='*.h' --include='*.cc' "^#include [<\"]$1" include proto src tools python/native 2>/dev/null |
      grep -vE "^($2):")
}

room include 'kvstore/[a-z_]+\.h'
room proto '(kvstore|proto)/'
room src/text '(text|kvstore)/'
room src/transfer '(transfer/|kvstore/[a-z_]+\.h|(thread_annotations|guard_switch|descriptor_limit)\.h)'
room src/master '(master|text|proto|kvstore)/|(thread_annotations|guard_switch|descriptor_limit)\.h'
room src/client '(client|proto|kvstore)/|(thread_annotations|guard_switch|descriptor_limit)\.h'
room src/capi '(capi|kvstore)/'
room python/native '(native|kvstore)/'
for folder in tools/kvctl tools/demo tools/text; do
  room "$folder" '(tools|text|proto|kvstore)/|(thread_annotations|[a-z_]+)\.h"'
done

room tools/kvbench '(tools|text|proto|kvstore)/|master/range_allocator\.h"'

master_grpc='src/master/(service|session|admin|admin_messages|calls|message_in_arena|poller|tool_services|watch_stream|server|main|stream|stream_table|switchboard)\.(h|cc)'
admin_client='tools/kvctl/(admin_stub\.cc|admin_rows\.(h|cc))'
client_grpc='src/client/(admin_stub|poller|polled_stream|verb_stream|session|client)\.(h|cc)'
kvbench_grpc='tools/kvbench/(grpc_limit|paper_node)\.cc'
owner 'grpc(pp)?/' "$master_grpc|$client_grpc|$admin_client|$kvbench_grpc"
owner '(google/protobuf|kvstore/v1)/' \
  "$master_grpc|$client_grpc|$admin_client|$kvbench_grpc|proto/codec[a-z_]*\.(h|cc)"
owner 'absl/' 'src/client/manifest\.h'
owner 'infiniband/' 'src/transfer/rdma/verbs\.h'
owner 'xxhash' 'src/client/checksum\.cc'
owner 'yaml-cpp/' '(src/master/config|tools/node_config)\.cc'
owner 'prometheus/' 'src/master/metrics(_families)?\.(h|cc)'
owner 'httplib' 'src/master/http\.cc'

report 'only CLOCK_BOOTTIME is read' < <(
  grep -rnE 'system_clock|steady_clock|high_resolution_clock|\bCLOCK_(REALTIME|MONOTONIC)\b' \
    include proto src tools python/native 2>/dev/null)

report 'no CMakeLists.txt names this file' < <(
  find src proto tools tests python -name '*.cc' 2>/dev/null | sort | while read -r file; do
    name=$(basename "$file")
    grep -rqsE "(^|[ /(])${name//./\\.}( |\$|\))" --include=CMakeLists.txt . || echo "$file"
  done)

exit $broken
