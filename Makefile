# Sluice: the commands of the README. Each works on a fresh Debian machine with Swift.
SWIFT ?= swift
# Every target names what it imports, or the build fails.
BUILD_FLAGS = --explicit-target-dependency-import-check error

.PHONY: build demo faults groups test bench profile thresholds docs assets dist dist-test lint format packages clean

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
	$(SWIFT) test $(BUILD_FLAGS)
	$(SWIFT) run --skip-build $(BUILD_FLAGS) sluice test Tests/pipeline.test.yaml

# What befalls real servers, workers and the way between them, in full; the table goes to .build/faults.md.
faults: packages
	SLUICE_FAULTS=$(CURDIR)/.build/faults.md $(SWIFT) test $(BUILD_FLAGS) --filter 'FaultTests|GapTests'
	@cat .build/faults.md

# Three workers of one group, killed again and again for some minutes; the table goes to .build/groups.md.
groups: packages
	SLUICE_GROUPS=$(CURDIR)/.build/groups.md $(SWIFT) test $(BUILD_FLAGS) --filter GroupKillTests
	@cat .build/groups.md

# Everything side by side with the yardsticks, in about ten minutes: make bench, or make bench QUICK=1 for two,
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
thresholds:
	@.ci/packages gcc valgrind binutils
	$(SWIFT) build -c release --product SluiceBench $(BUILD_FLAGS)
	@.build/release/SluiceBench thresholds --output .build/bench

# The articles and the reference of StageKit, by the toolchain's own docc: .build/docs
docs:
	$(SWIFT) build --target StageKit $(BUILD_FLAGS)
	rm -rf .build/symbols && mkdir -p .build/symbols
	$(SWIFT) symbolgraph-extract -module-name StageKit -I .build/debug/Modules -output-dir .build/symbols \
		-minimum-access-level public -target "$$($(SWIFT) -print-target-info | sed -n 's/.*"triple": "\(.*\)",/\1/p')"
	docc convert Sources/StageKit/StageKit.docc --additional-symbol-graph-dir .build/symbols --output-path .build/docs \
		--fallback-display-name StageKit --fallback-bundle-identifier sluice.StageKit --warnings-as-errors

# Alert rules, exposition, unit, manual page and completions, held against promtool, systemd-analyze, mandoc and shells.
assets:
	$(SWIFT) build --product sluice $(BUILD_FLAGS)
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

clean:
	rm -rf .build
