# Two commands need nothing but Debian 12 with git and make (as root, or with sudo):
#   make demo    builds, starts a cluster on this machine, replays a real trace, checks every byte
#   make test    builds and tests under every preset that this machine can take
# The build itself is CMake's (CMakePresets.json); this file only saves typing.

PRESET ?= release
JOBS   ?= $(shell nproc)
TRACE  ?= tools/demo/data/mooncake_conversation_head.jsonl

.DEFAULT_GOAL := help
.PHONY: help deps build demo test test-engines package clean

help:
	@echo 'make demo             build, start a cluster here, replay a trace, check every byte'
	@echo '                        TRACE=FILE  another trace        DEMO_FLAGS="..."  see kvdemo --help'
	@echo 'make test             build and run all tests: dev, simulation, mutants, asan, tsan, clang, fuzz, minimal, python, rdma'
	@echo 'make test-engines     vLLM, LMCache and SGLang as released on kvstore, without a GPU (1 GB from PyPI, half an hour)'
	@echo 'make build            build/$$PRESET/bin/*; PRESET=release (default), dev, asan, tsan, clang, minimal'
	@echo 'make package          build/packages/*.deb: kvstore, libkvclient0, libkvclient-dev'
	@echo 'make deps             install what the build needs (Debian 12)'
	@echo 'make clean            remove build/'

deps:
	@tools/deps.sh

build: deps
	@cmake --preset $(PRESET) >/dev/null
	@cmake --build --preset $(PRESET) -j $(JOBS)

demo: deps
	@cmake --preset $(PRESET) >/dev/null
	@cmake --build --preset $(PRESET) -j $(JOBS) --target kvstore_master kvstore_node kvctl kvdemo replay_worker
	@build/$(PRESET)/bin/kvdemo --trace $(TRACE) $(DEMO_FLAGS)

test: deps
	@tests/run_tests -j $(JOBS)

# Not part of make test: it needs PyPI, 14 GiB of memory and 6 GB of disk.
test-engines: deps
	@tools/engines-on-cpu setup
	@tools/engines-on-cpu run

package: deps
	@cmake --preset release >/dev/null
	@cmake --build --preset release -j $(JOBS)
	@rm -rf build/packages
	@cpack --config build/release/CPackConfig.cmake -B build/packages >/dev/null
	@rm -rf build/packages/_CPack_Packages
	@ls -1 build/packages/*.deb

clean:
	rm -rf build
