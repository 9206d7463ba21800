# Thin on purpose: CMake builds, tools/ does the rest.
JOBS ?= $(shell nproc)
STAGES ?=

.PHONY: build run test bench check fuzz clean deps

build: ## the program, build/gyre
	@tools/deps build
	@cmake --preset release >/dev/null
	@cmake --build build --target gyre -j $(JOBS)

run: build ## build, then show it
	@tools/demo

test: ## build and run the tests; STAGES=all for every stage of tools/test; in CI some fuzzers too
	@tools/deps build test
	@tools/test $(STAGES)

bench: ## build and run the programs under bench/
	@tools/deps build bench
	@cmake --preset bench >/dev/null
	@cmake --build build-bench --target benches -j $(JOBS)
	@cmake --preset release >/dev/null
	@cmake --build build --target gyre -j $(JOBS)
	@failed=; for program in build-bench/bench_* bench/*.py; do \
	  echo "== $$program"; $$program || failed="$$failed $$program"; \
	done; \
	if [ -n "$$failed" ]; then echo "make bench: these failed:$$failed" >&2; exit 1; fi

check: ## the rules of the house, and the format; seconds
	@tools/tidy.py
	@tools/format --check

fuzz: ## each fuzzer, for GYRE_FUZZ_SECONDS if that is set
	@tools/deps build test
	@tools/test fuzz

clean:
	rm -rf build build-*

deps: ## Debian packages for everything here
	@tools/deps
