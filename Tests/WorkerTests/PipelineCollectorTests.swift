import Admin
import ComponentKit
import Logging
import PipelineEngine
import StageKit
import StageTestKit
import Testing
import Worker

@testable import Operations

@Suite struct PipelineCollectorTests {
    private static let text = """
        pipeline: test
        source: { memory: {} }
        stores: { things: { memory: { key: id } } }
        stages:
          - decode: { fields: { id: { required: true }, kind: {} } }
            on_failure: out
          - upsert: { store: things }
          - log: {}
            when: { kind: loud }
          - metrics: { counter: things, labels: [kind] }
        branches:
          out:
            - metrics: { counter: internal_event_drops, labels: [component, reason] }
            - evict: { store: things, key: id }
        """

    private static let entries = [
        MemorySource.Entry(1, ["id": "a", "kind": "loud"]), MemorySource.Entry(2, ["id": "b", "kind": "low"]),
        MemorySource.Entry(3, ["id": "a", "odd": "x"]), MemorySource.Entry(4, ["kind": "low"]),
        // Older than the held snapshot: the stages behind see it, and its outcome is skipped.
        MemorySource.Entry(1, ["id": "b", "kind": "low"]),
    ]

    private func pipeline(_ registry: MetricsRegistry) throws -> Pipeline {
        var catalogue = Catalogue.standard
        let nothing = SettingType<Bool>.object(SettingsSchema(true, []))
        catalogue.add(
            SourceType(name: "memory", summary: "Given entries.", settings: nothing) { _, _ in
                MemorySource(entries: Self.entries)
            })
        let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        return try Pipeline(
            text: Array(Self.text.utf8), file: "p", catalogue: catalogue,
            services: PipelineServices(logger: silent, metrics: registry))
    }

    /// The samples of an exposition, without comments and without times, which differ from run to run.
    private func samples(_ registry: MetricsRegistry) -> [String] {
        registry.exposition().split(separator: "\n").map(String.init)
            .filter { !$0.hasPrefix("#") && !$0.hasPrefix("sluice_stage_seconds") }
    }

    private static let now = 1_800_000_000.0

    private static func id(_ age: Double) -> EntryID {
        EntryID(milliseconds: UInt64((Self.now - age) * 1000), sequence: 0)
    }

    @Test(
        "The lag is the age of the last entry while more are pending, or unknown",
        arguments: [
            (SourceStatus.State.reading, id(90), false, nil, 90), (.reading, id(90), false, 0, 90),
            (.reading, id(90), true, 0, 0), (.reading, .zero, false, nil, nil), (.reading, nil, false, nil, nil),
            (.reading, EntryID(milliseconds: 5, sequence: 0), false, 3, nil),
            (.reading, EntryID(milliseconds: 5, sequence: 0), true, 0, 0), (.reading, .max, false, 3, nil),
            // Seconds instead of milliseconds.
            (.reading, EntryID(milliseconds: 1_800_000_000, sequence: 0), false, 3, nil),
            (.reading, id(9 * 365 * 86_400), false, 3, 9 * 365 * 86_400),
            (.reading, id(11 * 365 * 86_400), false, 3, nil),
            // Ahead of the clock, as after a failover, and beyond that.
            (.reading, id(-200), false, 3, 0), (.reading, id(-400), false, 3, nil),
            // Disconnected: what was pending before still is, and if nothing was, nobody knows of anything.
            (.connecting, id(90), false, 7, 90), (.connecting, id(90), false, 0, nil),
            (.connecting, id(90), false, nil, nil), (.idle, nil, false, nil, nil),
        ] as [(SourceStatus.State, EntryID?, Bool, UInt64?, Double?)])
    func lag(state: SourceStatus.State, cursor: EntryID?, isCaughtUp: Bool, waiting: UInt64?, seconds: Double?) {
        var status = SourceStatus(state: state, cursor: cursor, isCaughtUp: isCaughtUp)
        status.lagEntries = waiting
        #expect(status.lagSeconds(now: Self.now) == seconds)
    }

    @Test("The age of an entry is relative to the server's clock")
    func serverClock() {
        var status = SourceStatus(state: .reading, cursor: Self.id(-3600))
        #expect(status.lagSeconds(now: Self.now) == nil)
        status.clockOffset = 3610
        #expect(status.lagSeconds(now: Self.now) == 10)
        // A server whose clock starts at 1970.
        status.cursor = EntryID(milliseconds: 5000, sequence: 0)
        status.clockOffset = 25 - Self.now
        #expect(status.lagSeconds(now: Self.now) == 20)
    }

    @Test(
        "A stalled batch, and the last entry if more were pending, count from when the batch was read",
        arguments: [(true, 7), (false, 90)] as [(Bool, Double)])
    func stalled(wasCaughtUp: Bool, seconds: Double) {
        var status = SourceStatus(state: .reading, cursor: EntryID(milliseconds: 10_000, sequence: 0))
        status.stalled = StalledBatch(entries: 3, duration: .seconds(7), wasCaughtUp: wasCaughtUp)
        #expect(status.lagSeconds(now: 100) == seconds)
    }

