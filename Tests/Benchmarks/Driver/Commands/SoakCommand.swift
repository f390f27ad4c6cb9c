import ArgumentParser
import Checkpoints
import ComponentKit
import CoreMetrics
import Foundation
import Logging
import PipelineEngine
import SnapshotStores
import StageKit

/// Runs events through the whole shipped graph for a long while and looks at the memory, then writes and reads a
/// checkpoint of all sessions. The events are made in this process: what is soaked is all but the socket.
struct SoakCommand: ParsableCommand {
    /// How the command line shows it.
    static let configuration = CommandConfiguration(
        commandName: "soak", abstract: "Many events through the whole graph: does the memory stay flat?")

    /// What to run.
    @OptionGroup var file: PipelineArguments
    /// Sessions in the store.
    @Option(help: "Sessions in the store.") var sessions = 1_000_000
    /// Events.
    @Option(help: "Events.") var events = 100_000_000

    /// How much more than after a tenth of the events may be resident at the end: 2%.
    private static let growth = 1.02
    private static let nap = Duration.milliseconds(500)
    /// Looks at the memory that are told.
    private static let looks = 20

    /// Measures and prints.
    func run() throws {
        let command = self
        try MainThread.run { try await command.measure() }
    }

    private func measure() async throws {
        let filled = try FilledPipeline(sessions: self.sessions, self.file)
        let (events, sessions) = (self.events, self.sessions)
        try await filled.run {
            var seen: [Int] = []
            let began = ContinuousClock.now
            filled.source.phase = .updating
            while true {
                let read = Int(filled.pipeline.statistics.read)
                let resident = MemoryUse.now.resident >> 10
                if read >= seen.count * (events / Self.looks) {
                    seen.append(resident)
                    print("\(read) events, \(resident) KiB resident, after \(ContinuousClock.now - began)")
                }
                if read >= events { break }
                try await Task.sleep(for: Self.nap)
            }
            filled.source.phase = .resting
            let base = seen[min(seen.count - 1, Self.looks / 10 + 1)]
            print("first \(base) KiB, last \(seen.last ?? 0) KiB, peak \(MemoryUse.peakKiB) KiB resident")
            guard Double(seen.last ?? 0) <= Double(base) * Self.growth else {
                throw ToolFailure(description: "the memory has grown by more than 2% since a tenth of the events")
            }
            try await Self.checkpoint(filled.store, sessions)
        }
    }

    /// How long it takes to write and to read a checkpoint of everything in the store.
    private static func checkpoint(_ store: MemoryStore, _ sessions: Int) async throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-soak-\(getpid())").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        func keeper(_ store: MemoryStore) -> FileCheckpoint {
            FileCheckpoint(
                CheckpointSettings(path: path), stores: [store], definition: "soak",
                logger: Logger(label: "soak") { StreamLogHandler.standardError(label: $0) },
                metrics: NOOPMetricsHandler.instance)
        }
        let start = ContinuousClock.now
        await keeper(store).save { SourceBookmark(epoch: 0, cursor: .max, text: "soak") }
        let saved = ContinuousClock.now
        let other = MemoryStore(name: store.name, keyField: store.keyField)
        _ = try keeper(other).load()
        let loaded = ContinuousClock.now
        let size = (try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
        guard other.count == store.count else { throw ToolFailure(description: "not all sessions came back") }
        print(
            "checkpoint of \(store.count) sessions, \(size >> 20) MiB: saved in \(saved - start), loaded in \(loaded - saved)"
        )
    }
}
