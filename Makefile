# Commands to build, test and package Sluice. Each works on a fresh Debian machine with Swift.
SWIFT ?= swift
# The build fails if a target imports a module that it does not declare as a dependency.
BUILD_FLAGS = --explicit-target-dependency-import-check error
# The number of concurrent tests: each may start its own servers and workers, and hundreds of them overload a small machine.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH ?= 16
# Builds and tests print progress, failures and the summary; their whole output goes to a log in .build.
BUILD = .ci/quiet .build/$@-build.log $(SWIFT) build $(BUILD_FLAGS)
# `.ci/repeat` names the file for the event stream of a test run.
SWIFT_TEST = $(SWIFT) test $(BUILD_FLAGS) $(if $(TEST_EVENTS),--event-stream-output-path $(TEST_EVENTS))
TEST = .ci/quiet .build/$@.log $(SWIFT_TEST)

.PHONY: bootstrap reference compat build harness demo faults limits stores rounds simulate groups scaleout test test-again test-build test-cases tsan bench profile thresholds counting micro docs assets lint format packages dist dist-test image image-test kubernetes figures dashboard web-flood fuzz fuzz-guided soak clean

# Install the Debian packages that the build and the tests need (apt-get, with sudo if necessary).
bootstrap: packages

# Build the worker in release mode: .build/release/sluice
build: packages
	$(SWIFT) build -c release --product sluice $(BUILD_FLAGS)

# Run the shipped pipeline on a private redis-server with generated traffic: make demo, or make demo DURATION=10s
# A debug build: it takes less time than a release build, and `make test` continues it.
demo: harness
	$(BUILD) --product sluice
	@.build/debug/sluice demo $(if $(DURATION),--duration $(DURATION)) pipeline.yaml

# Run the unit tests, the integration tests, which start their own servers, and the test cases of the shipped pipeline.
# Python checks files against the JSON Schema.
test:
	@.ci/packages python3-jsonschema python3-yaml
	$(TEST)
	@$(MAKE) --no-print-directory test-cases

