import Logging
import PipelineEngine
import StageKit
import StageTestKit
import Testing

@Suite struct ShutDownTests {
    private struct Broken: Error {}

    /// Logs what is called; throws at the end of a batch where told to.
    private final class OpenStage: Stage {
        struct Settings: Sendable {
            var breaks = false
        }

        static let declaration = StageDeclaration(
            name: "open", summary: "Has something open.",
            settings: .object(
                SettingsSchema(Settings(), [.optional("breaks", \.breaks, .boolean, "Whether batches cannot end.")])),
            example: "open: {}", failureReason: "open_failure")

        private let settings: Settings
        private let logger: Logger

        init(_ settings: Settings, _ setup: StageSetup) {
            self.settings = settings
            self.logger = setup.logger
        }

        func process(_ event: inout Event) -> Verdict { .next }

        func endBatch() async throws {
            self.logger.info("end of batch")
            if self.settings.breaks { throw Broken() }
        }

        func shutDown() async {
            self.logger.info("shut down")
        }
    }

    private func lines(_ stage: String) async throws -> [String] {
        let log = RecordingLog()
        var catalogue = Probes.catalogue(entries: (1...4).map { MemorySource.Entry($0, ["a": "b"]) }, batchSize: 2)
        catalogue.add(OpenStage.self)
        let text = "pipeline: p\nsource: { memory: {} }\nstages:\n  - \(stage)\n"
        let pipeline = try Pipeline(
            text: Array(text.utf8), file: "f", catalogue: catalogue,
            services: PipelineServices(logger: log.logger(label: "p")))
        do {
            try await pipeline.run()
        } catch is Broken {
            log.logger(label: "p").info("broken")
        }
        return log.lines.map(\.message)
    }

    @Test("A stage is shut down once, after the last batch")
    func end() async throws {
        #expect(try await self.lines("open: {}") == ["end of batch", "end of batch", "shut down"])
    }

    @Test("A stage is shut down even if a batch cannot be ended")
    func broken() async throws {
        #expect(try await self.lines("open: { breaks: true }") == ["end of batch", "shut down", "broken"])
    }
}
