import ComponentKit
import StageKit
import StageTestKit
import Testing

/// Breaches of the contract of sources, one at a time.
enum ResumingFault: String, CaseIterable, Sendable {
    case none
    case freshAtOnce, neverFresh, countsNoSteps, hidesStreams
    case hasNoBookmark, bookmarksEarly, bookmarksFailures
    case loadsNothing, skipsOne, skipsAll, discardsStages
    case diesOfDamage, hidesGaps, keepsContent, finishesNoRemoval, keepsDamage, keepsStages
}

/// A source of ten entries, which starts at a checkpoint; its bookmark is the number of an entry.
final class ResumingSource: EventSource {
    private struct State {
        var status = SourceStatus()
        var bookmark: Int? = 0
        var isStopped = false
    }

    static let type = SourceType(
        name: "resuming", summary: "Delivers ten entries.",
        settings: .object(
            SettingsSchema(
                ResumingFault.none,
                [
                    .optional(
                        "fault", \.self, .choice(of: ResumingFault.allCases.map { ($0.rawValue, $0) }),
                        "Breach of the contract.")
                ]))
    ) { ResumingSource($0, $1) }

    let stream = "first"
    let streams = ["first", "second"]
    let startsAtCheckpoint = true
    private let fault: ResumingFault
    private let stores: [any SnapshotStore]
    private let checkpoint: (any CheckpointKeeper)?
    private let state = OrderedMutex(State())

    init(_ fault: ResumingFault, _ setup: ComponentSetup) {
        self.fault = fault
        self.stores = Array(setup.stores.values)
        self.checkpoint = setup.checkpoint
        for store in self.stores {
            if fault != .hidesStreams { store.streamFed?.setStreams(self.streams) }
            store.freshness?.setFilling(fault != .freshAtOnce)
        }
    }

    var status: SourceStatus { self.state.withLock(\.status) }
    func stop() { self.state.withLock { $0.isStopped = true } }

    var bookmark: SourceBookmark? {
        guard self.fault != .hasNoBookmark, let number = self.state.withLock(\.bookmark) else { return nil }
        return SourceBookmark(epoch: 0, cursor: Self.id(number), text: "\(number)")
    }

    private static func id(_ number: Int) -> EntryID { EntryID(milliseconds: UInt64(number), sequence: 0) }

    func run(_ deliver: nonisolated(nonsending) (EventBatch) async throws -> Void) async throws {
        self.state.withLock { $0.status.state = .reading }
        defer { self.state.withLock { $0.status.state = .stopped } }
        var next = try await self.start() + 1
        let batch = EventBatch()
        batch.stream = self.stream
        while next <= 10, !self.state.withLock(\.isStopped) {
            batch.removeAll()
            batch.append(id: Self.id(next), fields: [])
            if self.fault == .bookmarksEarly { self.state.withLock { $0.bookmark = next } }
            do {
                try await deliver(batch)
            } catch {
                if self.fault == .bookmarksFailures { self.state.withLock { $0.bookmark = next } }
                throw error
            }
            self.state.withLock { state in
                state.bookmark = next
                state.status.cursor = Self.id(next)
                state.status.isCaughtUp = true
                if self.fault != .countsNoSteps { state.status.pulses += 1 }
            }
            if self.fault != .neverFresh {
                for store in self.stores { store.freshness?.setFilling(false) }
            }
            next += 1
        }
    }

    /// Returns the number of the entry after which reading begins.
    private func start() async throws -> Int {
        if self.fault == .loadsNothing { return 0 }
        do {
            guard let text = try self.checkpoint?.load() else { return 0 }
            if self.fault == .discardsStages { _ = self.checkpoint?.takeStages() }
            if let number = Int(text) {
                switch self.fault {
                case .skipsOne: return number + 1
                case .skipsAll: return 10
                default: return number
                }
            }
        } catch {
            if self.fault == .diesOfDamage { throw error }
        }
        if self.fault != .keepsStages { _ = self.checkpoint?.takeStages() }
        if self.fault != .keepsDamage { self.checkpoint?.discard() }
        if self.fault != .hidesGaps { self.state.withLock { $0.status.gaps["recreated", default: 0] += 1 } }
        for store in self.stores where self.fault != .keepsContent {
            store.removeAll()
            if self.fault != .finishesNoRemoval { try await store.finishRemoval() }
        }
        return 0
    }
}

@Suite struct SourcePromiseTests {
    @Test(arguments: ResumingFault.allCases)
    func `Each broken promise of a source is found, and a right source has none`(
        fault: ResumingFault
    ) async {
        let violations = await SourceConformance.check(ResumingSource.type, ["fault": .text(fault.rawValue)])
        #expect(violations.isEmpty == (fault == .none), "\(violations)")
    }
}