# Run the test cases of the shipped pipeline and of the examples alone, which `make test` does after the tests.
test-cases:
	.build/debug/sluice test Tests/pipeline.test.yaml Tests/Examples/*/pipeline.test.yaml

# Run the one test that the regular expression TEST_FILTER names, alone, as `.ci/run` does with a failed test.
test-again:
	.ci/quiet .build/test-again-$(TEST_NUMBER).log $(SWIFT_TEST) --skip-build --filter '$(TEST_FILTER)'

# Build everything that `make test` runs.
test-build: packages
	$(BUILD) --build-tests

# Run the tests under the thread sanitizer, except those of the dashboard, which are too slow: about 15 minutes.
tsan: harness
	TSAN_OPTIONS=suppressions=$(CURDIR)/.ci/tsan-suppressions SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=4 \
		$(TEST) --sanitize=thread --scratch-path .build-tsan --skip DashboardTests

# Run all fault injections on real servers, workers and connections; writes the table .build/faults.md.
faults: harness
	SLUICE_FAULTS=$(CURDIR)/.build/faults.md $(TEST) --filter 'FaultTests|GapTests'
	@cat .build/faults.md

# Run a real worker against slow links, large entries and hostile peers, in some minutes; writes the table .build/limits.md.
limits: harness
	SLUICE_LIMITS=$(CURDIR)/.build/limits.md $(TEST) --filter LimitsTests
	@cat .build/limits.md

# Run the integration tests against Redis 6.2, 7.0, 8.0 and Valkey 8.1, 9, and the tests of the RESP module with
# hiredis 1.2; writes the table .build/compat.md.
compat: harness
	@.ci/packages
	.ci/servers .build/servers
	.ci/hiredis .build/servers/.hiredis-1.2
	$(SWIFT) build --build-tests $(BUILD_FLAGS)
	.ci/compat .build/servers

# Run the tests of the memory store that make random and concurrent changes for ten times as long as `make test` does.
stores: harness
	SLUICE_STORES=1 $(TEST) --filter SnapshotStoresTests

# Run the tests with random input, and those with large or many values, for several times as long as `make test` does.
rounds: harness
	SLUICE_ROUNDS=1 $(TEST) --filter \
		'AckLedger|GRPCConnection|GraphModel|LargeReply|PlainRequest|RedisDoorHandler|SharedSender|YAMLMutation'

# Kill three workers of one group repeatedly for some minutes; writes the table .build/groups.md.
groups: harness
	SLUICE_GROUPS=$(CURDIR)/.build/groups.md $(TEST) --filter 'GroupKillTests|GroupRereadTests'
	@cat .build/groups.md

# Simulate a million runs of a worker with seeded faults, in some minutes: make simulate, or make simulate LIVES=10000.
# make simulate SEED=4711 prints the events of one run; make simulate BUG=all plants bugs and checks that each is found.
simulate: packages
	$(SWIFT) build -c release --product SluiceSimulator $(BUILD_FLAGS)
	@.build/release/SluiceSimulator $(if $(SEED),--seed $(SEED)) $(if $(BUG),--bug $(BUG)) \
		--lives $(or $(LIVES),$(if $(BUG),20000,1000000))

# Test failovers with Sentinel and in a cluster, and slots that move under load, repeatedly: some minutes.
scaleout: harness
	SLUICE_SCALEOUT=1 $(TEST) --filter 'SentinelTests|ClusterTests|RedisStoreTests'

# Compare the dashboard in a real browser with /metrics, and save screenshots in .build/dashboard.
dashboard:
	@.ci/packages python3 chromium fonts-dejavu-core
	@mkdir -p .build/dashboard
	SLUICE_PICTURES=$(CURDIR)/.build/dashboard $(TEST) --filter DashboardTests

# Send a million HTTP requests, many of them malformed, and run slow clients, while one stream flows and others are
# drained: about ten minutes.
web-flood: build
	@.ci/packages wrk
	python3 Tests/Benchmarks/Yardsticks/web_flood.py .build/release/sluice pipeline.yaml

# Fuzz with millions of mutated RESP replies, pipeline files, expressions, checkpoints and HTTP requests: make fuzz, or
# make fuzz SEED=2.
fuzz: packages
	$(SWIFT) build -c release --product SluiceFuzz $(BUILD_FLAGS)
	@.build/release/SluiceFuzz $(if $(SEED),--seed $(SEED)) --inputs $(or $(INPUTS),5000000)

# Fuzz with five million inputs by libFuzzer, which keeps inputs that reach new code in .build/fuzz. The longest input is
# a few times the longest seed; inputs that cause a failure are also saved in .build/fuzz.
GUIDED = $(SWIFT) build -c release --product SluiceFuzz --sanitize fuzzer -Xswiftc -DGUIDED --scratch-path .build/guided
fuzz-guided: packages
	$(GUIDED) $(BUILD_FLAGS)
	@fuzzer=$$($(GUIDED) --show-bin-path)/SluiceFuzz; \
	for part in resp:2000000 yaml:1000000 cel:1000000 checkpoint:900000 http:100000; do \
		format=$${part%:*} && mkdir -p .build/fuzz/$$format && \
		if SWIFT_BACKTRACE=enable=no $$fuzzer -runs=$${part#*:} -seed=$(or $(SEED),1) \
			-max_len=1024 -timeout=10 -rss_limit_mb=512 -print_final_stats=1 -artifact_prefix=.build/fuzz/$$format- \
			.build/fuzz/$$format > .build/fuzz/$$format.log 2>&1; \
		then sed -n "s/^/$$format: /;/DONE\|stat::.*\(units_ex\|new_units\|peak\)/p" .build/fuzz/$$format.log; \
		else tail -n 20 .build/fuzz/$$format.log; exit 1; fi; \
	done

# Process 100 million events with the shipped graph while watching the memory; then save and load a checkpoint.
soak: packages
	$(SWIFT) build -c release --product SluiceBench $(BUILD_FLAGS)
	@.build/release/SluiceBench soak --events $(or $(EVENTS),100000000)

# Run all benchmarks next to the comparison programs, in about 20 minutes: make bench; make bench QUICK=1 takes four
# minutes; make bench ONLY="drain latency" runs a part, ONLY=gateway all doors of the gateway. Writes a table, JSON and
# charts to .build/bench.
bench:
	@.ci/packages gcc wrk nginx
	$(SWIFT) build -c release --product SluiceBench $(BUILD_FLAGS)
	@.build/release/SluiceBench run $(if $(QUICK),--quick) --output .build/bench $(ONLY)

# Profile the instructions of a drain by function, with valgrind.
profile:
	@.ci/packages gcc valgrind
	$(SWIFT) build -c release --product SluiceBench $(BUILD_FLAGS)
	@.build/release/SluiceBench profile --output .build/bench

# Check the instructions and allocations per event against Tests/Benchmarks/thresholds.json.
thresholds: counting
	@.build/release/SluiceBench thresholds --output .build/bench

# Build the release binaries for `thresholds`.
counting:
	@.ci/packages python3 gcc valgrind binutils
	$(BUILD) -c release --product SluiceBench

# Check the allocations of lookups and events, with benchmarks in a separate package that users do not fetch.
micro: harness
	@MICRO_BUILD=$(MICRO_BUILD) SWIFT="$(SWIFT)" .ci/micro $(if $(UPDATE),update,check)

# Check links, YAML examples, figures and generated pages, then build both documentation catalogs with docc: .build/docs
docs: harness
	@.ci/packages python3-yaml
	$(BUILD) --product sluice
	@.ci/docs-check .build/debug/sluice
	@.ci/figures --check
	@.ci/reference .build/debug/sluice --check
	@.ci/modules --check
	$(BUILD) --target StageKit
	rm -rf .build/symbols .build/docs && mkdir -p .build/symbols .build/docs
	$(SWIFT) symbolgraph-extract -module-name StageKit -I .build/debug/Modules -output-dir .build/symbols \
		-minimum-access-level public -target "$$($(SWIFT) -print-target-info | sed -n 's/.*"triple": "\(.*\)",/\1/p')"
	docc convert Sources/StageKit/StageKit.docc --additional-symbol-graph-dir .build/symbols --output-path .build/docs/stagekit \
		--fallback-display-name StageKit --fallback-bundle-identifier sluice.StageKit --warnings-as-errors
	@.ci/docc-pages Sources/Worker/Documentation.docc .build/docs/pages
	docc convert .build/docs/pages/Documentation.docc --output-path .build/docs/sluice \
		--fallback-display-name Sluice --fallback-bundle-identifier sluice.Documentation --warnings-as-errors

# Write the pages that are generated from the declarations in the source code.
reference: harness
	$(BUILD) --product sluice
	@.ci/reference .build/debug/sluice

# Check alert rules, exposition, unit, manual page and completions with promtool, systemd-analyze, mandoc and shells.
assets: harness
	$(BUILD) --product sluice
	@.ci/assets

# Measure what the documentation states and write the tables of its pages: make figures, which takes hours, or make figures
# ONLY="drain micro", which keeps the other rows. .ci/figures --list prints the parts.
figures: harness
	@.ci/figures $(ONLY)

# Build the worker with the Swift runtime in its binary, and a Debian package with the service: .build/dist
dist:
	@.ci/packages dpkg-dev gcc python3
	@Sources/Packaging/dist

# Install, run, reload, upgrade and purge that package in a separate root directory; needs root, a few minutes the first time.
dist-test:
	@.ci/packages debootstrap gcc pkg-config redis-tools python3
	@.ci/dist-test

# From Debian 13 on, the older names of time zones, such as Japan, are in a package of their own.
TZDATA_LEGACY = $(shell apt-cache show tzdata-legacy >/dev/null 2>&1 && echo tzdata-legacy)

# Build two OCI images of the worker: .build/image/sluice-static.tar, from scratch, and sluice-dynamic.tar, for plugins.
image:
	@.ci/packages python3 binutils ca-certificates tzdata $(TZDATA_LEGACY)
	@Sources/Packaging/image static .build/image/sluice-static.tar
	@Sources/Packaging/image dynamic .build/image/sluice-dynamic.tar

# Run those images against a real Redis, as process 1 with a read-only root directory; needs root.
image-test:
	@.ci/packages redis-tools python3
	@.ci/image-test

# Validate the Kubernetes manifests against the schemas of Kubernetes, which pip fetches, and their pipeline with the worker.
PYTHON_TOOLS = .build/tools/python
kubernetes: harness
	@.ci/packages python3-venv
	@$(PYTHON_TOOLS)/bin/python -c 'import kubernetes_validate' 2>/dev/null || { python3 -m venv $(PYTHON_TOOLS) && \
		$(PYTHON_TOOLS)/bin/pip install -q --disable-pip-version-check kubernetes-validate==1.37.0; }
	$(BUILD) --product sluice
	@$(PYTHON_TOOLS)/bin/python .ci/kubernetes-check .build/debug/sluice

lint:
	$(SWIFT) format lint --strict --recursive --parallel Package.swift Sources Plugins Tests

format:
	$(SWIFT) format --in-place --recursive --parallel Package.swift Sources Plugins Tests

packages:
	@.ci/packages

# Install Python, for the filter of the test output.
harness:
	@.ci/packages python3

clean:
	rm -rf .build .build-micro
