#!/bin/bash
# check_house.sh finds each kind of violation that is planted into an otherwise clean tree.
set -u
check=$1
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{include/kvstore,proto,src/text,src/transfer,src/master,src/client,src/capi,tools/kvctl,tests}
echo 'add_library(x good.cc planted.cc)' >"$tree/CMakeLists.txt"
echo '#include "transfer/good.h"' >"$tree/src/transfer/good.cc"

if ! "$check" "$tree"; then
  echo "the clean tree was blamed"
  exit 1
fi

# planted FILE LINE: with this line the tree is blamed for this file.
failed=0
planted() {
  echo "$2" >"$tree/$1"
  if "$check" "$tree" >"$tree/found" || ! grep -q "$1" "$tree/found"; then
    echo "not found: $2 in $1"
    failed=1
  fi
  rm "$tree/$1"
}
planted include/kvstore/planted.h '#include "transfer/engine.h"'
planted src/text/planted.cc '#include "master/catalog.h"'
planted src/transfer/planted.cc '#include "client/put.h"'
planted src/client/planted.cc '#include "master/catalog.h"'
planted src/client/planted.cc '#include "transfer/engine.h"'
planted src/master/planted.cc '#include <grpcpp/grpcpp.h>'
planted src/master/planted.cc '#include "kvstore/v1/kvstore.pb.h"'
planted src/master/planted.cc '#include <yaml-cpp/yaml.h>'
planted src/transfer/planted.cc '#include <xxhash.h>'
planted src/client/planted.cc 'auto now = std::chrono::steady_clock::now();'
planted src/capi/planted.cc '#include "client/session.h"'
planted src/client/forgotten.cc '// in no CMakeLists.txt'
exit $failed
