#!/bin/bash
# check_symbols.sh ($1) finds a function that was added, one that went, and one that changed.
set -u
check=$1
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
failed=0

# library SOURCE: builds it.
library() { echo "$1" | c++ -shared -fPIC -x c++ -o "$place/lib.so" -; }

# changed WHAT LINE SOURCE: the library of this source is blamed with this line.
changed() {
  library "$3"
  if "$check" "$place/lib.so" "$place/list" >"$place/found" || ! grep -qxF "$2" "$place/found"; then
    echo "not found: $1"
    cat "$place/found"
    failed=1
  fi
}

library 'extern "C" void plain() {} void typed(int) {}'
"$check" --print "$place/lib.so" >"$place/list"
if ! "$check" "$place/lib.so" "$place/list"; then
  echo "the unchanged library was blamed"
  failed=1
fi
changed 'a new function' 'exported, but not listed: more' \
  'extern "C" void plain() {} void typed(int) {} extern "C" void more() {}'
changed 'a lost function' 'listed, but not exported: plain' 'void typed(int) {}'
changed 'a changed parameter' 'exported, but not listed: typed(long)' \
  'extern "C" void plain() {} void typed(long) {}'
: >"$place/lib.so"
if "$check" "$place/lib.so" "$place/list" >/dev/null 2>&1; then
  echo "an empty file passed as a library"
  failed=1
fi
exit $failed
