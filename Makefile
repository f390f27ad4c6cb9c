# Sluice: the commands of the README. Each works on a fresh Debian machine with Swift.
SWIFT ?= swift
# Every target names what it imports, or the build fails.
BUILD_FLAGS = --explicit-target-dependency-import-check error
# Tests at once: each may have servers, workers and stores of its own, and hundreds of them use up a small machine.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH ?= 16
# Builds and tests print progress, failures and the summary; their whole output goes to a log in .build.
BUILD = .ci/quiet .build/$@-build.log $(SWIFT) build $(BUILD_FLAGS)
TEST = .ci/quiet .build/$@.log $(SWIFT) test $(BUILD_FLAGS)

.PHONY: bootstrap reference compat build harness demo faults simulate groups scaleout test tsan bench profile thresholds counting micro docs assets lint format packages dist dist-test dashboard web-flood fuzz fuzz-guided soak clean

# Install the Debian packages that the build and the tests need (apt-get, with sudo if necessary).
bootstrap: packages

# A release build of the worker: .build/release/sluice
build: packages
	$(SWIFT) build -c release --product sluice $(BUILD_FLAGS)

# A private redis-server, the shipped pipeline and a lifelike flow: make demo, or make demo DURATION=10s
demo: build
	@.build/release/sluice demo $(if $(DURATION),--duration $(DURATION)) pipeline.yaml

# Unit tests need no server; integration tests start their own; the shipped pipeline's cases come last. Python holds the
# JSON Schema against files.
test:
	@.ci/packages python3-jsonschema python3-yaml
	$(TEST)
	$(SWIFT) run --skip-build $(BUILD_FLAGS) sluice test Tests/pipeline.test.yaml

# The tests under the thread sanitizer, but for the dashboard's, whose browser is slow enough as it is: some 15 minutes.
tsan: harness
	TSAN_OPTIONS=suppressions=$(CURDIR)/.ci/tsan-suppressions SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=4 \
		$(TEST) --sanitize=thread --scratch-path .build-tsan --skip DashboardTests

# What befalls real servers, workers and the way between them, in full; the table goes to .build/faults.md.
faults: harness
	SLUICE_FAULTS=$(CURDIR)/.build/faults.md $(TEST) --filter 'FaultTests|GapTests'
	@cat .build/faults.md

# The integration tests against Redis 6.2, 7.0, 8.0 and Valkey 8.1, 9; the table goes to .build/compat.md.
compat: harness
	@.ci/packages
	.ci/servers .build/servers
	$(SWIFT) build --build-tests $(BUILD_FLAGS)
	.ci/compat .build/servers

# Three workers of one group, killed again and again for some minutes; the table goes to .build/groups.md.
groups: harness
	SLUICE_GROUPS=$(CURDIR)/.build/groups.md $(TEST) --filter 'GroupKillTests|GroupRereadTests'
	@cat .build/groups.md

# A million lives of a worker under seeded troubles, in some minutes: make simulate, or make simulate LIVES=10000. What
# happens in the life of a seed is told by make simulate SEED=4711; make simulate BUG=all plants bugs and finds each.
simulate: packages
	$(SWIFT) build -c release --product SluiceSimulator $(BUILD_FLAGS)
	@.build/release/SluiceSimulator $(if $(SEED),--seed $(SEED)) $(if $(BUG),--bug $(BUG)) \
		--lives $(or $(LIVES),$(if $(BUG),20000,1000000))

# Failovers behind sentinels and in a cluster, slots moved under load, again and again: some minutes.
scaleout: harness
	SLUICE_SCALEOUT=1 $(TEST) --filter 'SentinelTests|ClusterTests|RedisStoreTests'

# The dashboard in a real browser: its figures against /metrics, and pictures of it in .build/dashboard.
dashboard:
	@.ci/packages python3 chromium fonts-dejavu-core
	@mkdir -p .build/dashboard
	SLUICE_PICTURES=$(CURDIR)/.build/dashboard $(TEST) --filter DashboardTests

# A million requests, many of them senseless, and clients that are slow, beside a stream that flows and streams that are
# drained: about ten minutes.
web-flood: build
	@.ci/packages wrk
	python3 Tests/Benchmarks/Yardsticks/web_flood.py .build/release/sluice pipeline.yaml

