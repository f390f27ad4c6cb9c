public import StageKit

/// Runs a stage outside of a pipeline: creates it from settings, passes entries to it and reports its results.
public final class StageHarness<S: Stage> {
    /// The stage.
    public let stage: S
    /// The environment of the stage.
    public let fixture: StageFixture

    /// The id of the last entry that the batches' source knows to be finished: see `EventBatch.finishedUpTo`.
    public var finishedUpTo: EntryID?

    /// The events that the stage has added so far (`EmittingStage`), in the order in which it added them.
    public private(set) var emitted: [EventReport] = []

    /// The names of the graph, which has only this stage.
    let names: GraphNames
    /// Whether the stage has declared for these settings that it uses events with other keys (`usesOtherKeys`).
    let usesOtherKeys: Bool
    private let batch = EventBatch()
    private let waiting: WaitingEvents
    private var lastID: UInt64 = 0
    /// The index in the batch of the first reported event: that of the first element, or 0.
    private var firstIndex = 0

    /// Creates the stage as the engine does, from settings as in the file.
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
        self.usesOtherKeys = setup.dependsOnOtherKeys
    }

    /// Returns the errors in settings, as lines (`3:5: decode: missing setting "fields"`).
    public static func mistakes(_ settings: SettingNode, in fixture: StageFixture = StageFixture()) -> [String] {
        do throws(StageRefused) {
            _ = try StageHarness(S.self, settings, in: fixture)
            return []
        } catch {
            return error.issues.map { "\($0.position.line):\($0.position.column): \($0.message)" }
        }
    }

    /// Passes the entries through the stage as one batch and ends the batch.
    ///
    /// - Throws: The errors that `complete` and `endBatch` throw.
    public func feed(_ entries: SampleEntry...) async throws -> [EventReport] {
        let reports = try await self.complete(self.process(entries))
        try await self.endBatch()
        return reports
    }

    /// Ends a batch as a worker does.
    public func endBatch() async throws {
        if try !self.stage.endBatchAtOnce() { try await self.stage.endBatch() }
    }

    /// Lets the stage complete the waiting events of the batch and returns the results of all events.
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
                case .expand(let indices, let failures): .expanded(self.elements(at: indices, failures))
                }
            reports[index - self.firstIndex] = self.batch.withEvent(at: index) { event in self.report(event, ending) }
        }
        return reports
    }

    /// Returns the reports of the events of elements.
    private func elements(at indices: Range<Int>, _ failures: [Int: StageFailure]) -> [EventReport] {
        indices.enumerated().map { number, index in
            let ending = failures[number].map { EventReport.Ending.failed(self.completed($0)) } ?? .next
            return self.batch.withEvent(at: index) { event in self.report(event, ending) }
        }
    }

    /// Passes the entries through the stage as one batch without ending it. Events that wait do so until `complete`.
    public func process(_ entries: [SampleEntry]) -> [EventReport] {
        self.process(entries, preparing: true)
    }

    /// Passes the entries through the stage, with or without calling `prepare` first.
    func process(_ entries: [SampleEntry], preparing: Bool) -> [EventReport] {
        self.fill(entries)
        if preparing, S.declaration.preparesEvents {
            for index in entries.indices {
                self.batch.withEvent(at: index) { event in self.stage.prepare(event) }
            }
        }
        return entries.indices.map { index in
            let report = self.batch.withEvent(at: index) { event in self.process(&event) }
            self.takeEmissions()
            return report
        }
    }

    /// Passes events of the elements of one entry through the stage; each has the values of a sample.
    package func processElements(_ samples: [SampleEntry], of entry: EntryID) -> [EventReport] {
        self.fill([SampleEntry([:], id: entry)])
        let indices = self.batch.appendElements(of: 0, count: samples.count)
        self.firstIndex = indices.lowerBound
        return zip(indices, samples).map { index, sample in
            let report = self.batch.withEvent(at: index) { event in
                for field in sample.fields {
                    let ranges = (self.batch.copyToArena(field.name), self.batch.copyToArena(field.value))
                    self.setInput(ranges.0, ranges.1, of: &event)
                }
                if let failure = sample.failure { event.fail(failure) }
                return self.process(&event)
            }
            self.takeEmissions()
            return report
        }
    }

    /// The number of the stream that the next entries come from, among those that the source reads.
    package var streamIndex: Int {
        get { self.batch.streamIndex }
        set { self.batch.streamIndex = newValue }
    }

    /// Takes the events that the stage adds, as the engine does after each event.
    private func takeEmissions() {
        guard let emitter = self.stage.emitting, emitter.hasEmissions else { return }
        let added = EventBatch()
        added.prepareCells(fieldCount: self.names.fields.count)
        emitter.emit(into: EmittedEvents(added))
        for index in 0..<added.count {
            self.emitted.append(added.withEvent(at: index) { event in self.report(event, .next) })
        }
    }

    private func fill(_ entries: [SampleEntry]) {
        self.batch.removeAll()
        self.waiting.removeAll()
        self.firstIndex = 0
        self.batch.stream = "test:events"
        for entry in entries {
            self.lastID = entry.id?.milliseconds ?? self.lastID + 1
            let id = entry.id ?? EntryID(milliseconds: self.lastID, sequence: 0)
            self.batch.append(id: id, fields: entry.fields)
        }
        self.batch.finishedUpTo = self.finishedUpTo
        // As a source does, so that a stage that uses names by position is tested with it and without.
        let names = entries.map { $0.fields.map(\.name) }
        let longest = names.max { $0.count < $1.count } ?? []
        if names.allSatisfy({ longest.starts(with: $0) }) { self.batch.markNamesByPosition() }
        self.batch.takeOriginals()
        self.batch.prepareCells(fieldCount: self.names.fields.count)
        for (index, entry) in entries.enumerated() {
            self.batch.withEvent(at: index) { event in
                self.setInputs(of: &event)
                if let failure = entry.failure { event.fail(failure) }
            }
        }
    }

    /// Sets the fixture's fields to the entry's values, as earlier stages would; the last value of a repeated name
    /// counts.
    private func setInputs(of event: inout Event) {
        for position in 0..<event.rawFieldCount {
            let raw = event.rawField(at: position)
            self.setInput(raw.name, raw.value, of: &event)
        }
    }

    private func setInput(_ name: ByteRange, _ value: ByteRange, of event: inout Event) {
        let name = event.text(name)
        guard self.fixture.fields.contains(name), let field = self.names.field(name) else { return }
        event.set(field, range: value)
        guard let type = self.fixture.types[name] else { return }
        let (integer, typed) = event.withBytes(value) { bytes in
            (try? DecimalInteger.parse(bytes), (try? type.read(bytes)) ?? nil)
        }
        if type == .integer, let integer {
            event.set(field, integer: integer, range: value)
        } else if let typed {
            event.set(field, typed: typed, range: value)
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

    /// Returns the failure with the properties that the engine sets.
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
            values[name] = EventReport.Value(
                bytes: event.copy(range), integer: event.integer(of: field), typed: event.typedValue(of: field))
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

/// The stage could not be created from the settings.
public struct StageRefused: Error {
    /// The errors, in the order in which they were found.
    public var issues: [SettingIssue]
}

extension Event {
    /// Returns a copy of a range's bytes.
    func copy(_ range: ByteRange) -> [UInt8] {
        self.withBytes(range) { [UInt8](copying: $0) }
    }
}
