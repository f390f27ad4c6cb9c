import StageKit

/// The time of events.
struct EventTime {
    private let field: FieldID?
    private let name: String
    /// How far a time may be ahead of the clock, in milliseconds.
    private let ahead: Int64
    private let clock: WallClock

    /// Resolves the field. Adds an error if it is missing or not of the type timestamp.
    init(_ field: LocatedName?, ahead: Duration, _ setup: StageSetup) {
        self.field = field.map { setup.input($0) }
        self.name = field?.text ?? ""
        self.ahead = ahead.microseconds / 1000
        self.clock = setup.clock
        guard let field, setup.fields.contains(field.text) else { return }
        if case .timestamp = setup.type(of: field.text) { return }
        setup.issues.add(
            "\"\(field.text)\" is not a time: declare it in decode (type: timestamp)", at: field.position)
    }

    /// Whether the time is that in the entry's id.
    var isOfEntry: Bool { self.field == nil }

    /// Returns the time of an event, and that of the stream, in milliseconds since the epoch. The time of a replayed
    /// entry is that of its original.
    func times(of event: borrowing Event) throws(StageFailure) -> (event: Int64, stream: Int64) {
        guard let field = self.field else {
            let time = Int64(exactly: event.orderID.milliseconds) ?? .max
            let clock = Int64(exactly: event.id.milliseconds) ?? .max
            guard TimeRange.isValid(time), TimeRange.isValid(clock) else {
                throw StageFailure("aggregate: the id of the entry is not a time")
            }
            return (time, clock)
        }
        let time = try self.time(of: event, field)
        return (time, time)
    }

    private func time(of event: borrowing Event, _ field: FieldID) throws(StageFailure) -> Int64 {
        guard case .timestamp(let seconds, let nanoseconds) = event.typedValue(of: field) else {
            throw StageFailure("aggregate: time: missing \(self.name)")
        }
        let time = seconds * 1000 + Int64(nanoseconds) / 1_000_000
        guard TimeRange.isValid(time) else { throw StageFailure("aggregate: time: \(self.name) is out of range") }
        // One wrong time must not close the windows of all other events.
        guard time <= self.clock.milliseconds + self.ahead else {
            throw StageFailure(
                "aggregate: time: \(self.name) is more than \(SettingUnits.text(.milliseconds(self.ahead))) ahead of "
                    + "the clock", reason: "early")
        }
        return time
    }
}
