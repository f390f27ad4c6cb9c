import ComponentKit
import Logging
import PipelineEngine
import StageKit
import StageTestKit
import Testing

/// A source that goes on delivering when a batch was broken off, as one of several streams may.
private final class StubbornSource: EventSource {
    let stream = "memory"
    let status = SourceStatus()
    private let entries: [MemorySource.Entry]

    init(_ entries: [MemorySource.Entry]) { self.entries = entries }

    func run(_ deliver: (EventBatch) async throws -> Void) async throws {
        let batch = EventBatch()
        batch.stream = self.stream
        var failure: (any Error)?
        for entry in self.entries {
            batch.removeAll()
            batch.append(id: entry.id, fields: entry.fields)
            do { try await deliver(batch) } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
    }

    func stop() {}
}

@Suite struct BrokenOffTests {
    @Test("No batch is processed after one that was broken off, since its stages have not ended it")
    func nothingMore() async throws {
        let records = EventResults()
        var catalogue = Probes.catalogue()
        let nothing = SettingType<Bool>.object(SettingsSchema(true, []))
        catalogue.add(
            SourceType(name: "stubborn", summary: "Goes on.", settings: nothing) { _, _ in
                StubbornSource((1...4).map { MemorySource.Entry(UInt64($0), ["a": "\($0)"]) })
            })
        let text = """
            pipeline: test
            source: { stubborn: {} }
            stages:
              - probe: { fail_on: 2-0 }
                on_failure: halt
            """
        var services = PipelineServices(logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        services.makeObserver = { EventResultsObserver(records) }
        let pipeline = try Pipeline(
            text: Array(text.utf8), file: "p.yaml", catalogue: catalogue, services: services)
        let halt = await #expect(throws: PipelineHalt.self) { try await pipeline.run() }
        #expect(halt?.description.contains("2-0") == true)
        #expect(records.all.map(\.id.milliseconds) == [1])
        #expect(pipeline.statistics.read == 1)
    }
}
