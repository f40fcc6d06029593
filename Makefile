# The commands of this project. `make help` names them. Nothing but make and a shell is needed to begin with:
# what is missing is a Debian package, and tools/install_packages installs it.

JOBS ?= $(shell nproc 2>/dev/null || echo 2)
# For `make run`: further flags of `doorbuster up`, such as ARGS="--port 9000".
ARGS ?=
# For `make stack`: 3 for a Kafka of three brokers; empty for one, or for what is there.
BROKERS ?=
# For `make soak`: how long.
MINUTES ?= 30

.PHONY: help run build test test-slow soak bench lint stack stack-down
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

help:
	@echo "make run         build and start the whole system on this machine; Ctrl-C stops it"
	@echo "make build       build/release/doorbuster"
	@echo "make test        build and run the tests"
	@echo "make test-slow   the other compiler, sanitizers, faults, fuzzing, headers, lint (under an hour)"
	@echo "make soak        kills, power cuts and the simulators with new seeds, for MINUTES=$(MINUTES)"
	@echo "make bench       micro-benchmarks and the comparisons with peers"
	@echo "make lint        include rules, format, headers, clang-tidy"
	@echo "make stack       real Redis, Kafka and MariaDB for development, in build/stack; BROKERS=3 for three of Kafka"
	@echo "make stack-down  ends what make stack has started"

build:
	@tools/install_packages build
	@tools/build release $(JOBS) doorbuster

run: build
	@exec build/release/doorbuster up $(ARGS)

test:
	@tools/install_packages build test
	@tools/stack prepare
	@exec tools/run_tests --jobs $(JOBS)

test-slow:
	@tools/install_packages build test slow lint
	@tools/stack prepare
	@exec tools/run_slow_tests --jobs $(JOBS)

soak:
	@tools/install_packages build test
	@tools/stack prepare
	@tools/build release $(JOBS) all
	@exec tools/soak --minutes $(MINUTES)

bench:
	@tools/install_packages build test bench
	@tools/build release $(JOBS) all
	@exec tools/run_benchmarks

lint:
	@tools/install_packages build test slow lint
	@exec tools/lint --jobs $(JOBS)

stack:
	@tools/install_packages build test
	@exec tools/stack up $(if $(BROKERS),--brokers $(BROKERS))

stack-down:
	@exec tools/stack down
