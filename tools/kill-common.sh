# What kill-master and kill-node share: how to find a running demo, and to ask its master.

fail() {
  echo "$(basename "$0"): $1" >&2
  exit 1
}

usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; }

# Reads the command line: sets `argument`, and `folder` of the demo that is meant.
begin() {
  demo= argument= address=
  while [ $# -gt 0 ]; do
    case $1 in
      --demo) demo=$2; shift ;;
      --help | -h) usage; exit 0 ;;
      -*) usage >&2; exit 2 ;;
      *) argument=$1 ;;
    esac
    shift
  done
  parent=${XDG_RUNTIME_DIR:-/tmp}
  if [ -n "$demo" ]; then
    folder=$parent/kvdemo-$demo
  else
    folder=$(ls -dt "$parent"/kvdemo-* 2>/dev/null | head -n 1)
  fi
  [ -n "$folder" ] && [ -r "$folder/processes" ] ||
    fail "no demo runs here ($parent/kvdemo-*); start one: make demo DEMO_FLAGS=\"--for 5m\""
  address=$(sed -n 's/^master [0-9]* //p' "$folder/processes")
  # The programs that the demo runs are the ones to ask with.
  kvctl=$(dirname "$(readlink "/proc/$(pid_of master)/exe")")/kvctl
  [ -x "$kvctl" ] || fail "no kvctl beside the demo's programs ($kvctl); build it: make build"
}

names() { cut -d ' ' -f 1 "$folder/processes" | tr '\n' ' '; }

# Fails when there is none, or it no longer runs.
pid_of() {
  pid=$(sed -n "s/^$1 \([0-9]*\) .*/\1/p" "$folder/processes")
  [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null && echo "$pid"
}

now_ms() { echo $(($(date +%s%N) / 1000000)); }

# await SECONDS COMMAND...: until it succeeds.
await() {
  until_ms=$(($(now_ms) + $1 * 1000))
  shift
  until "$@"; do
    [ "$(now_ms)" -lt "$until_ms" ] || return 1
    sleep 0.05
  done
}

another_process() { pid=$(pid_of "$1") && [ "$pid" != "$2" ]; }

status() { "$kvctl" --master "$address" --timeout 2s --output json status 2>/dev/null; }

# number NAME: of the status; empty when the master doesn't answer.
number() { status | tr ',{}' '\n\n\n' | sed -n "s/^ *\"$1\": *\([0-9]*\) *$/\1/p" | head -n 1; }

objects() { count=$(number objects); echo "${count:-0}"; }

# The master answers, and knows what all of its members hold.
whole() { [ "$(number nodes_missing)" = 0 ] && [ "$(number nodes_live)" -ge 3 ]; }

only_one_lives() {
  "$kvctl" --master "$address" --timeout 2s nodes 2>/dev/null |
    awk -v name="$1" '$1 == name { ++all; live += /live/ } END { exit !(all == 1 && live == 1) }'
}

replicas_are_whole() { [ "$(number objects_lacking)" = 0 ]; }