    @Test("The exposition has every outcome, the results of each stage, the source, the stores and the reloads")
    func golden() async throws {
        let registry = MetricsRegistry()
        let pipeline = try self.pipeline(registry)
        registry.registerCollector(PipelineCollector(pipeline: pipeline).samples)
        try await pipeline.run()
        #expect(
            self.samples(registry).sorted()
                == """
                internal_event_drops_total{component="test",reason="malformed_event"} 2
                sluice_config_generation 1
                sluice_config_last_reload_error 0
                sluice_credential_failures_total{reason="certificate"} 0
                sluice_credential_failures_total{reason="login"} 0
                sluice_credential_failures_total{reason="password_file"} 0
                sluice_credential_failures_total{reason="tls_file"} 0
                sluice_events_read_total 5
                sluice_events_total{outcome="applied",reason=""} 2
                sluice_events_total{outcome="dropped",reason="malformed_event"} 1
                sluice_events_total{outcome="evicted",reason="malformed_event"} 1
                sluice_events_total{outcome="skipped",reason="older_entry"} 1
                sluice_metrics_overflow_total 0
                sluice_metrics_series_refused_total 0
                sluice_reloads_total{result="applied"} 0
                sluice_reloads_total{result="refused"} 0
                sluice_reloads_total{result="unchanged"} 0
                sluice_source_connected 0
                sluice_source_detects_gaps 1
                sluice_source_gaps_total{kind="checkpoint"} 0
                sluice_source_gaps_total{kind="deleted"} 0
                sluice_source_gaps_total{kind="entries_deleted"} 0
                sluice_source_gaps_total{kind="group_lost"} 0
                sluice_source_gaps_total{kind="recreated"} 0
                sluice_source_gaps_total{kind="trimmed"} 0
                sluice_source_gaps_total{kind="went_back"} 0
                sluice_source_lag_seconds 0
                sluice_source_reconnects_total 0
                sluice_stage_events_added_total{stage="decode"} 0
                sluice_stage_events_added_total{stage="log"} 0
                sluice_stage_events_added_total{stage="metrics"} 0
                sluice_stage_events_added_total{stage="out/evict"} 0
                sluice_stage_events_added_total{stage="out/metrics"} 0
                sluice_stage_events_added_total{stage="upsert"} 0
                sluice_stage_events_total{result="failed",stage="decode"} 2
                sluice_stage_events_total{result="finished",stage="decode"} 0
                sluice_stage_events_total{result="passed",stage="decode"} 3
                sluice_stage_events_total{result="skipped",stage="decode"} 0
                sluice_stage_events_total{result="failed",stage="log"} 0
                sluice_stage_events_total{result="finished",stage="log"} 0
                sluice_stage_events_total{result="passed",stage="log"} 1
                sluice_stage_events_total{result="skipped",stage="log"} 2
                sluice_stage_events_total{result="failed",stage="metrics"} 0
                sluice_stage_events_total{result="finished",stage="metrics"} 0
                sluice_stage_events_total{result="passed",stage="metrics"} 3
                sluice_stage_events_total{result="skipped",stage="metrics"} 0
                sluice_stage_events_total{result="failed",stage="out/evict"} 0
                sluice_stage_events_total{result="finished",stage="out/evict"} 0
                sluice_stage_events_total{result="passed",stage="out/evict"} 2
                sluice_stage_events_total{result="skipped",stage="out/evict"} 0
                sluice_stage_events_total{result="failed",stage="out/metrics"} 0
                sluice_stage_events_total{result="finished",stage="out/metrics"} 0
                sluice_stage_events_total{result="passed",stage="out/metrics"} 2
                sluice_stage_events_total{result="skipped",stage="out/metrics"} 0
                sluice_stage_events_total{result="failed",stage="upsert"} 0
                sluice_stage_events_total{result="finished",stage="upsert"} 0
                sluice_stage_events_total{result="passed",stage="upsert"} 3
                sluice_stage_events_total{result="skipped",stage="upsert"} 0
                sluice_stage_retries_total{stage="decode"} 0
                sluice_stage_retries_total{stage="log"} 0
                sluice_stage_retries_total{stage="metrics"} 0
                sluice_stage_retries_total{stage="out/evict"} 0
                sluice_stage_retries_total{stage="out/metrics"} 0
                sluice_stage_retries_total{stage="upsert"} 0
                sluice_store_entries{store="things"} 1
                sluice_store_stale{store="things"} 0
                things_total{kind="loud"} 1
                things_total{kind="low"} 2
                """.split(separator: "\n").map(String.init).sorted())
    }

    @Test("Every metric family occurs once, with one HELP and one TYPE line")
    func families() async throws {
        let registry = MetricsRegistry()
        let pipeline = try self.pipeline(registry)
        registry.registerCollector(PipelineCollector(pipeline: pipeline).samples)
        try await pipeline.run()
        let lines = registry.exposition().split(separator: "\n")
        let types = lines.filter { $0.hasPrefix("# TYPE ") }.map { String($0.split(separator: " ")[2]) }
        #expect(Set(types).count == types.count)
        for name in types where name.hasPrefix("sluice_") {
            #expect(lines.count { $0.hasPrefix("# HELP \(name) ") } == 1, "\(name)")
        }
        for line in lines where !line.hasPrefix("#") {
            #expect(types.contains { line.hasPrefix($0) }, "\(line)")
        }
    }

    @Test("Before the first batch everything is 0, and the version of the file is 1")
    func beforeRun() throws {
        let registry = MetricsRegistry()
        let pipeline = try self.pipeline(registry)
        registry.registerCollector(PipelineCollector(pipeline: pipeline).samples)
        let samples = self.samples(registry)
        #expect(samples.contains("sluice_events_read_total 0"))
        #expect(samples.contains("sluice_store_entries{store=\"things\"} 0"))
        #expect(
            samples.filter { !$0.hasSuffix(" 0") } == ["sluice_config_generation 1", "sluice_source_detects_gaps 1"])
    }
}