# Millions of mutated RESP replies, pipeline files, checkpoints and HTTP requests: make fuzz, or make fuzz SEED=2.
fuzz: packages
	$(SWIFT) build -c release --product SluiceFuzz $(BUILD_FLAGS)
	@.build/release/SluiceFuzz $(if $(SEED),--seed $(SEED)) --inputs $(or $(INPUTS),5000000)

# The same with libFuzzer, which keeps the inputs that reach code no other has reached, in .build/fuzz: five million. The
# longest is a few times the longest seed; what breaks something is left in .build/fuzz too.
GUIDED = $(SWIFT) build -c release --product SluiceFuzz --sanitize fuzzer -Xswiftc -DGUIDED --scratch-path .build/guided
fuzz-guided: packages
	$(GUIDED) $(BUILD_FLAGS)
	@fuzzer=$$($(GUIDED) --show-bin-path)/SluiceFuzz; \
	for part in resp:2000000 yaml:2000000 checkpoint:900000 http:100000; do \
		format=$${part%:*} && mkdir -p .build/fuzz/$$format && \
		if SWIFT_BACKTRACE=enable=no $$fuzzer -runs=$${part#*:} -seed=$(or $(SEED),1) \
			-max_len=1024 -timeout=10 -rss_limit_mb=512 -print_final_stats=1 -artifact_prefix=.build/fuzz/$$format- \
			.build/fuzz/$$format > .build/fuzz/$$format.log 2>&1; \
		then sed -n "s/^/$$format: /;/DONE\|stat::.*\(units_ex\|new_units\|peak\)/p" .build/fuzz/$$format.log; \
		else tail -n 20 .build/fuzz/$$format.log; exit 1; fi; \
	done

# A hundred million events through the shipped graph, the memory looked at all the while; then a checkpoint of it all.
soak: packages
	$(SWIFT) build -c release --product SluiceBench $(BUILD_FLAGS)
	@.build/release/SluiceBench soak --events $(or $(EVENTS),100000000)

# Everything side by side with the yardsticks, in about a quarter of an hour: make bench, or make bench QUICK=1 for two,
# make bench ONLY="drain latency" for a part. Table, JSON and charts go to .build/bench.
bench:
	@.ci/packages gcc wrk
	$(SWIFT) build -c release --product SluiceBench $(BUILD_FLAGS)
	@.build/release/SluiceBench run $(if $(QUICK),--quick) --output .build/bench $(ONLY)

# Where the instructions of a drain go, by valgrind.
profile:
	@.ci/packages gcc valgrind
	$(SWIFT) build -c release --product SluiceBench $(BUILD_FLAGS)
	@.build/release/SluiceBench profile --output .build/bench

# What an event takes in instructions and allocations, held against Tests/Benchmarks/thresholds.json: counts, not times.
thresholds: counting
	@.build/release/SluiceBench thresholds --output .build/bench

# The release build that `thresholds` runs.
counting:
	@.ci/packages python3 gcc valgrind binutils
	$(BUILD) -c release --product SluiceBench

# What look-ups and events take in allocations, by the benchmarks of a package that users never fetch.
micro: harness
	@MICRO_BUILD=$(MICRO_BUILD) SWIFT="$(SWIFT)" .ci/micro $(if $(UPDATE),update,check)

# Check links, YAML examples and generated pages, then build both documentation catalogs with docc: .build/docs
docs: harness
	@.ci/packages python3-yaml
	$(BUILD) --product sluice
	@.ci/docs-check .build/debug/sluice
	@.ci/reference .build/debug/sluice --check
	$(BUILD) --target StageKit
	rm -rf .build/symbols .build/docs && mkdir -p .build/symbols
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

# Alert rules, exposition, unit, manual page and completions, held against promtool, systemd-analyze, mandoc and shells.
assets: harness
	$(BUILD) --product sluice
	@.ci/assets

# The worker with the Swift runtime in it, and a Debian package with the service: .build/dist
dist:
	@.ci/packages dpkg-dev python3
	@Sources/Packaging/dist

# That package installed in a root of its own, run, reloaded, upgraded and purged; as root, a few minutes the first time.
dist-test:
	@.ci/packages debootstrap redis-tools python3
	@.ci/dist-test

lint:
	$(SWIFT) format lint --strict --recursive --parallel Package.swift Sources Plugins Tests

format:
	$(SWIFT) format --in-place --recursive --parallel Package.swift Sources Plugins Tests

packages:
	@.ci/packages

# What tests need besides: the filter of their output is a Python program.
harness:
	@.ci/packages python3

clean:
	rm -rf .build .build-micro
