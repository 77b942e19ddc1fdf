#!/bin/bash
# Builds the Python packages' wheels as pip does, repairs kvstore's, installs them in a clean virtual
# environment and runs their tests there; those of python/kvstore-mooncake-compat/tests/both also on
# Mooncake's own wheel, where that can be installed. Ends with "N passed, M failed, K skipped".
#   tests/python_package.sh build/NAME    works in there; what it holds of an earlier run is used again
# Needs what tools/deps.sh installs, and PyPI for what that doesn't (python/tests/*.txt).
set -eu
cd "$(dirname "$0")/.."
mkdir -p "$1"
folder=$(realpath "$1")

# What builds and repairs wheels stays from run to run; pip would fetch it anew for each.
tools=$folder/tools
if ! cmp -s python/tests/build_tools.txt "$tools/installed.txt"; then
  rm -rf "$tools"
  /usr/bin/python3 -m venv "$tools"
  "$tools/bin/pip" --quiet install --requirement python/tests/build_tools.txt
  cp python/tests/build_tools.txt "$tools/installed.txt"
fi
# The compiler by the name that other builds call it by, and a build folder where theirs are (paths are
# relative to it), so that the compiler cache knows the work.
rm -rf "$folder/wheel" "$folder/repaired"
if ! CC=/usr/bin/cc CXX=/usr/bin/c++ PATH=$tools/bin:$PATH "$tools/bin/pip" --quiet wheel ./python \
  --no-build-isolation --no-deps --wheel-dir "$folder/wheel" \
  --config-settings "build-dir=$folder" >"$folder/build.log" 2>&1; then
  grep -nE 'error|FAILED|CMake Error' -A 8 "$folder/build.log" | head -n 80
  echo "the wheel can't be built; all of it is in $folder/build.log"
  exit 1
fi
PATH=$tools/bin:$PATH "$tools/bin/python" python/repair_wheel.py "$folder"/wheel/*.whl \
  "$folder/repaired" >>"$folder/build.log" 2>&1

compat=python/kvstore-mooncake-compat
for each in ./$compat ./python/kvstore-pd; do
  PATH=$tools/bin:$PATH "$tools/bin/pip" --quiet wheel $each --no-build-isolation --no-deps \
    --wheel-dir "$folder/wheel" >>"$folder/build.log" 2>&1
done

# Debian's torch and numpy are seen in it.
rm -rf "$folder/clean"
/usr/bin/python3 -m venv --system-site-packages "$folder/clean"
"$folder/clean/bin/pip" --quiet install --requirement python/tests/requirements.txt \
  "$folder"/repaired/*.whl "$folder"/wheel/kvstore_{mooncake_compat,pd}-*.whl
"$folder/clean/bin/ruff" check --quiet python tests/engines/adapters
"$folder/clean/bin/ruff" format --check --quiet python tests/engines/adapters
engines=(--config python/pyproject.toml tests/engines/*.py tests/engines/on_cpu tools/engines-on-cpu)
"$folder/clean/bin/ruff" check --quiet "${engines[@]}"
"$folder/clean/bin/ruff" format --check --quiet "${engines[@]}"

# Mooncake's wheel needs a connection to PyPI once, and libraries of the system's.
mooncake=$folder/mooncake
if ! cmp -s $compat/tests/both/requirements.txt "$mooncake/installed.txt"; then
  rm -rf "$mooncake"
  /usr/bin/python3 -m venv --system-site-packages "$mooncake"
  if "$mooncake/bin/pip" --quiet install --requirement $compat/tests/both/requirements.txt &&
    "$mooncake/bin/python" -I -c 'import mooncake.store'; then
    cp $compat/tests/both/requirements.txt "$mooncake/installed.txt"
  fi
fi

# run NAME ENVIRONMENT FOLDER: begins the tests of a folder, by an environment's Python.
run() {
  "$2/bin/python" -P -m pytest -q -p no:cacheprovider --durations 5 "$3" >"$folder/$1.log" 2>&1 &
  runs+=("$1" $!)
}
# So many pytest says in its last word; none: 0.
count() { { echo 0; sed -nE "s/^(.*[^0-9])?([0-9]+) $1.*\$/\2/p" "$log"; } | tail -n 1; }
# All at once: most wait for processes.
runs=() status=0 passed=0 failed=0 skipped=0
if [ -f "$mooncake/installed.txt" ]; then
  export MOONCAKE_PYTHON=$mooncake/bin/python
  run both-mooncake "$mooncake" $compat/tests/both
else
  echo "Mooncake's wheel can't be installed here: $compat/tests/both runs on ours only"
  skipped=1
fi
run kvstore "$folder/clean" python/tests
run mooncake-compat "$folder/clean" $compat/tests
run pd "$folder/clean" python/kvstore-pd/tests
for ((i = 0; i < ${#runs[@]}; i += 2)); do
  log=$folder/${runs[i]}.log ok=0
  wait "${runs[i + 1]}" || ok=1
  [ $ok -eq 0 ] || tail -n 200 "$log"
  bad=$(($(count failed) + $(count error)))
  [ $ok -eq 0 ] || [ $bad -gt 0 ] || bad=1
  passed=$((passed + $(count passed))) failed=$((failed + bad)) skipped=$((skipped + $(count skipped)))
  status=$((status | ok))
done
echo "$passed passed, $failed failed, $skipped skipped"
exit $status
