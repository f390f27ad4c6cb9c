public import StageKit

/// Aggregates events in windows of time and adds an event for each window that ends.
public final class AggregateStage: StatefulStage, EmittingStage {
    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "aggregate",
        summary: "Aggregates events by key in windows of time; each total continues as an event.",
        settings: Settings.type,
        example: """
            aggregate:
              key: region
              window: 1m
              values: { orders: count, largest: { max: amount } }
            """,
        failureReason: "aggregate_failure", remembers: true)

    /// The name of the field with the start of a window.
    static let startName = "window_start"
    /// The name of the field with the end of a window.
    static let endName = "window_end"

    private let key: AggregateKey
    private let time: EventTime
    private let measures: [MeasureReader]
    private let rules: WindowTable.Rules
    private let windows: WindowState
    private let stage: String
    private let start: FieldID
    private let end: FieldID
    private let aggregated: ReasonID
    private let repeated: ReasonID
    /// Whether the windows of a silent stream are closed.
    public let followsTime: Bool
    /// The windows that the last event, or the time of a silent stream, has closed.
    private var closed: [WindowTable.Closed] = []

    /// The state: the open windows.
    public var state: any StageState { self.windows }

    /// Whether the ids of windows follow those of the entries: not if the time is that of a field.
    public var emitsInOrder: Bool { self.time.isOfEntry }

    /// Creates the stage; it reads the fields of `key`, `time` and `values`.
    public init(_ settings: Settings, _ setup: StageSetup) {
        let context = setup.issues.context
        setup.issues.context = context + ": key"
        self.key = AggregateKey(settings.key, setup)
        setup.issues.context = context + ": time"
        self.time = EventTime(settings.time, ahead: settings.ahead, setup)
        self.start = setup.emits(Self.startName, type: .timestamp(.text))
        self.end = setup.emits(Self.endName, type: .timestamp(.text))
        setup.issues.context = context + ": values"
        Self.checkNames(settings.values, self.key, setup)
        self.measures = settings.values.map { MeasureReader($0, setup) }
        setup.issues.context = context
        self.rules = WindowTable.Rules(
            size: settings.window.microseconds / 1000, lateness: settings.lateness.microseconds / 1000,
            functions: self.measures.map(\.function), groups: settings.groups, distinct: settings.distinct)
        let signature = StateSignature.text(
            window: self.rules.size, lateness: self.rules.lateness, key: self.key.signature,
            time: settings.time?.text ?? "", values: self.measures.map(\.signature))
        self.windows = WindowState(self.rules, signature: signature)
        self.stage = setup.stage
        self.followsTime = settings.closesIdle
        self.aggregated = setup.reason("aggregated")
        self.repeated = setup.reason("repeated_entry")
    }

    /// Two values of a window's event cannot have the same name.
    private static func checkNames(_ values: [NamedSetting<Measure>], _ key: AggregateKey, _ setup: StageSetup) {
        var names = Set(key.names + [Self.startName, Self.endName])
        for value in values {
            let capped = value.value.function == .distinct ? ["\(value.name)_capped"] : []
            for name in [value.name] + capped where !names.insert(name).inserted {
                setup.issues.add("the window's event has \"\(name)\" already: choose another name", at: value.position)
            }
        }
    }

    /// Adds the event to its window and finishes it, or skips it if the windows contain its entry already. Windows that the
    /// event closes are added afterwards.
    ///
    /// - Throws: `StageFailure` if a value is missing or out of range, or if the window is closed.
    public func process(_ event: inout Event) throws -> Verdict {
        if self.windows.contains(event.eventID) { return .finish(.skipped, self.repeated) }
        let hasher = self.windows.hasher
        let key = try self.key.key(of: event)
        let (time, clock) = try self.time.times(of: event)
        var samples: [Sample?] = []
        samples.reserveCapacity(self.measures.count)
        for measure in self.measures { samples.append(try measure.sample(of: event, hasher)) }
        let entry = WindowTable.WindowEvent(id: event.eventID, time: time, clock: clock, key: key, samples: samples)
        do throws(WindowTable.Refusal) {
            self.closed += try self.windows.add(entry)
        } catch {
            throw self.failure(error)
        }
        return .finish(.applied, self.aggregated)
    }

    private func failure(_ refusal: WindowTable.Refusal) -> StageFailure {
        switch refusal {
        case .late(let start):
            let end = FieldValue("", self.end, milliseconds: start + self.rules.size)
            return StageFailure(
                "aggregate: late: the window that ended at \(String(decoding: end.text, as: UTF8.self)) is closed",
                reason: "late")
        case .full:
            return StageFailure(
                "aggregate: \(self.rules.groups) windows are open: raise groups if that is intended",
                reason: "too_many_groups")
        case .overflow(let index):
            return StageFailure(
                "aggregate: \(self.measures[index].name): the sum is out of range", reason: "out_of_range")
        }
    }

    // MARK: Windows

    /// Closes the windows of a silent stream, if the file says so.
    public func advance(to milliseconds: UInt64) {
        guard self.followsTime, let clock = Int64(exactly: milliseconds), TimeRange.isValid(clock) else { return }
        self.closed += self.windows.advance(to: clock)
    }

    /// Whether the last event has closed windows.
    public var hasEmissions: Bool { !self.closed.isEmpty }

    /// Adds an event for each window that the last event has closed.
    public func emit(into events: EmittedEvents) {
        for window in self.closed {
            let values = self.values(of: window)
            events.add(id: self.id(of: window), fields: values.map { (Array($0.name.utf8), $0.text) }) { event in
                for value in values { value.set(&event) }
            }
        }
        self.closed = []
    }

    /// The id of a window's event: greater than those of all entries whose time is before the window closes.
    private func id(of window: WindowTable.Closed) -> EntryID {
        EntryID(
            milliseconds: UInt64(max(0, window.start + self.rules.size + self.rules.lateness)),
            sequence: WindowKey.number(window.key, stage: self.stage))
    }

    private func values(of window: WindowTable.Closed) -> [FieldValue] {
        self.key.values(of: window.key)
            + [
                FieldValue(Self.startName, self.start, milliseconds: window.start),
                FieldValue(Self.endName, self.end, milliseconds: window.start + self.rules.size),
            ] + zip(self.measures, window.values).flatMap { $0.results($1) }
    }
}
