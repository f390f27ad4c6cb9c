public import StageKit

/// A stage outside of any pipeline: made of settings, fed with entries, asked what it did.
public final class StageHarness<S: Stage> {
    /// The stage.
    public let stage: S
    /// What surrounds it.
    public let fixture: StageFixture

    /// The last entry id that the batches' source knows to be finished: see `EventBatch.finishedUpTo`.
    public var finishedUpTo: EntryID?

    /// The names of the graph that has this stage only.
    let names: GraphNames
    private let batch = EventBatch()
    private let waiting: WaitingEvents
    private var lastID: UInt64 = 0

    /// Makes the stage the way the engine does, from the settings as they stand in the file.
    public init(
        _ type: S.Type = S.self, _ settings: SettingNode, in fixture: StageFixture = StageFixture()
    ) throws(StageRefused) {
        let names = GraphNames()
        let stageType = StageType(type)
        let setup = fixture.makeSetup(
            stage: stageType.name, names: names, exits: stageType.exits(settings) ?? StageExits())
        let made = stageType.make(settings, setup)
        guard let stage = made as? S, setup.issues.all.isEmpty else { throw StageRefused(issues: setup.issues.all) }
        self.stage = stage
        self.fixture = fixture
        self.waiting = WaitingEvents(progress: fixture.progress)
        self.names = names
    }

    /// What is wrong with settings, as lines (`3:5: decode: missing setting "fields"`); empty where nothing is.
    public static func mistakes(_ settings: SettingNode, in fixture: StageFixture = StageFixture()) -> [String] {
        do throws(StageRefused) {
            _ = try StageHarness(S.self, settings, in: fixture)
            return []
        } catch {
            return error.issues.map { "\($0.mark.line):\($0.mark.column): \($0.message)" }
        }
    }

    /// Passes the entries through the stage as one batch, with its end; throws what `complete` and `endBatch` throw.
    public func feed(_ entries: SampleEntry...) async throws -> [EventReport] {
        let reports = try await self.complete(self.process(entries))
        try await self.endBatch()
        return reports
    }

    /// Ends a batch as a worker does.
    public func endBatch() async throws {
        if try !self.stage.endBatchAtOnce() { try await self.stage.endBatch() }
    }

    /// Has the stage do its work on the events of the batch that wait; returns what became of all of them.
    public func complete(_ reports: [EventReport]) async throws -> [EventReport] {
        guard self.waiting.count > 0 else { return reports }
        defer { self.waiting.removeAll() }
        try await self.stage.complete(self.waiting)
        var reports = reports
        for position in 0..<self.waiting.count {
            let index = self.waiting.index(at: position)
            let ending: EventReport.Ending =
                switch self.waiting.decision(at: position) {
                case .next: .next
                case .finish(let outcome, let reason): .finished(outcome, reason: self.name(reason))
                case .fail(let failure): .failed(self.completed(failure))
                }
            reports[index] = self.batch.withEvent(at: index) { event in self.report(event, ending) }
        }
        return reports
    }

    /// Passes the entries through the stage as one batch that has not ended yet; those that wait do so until `complete`.
    public func process(_ entries: [SampleEntry]) -> [EventReport] {
        self.process(entries, preparing: true)
    }

    /// The same, with or without telling the stage of the events ahead of time.
    func process(_ entries: [SampleEntry], preparing: Bool) -> [EventReport] {
        self.fill(entries)
        if preparing, S.declaration.preparesEvents {
            for index in entries.indices {
                self.batch.withEvent(at: index) { event in self.stage.prepare(event) }
            }
        }
        return entries.indices.map { index in
            self.batch.withEvent(at: index) { event in self.process(&event) }
        }
    }

    /// The number of the stream that the next entries come from, among those that a source reads.
    package var streamIndex: Int {
        get { self.batch.streamIndex }
        set { self.batch.streamIndex = newValue }
    }

    private func fill(_ entries: [SampleEntry]) {
        self.batch.removeAll()
        self.waiting.removeAll()
        self.batch.stream = "test:events"
        for entry in entries {
            self.lastID = entry.id?.milliseconds ?? self.lastID + 1
            let id = entry.id ?? EntryID(milliseconds: self.lastID, sequence: 0)
            self.batch.append(id: id, fields: entry.fields)
        }
        self.batch.finishedUpTo = self.finishedUpTo
        // As a source does: so a stage that makes use of it is tested with it and without.
        let names = entries.map { $0.fields.map(\.name) }
        let longest = names.max { $0.count < $1.count } ?? []
        if names.allSatisfy({ longest.starts(with: $0) }) { self.batch.markNamesByPosition() }
        self.batch.takeOriginals()
        self.batch.prepareSlots(fieldCount: self.names.fields.count)
        for (index, entry) in entries.enumerated() {
            self.batch.withEvent(at: index) { event in
                self.setInputs(of: &event)
                if let failure = entry.failure { event.fail(failure) }
            }
        }
    }

    /// Does what earlier stages would have done: gives the fixture's fields the entry's values, the last one of a name.
    private func setInputs(of event: inout Event) {
        for position in 0..<event.rawFieldCount {
            let raw = event.rawField(at: position)
            let name = event.text(raw.name)
            guard self.fixture.fields.contains(name), let field = self.names.field(name) else { continue }
            event.set(field, range: raw.value)
        }
    }

    private func process(_ event: inout Event) -> EventReport {
        let ending: EventReport.Ending
        do {
            switch try self.stage.process(&event) {
            case .next: ending = .next
            case .finish(let outcome, let reason): ending = .finished(outcome, reason: self.name(reason))
            case .branch(let branch): ending = .sent(to: self.fixture.branches[Int(branch.index)])
            case .wait:
                ending = .waiting
                self.waiting.add(event.index, of: self.batch)
            }
        } catch {
            ending = .failed(self.completed(error as? StageFailure ?? StageFailure("\(error)")))
        }
        return self.report(event, ending)
    }

    /// The failure with what the engine fills in.
    private func completed(_ failure: StageFailure) -> StageFailure {
        var failure = failure
        failure.reason = failure.reason ?? S.declaration.failureReason
        failure.stage = S.declaration.name
        return failure
    }

    private func report(_ event: borrowing Event, _ ending: EventReport.Ending) -> EventReport {
        var values: [String: EventReport.Value] = [:]
        for name in self.names.fields {
            guard let field = self.names.field(name), let range = event.range(of: field) else { continue }
            values[name] = EventReport.Value(bytes: event.copy(range), integer: event.integer(of: field))
        }
        return EventReport(
            id: event.id, ending: ending, effects: event.effects.map { self.names.effects[Int($0.index)] },
            settled: event.settled.map { EventReport.Settled($0.outcome, reason: self.name($0.reason)) },
            values: values)
    }

    private func name(_ reason: ReasonID) -> String {
        self.names.reasons[Int(reason.index)]
    }
}

/// Settings a stage was not made of, with everything that is wrong with them.
public struct StageRefused: Error {
    /// What is wrong, in the order found.
    public var issues: [SettingIssue]
}

extension Event {
    /// The bytes of a range, to keep.
    func copy(_ range: ByteRange) -> [UInt8] {
        self.withBytes(range) { bytes in bytes.indices.map { bytes[$0] } }
    }
}
