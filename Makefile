# The front door. The build itself is Meson's: see meson.build.
#
#   make run         builds and starts the demonstration (DEMO="once" or "crash" for its other forms)
#   make             builds into build/
#   make check       the quick tests, under 30 s
#   make test        all tests; ends in "N passed, M failed, K skipped"
#   make asan        all tests under the address and undefined-behaviour sanitizers
#   make tsan        what has threads, and a server under load, under the thread sanitizer
#   make fuzz        each fuzz target for FUZZ_SECONDS (60)
#   make simulate    the queue over a simulated disk, SIMULATE_RUNS (20000) times
#   make mutants     plants one fault at a time in the sources; the tests have to catch each
#   make lint        layers, pure folders, banned functions, warnings as errors
#   make bench       beside a real Postfix, in the same run
#   make install     into DESTDIR, PREFIX (/usr/local)
#   make clean       takes the build folders away

DEMO ?=
STRICT ?=
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
SIMULATE_RUNS ?= 20000
BUILD = build
THREADED = spool-spool spool-index spool-clean spool-check fault-spool-nth mailbox-store mailbox-mbox table-table \
           policy-rates io-loop e2e-relay e2e-delivery e2e-crash e2e-trace e2e-spool_commands

all:
	@MAKE_TARGET= tools/deps build
	@tools/build -d $(BUILD) -n build/veredus

run:
	@MAKE_TARGET=run tools/deps build
	@tools/build -d $(BUILD) -n build/veredus
	@exec $(BUILD)/veredus demo $(DEMO)

check:
	@MAKE_TARGET=check tools/deps test
	@tools/build -d $(BUILD)
	@tools/run-tests -d $(BUILD) --suite check

test:
	@MAKE_TARGET=test tools/deps test
	@tools/build -d $(BUILD)
	@tools/run-tests -d $(BUILD) $(if $(STRICT),--strict)

asan:
	@MAKE_TARGET=asan tools/deps asan
	@CC=clang tools/build -d build-asan -s=-Db_sanitize=address,undefined -s=-Db_lundef=false
	@tools/run-tests -d build-asan --timeout-multiplier 8

# It does not know pthread_mutex_clocklock, and takes the unlock behind it for a fault: only where that stands, it is told so.
tsan:
	@MAKE_TARGET=tsan tools/deps test
	@tools/build -d build-tsan -s=-Db_sanitize=thread -s=-Db_lundef=false
	@TSAN_OPTIONS="suppressions=$(CURDIR)/tools/tsan-suppressions report_thread_leaks=0" \
	 tools/run-tests -d build-tsan --timeout-multiplier 6 $(THREADED)

fuzz:
	@MAKE_TARGET=fuzz tools/deps fuzz
	@CC=clang tools/build -d build-fuzz -s=-Dfuzz=true -s=-Db_lundef=false
	@tools/fuzz build-fuzz $(FUZZ_SECONDS)

simulate:
	@MAKE_TARGET=simulate tools/deps test
	@tools/build -d $(BUILD)
	$(BUILD)/tests/simulate/test-simulate --every --runs $(SIMULATE_RUNS)
	$(BUILD)/tests/simulate/test-simulate --mutants

mutants:
	@MAKE_TARGET=mutants tools/deps test
	@tools/build -d $(BUILD)
	@tools/mutants -d $(BUILD) $(MUTANTS)

lint:
	@tools/lint

bench:
	@MAKE_TARGET=bench tools/deps bench
	@tools/build -d build-release -s=--buildtype=release -s=-Db_lto=true programs
	@tests/bench/bench --build build-release $(BENCH)

install:
	@MAKE_TARGET=install tools/deps build
	@tools/build -d build-install -s=--buildtype=release -s=-Db_lto=true -s=--prefix=$(PREFIX) programs
	@meson install -C build-install --no-rebuild

clean:
	rm -rf build build-asan build-tsan build-fuzz build-lint build-release build-install

.PHONY: all run check test asan tsan fuzz simulate mutants lint bench install clean
