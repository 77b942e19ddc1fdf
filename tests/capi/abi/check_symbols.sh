#!/bin/bash
# Whether the shared library $1 exports exactly what the list $2 names; prints each difference.
#   check_symbols.sh LIBRARY LIST
#   check_symbols.sh --print LIBRARY     the list as it should be, for a change that is meant
# A name that goes, or changes, breaks programs: see docs/decisions/0005-c-interface-and-packages.md.
set -u
export LC_ALL=C

# exported LIBRARY: one name a line, with its version; constructors come in several symbols.
exported() {
  nm --dynamic --defined-only --demangle "$1" | sed -E 's/^[0-9a-f]+ [A-Za-z] //' | sort -u
}

if [ "$1" = --print ]; then
  exported "$2"
  exit
fi
names=$(exported "$1")
if [ -z "$names" ]; then
  echo "$1 exports nothing, or is no library"
  exit 1
fi
differences=$(diff <(echo "$names") <(sort -u "$2") |
  sed -nE 's/^< /exported, but not listed: /p; s/^> /listed, but not exported: /p')
[ -z "$differences" ] && exit 0
echo "$differences"
exit 1
