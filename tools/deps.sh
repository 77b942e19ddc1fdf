#!/bin/bash
# Installs what kvstore is built with, where it is missing. Debian 12; as root, or with sudo.
#   tools/deps.sh          install what is missing (nothing, and quickly, when all is there)
#   tools/deps.sh --list   print the packages of this system and do nothing
# CUDA and RDMA drivers are never installed on this machine, only used when found.
set -eu

build_tools=(g++ clang libclang-rt-dev make cmake ninja-build ccache git dpkg-dev file pkg-config)
libraries=(
  libabsl-dev libgrpc++-dev protobuf-compiler protobuf-compiler-grpc libprotobuf-dev
  libgoogle-glog-dev libgflags-dev libyaml-cpp-dev libxxhash-dev
  prometheus-cpp-dev libcpp-httplib-dev libibverbs-dev
)
test_libraries=(libgtest-dev libgmock-dev librapidcheck-dev)
# Tests on real verbs run in a VM (tools/rdma-vm); kvbench's rows over RDMA are measured against
# perftest.
test_machine=(qemu-system-x86 busybox-static iproute2 ibverbs-providers perftest python3 util-linux)
# The Python package (python/), and what its tests put into the store.
python=(python3-dev python3-venv python3-pip python3-numpy python3-torch)
# What Mooncake's wheel is linked with, beside which python/kvstore-mooncake-compat is tested.
mooncake=(libcurl4 libibverbs1 libnuma1)

system=unknown
[ -r /etc/os-release ] && system=$(. /etc/os-release && echo "${ID:-unknown}-${VERSION_ID:-}")
packages=("${build_tools[@]}" "${libraries[@]}" "${test_libraries[@]}" "${test_machine[@]}"
  "${python[@]}" "${mooncake[@]}")
case "$system" in
  debian-12) ;;
  # Same names there; never tried (README, "Systems").
  ubuntu-24.04) echo "deps: Ubuntu 24.04: the names of Debian 12 are used, untested" >&2 ;;
  *) unknown_system=1 ;;
esac

if [ "${1:-}" = --list ]; then
  printf '%s\n' "${packages[@]}"
  exit 0
fi
if [ -n "${unknown_system:-}" ]; then
  # Someone who has brought the libraries in another way is not stopped: CMake has the last word.
  echo "deps: this is $system; packages are known by name for Debian 12 only. Nothing is installed." >&2
  echo "deps: what Debian calls: ${packages[*]}" >&2
  exit 0
fi

missing=()
installed=" $(dpkg-query -W -f='${db:Status-Abbrev}${Package}\n' "${packages[@]}" 2>/dev/null |
  sed -n 's/^ii //p' | tr '\n' ' ')"
for package in "${packages[@]}"; do
  case "$installed" in
    *" $package "*) ;;
    *) missing+=("$package") ;;
  esac
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "deps: missing: ${missing[*]}" >&2
    echo "deps: run 'make deps' as root, or install sudo; nothing was changed" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "deps: installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
echo "deps: done"
