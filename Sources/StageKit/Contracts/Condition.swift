/// A condition on an event's values as the file has it, in `when` and wherever else a stage asks one.
public struct ConditionSettings: Sendable {
    /// A part of a condition.
    enum Part: Sendable {
        /// The field has one of these values.
        case equals(MarkedName, [String])
        /// The field is there with all that is asked of it.
        case field(MarkedName, FieldTests)
        /// One of these holds.
        case any([ConditionSettings])
        /// All of these hold.
        case all([ConditionSettings])
        /// This does not hold.
        case not(ConditionSettings)
    }

    /// All of these must hold.
    var parts: [Part]

    /// The value of a required condition in the defaults of settings, before it has been read.
    public static let unread = ConditionSettings(parts: [])

    /// The condition with its field names resolved; a field that no earlier stage provides is a mistake.
    public func resolve(_ setup: StageSetup) -> Condition {
        var condition = Condition()
        for part in self.parts {
            switch part {
            case .equals(let name, let values):
                condition.equals.append((setup.input(name), values.map { Array($0.utf8) }))
            case .field(let name, let tests):
                condition.others.append(
                    .field(setup.input(name), exists: tests.exists ?? true, numbers: tests.numbers))
            case .any(let conditions): condition.others.append(.any(conditions.map { $0.resolve(setup) }))
            case .all(let conditions): condition.others.append(.all(conditions.map { $0.resolve(setup) }))
            case .not(let inner): condition.others.append(.not(inner.resolve(setup)))
            }
        }
        return condition
    }
}

/// A condition on an event's values, ready to be asked.
public struct Condition {
    /// A part that is more than a field with some values.
    @usableFromInline
    enum Clause {
        /// Whether the event has the field, and the numbers it may be; nil for any value.
        case field(FieldID, exists: Bool, numbers: ClosedRange<Int64>?)
        case any([Condition])
        case all([Condition])
        case not(Condition)
    }

    /// The fields with the byte strings each may have.
    @usableFromInline var equals: [(field: FieldID, values: [[UInt8]])] = []
    /// The other clauses that must hold.
    @usableFromInline var others: [Clause] = []

    /// Whether the event meets the condition; a field the event does not have has no value and is no number.
    @inlinable
    public func holds(for event: borrowing Event) -> Bool {
        // In place: iterating over the arrays themselves would retain each value.
        let equals = self.equals.span
        for index in equals.indices {
            let values = equals[index].values.span
            var found = false
            for number in values.indices where event.value(of: equals[index].field, equals: values[number]) {
                found = true
                break
            }
            if !found { return false }
        }
        return self.others.isEmpty || self.othersHold(for: event)
    }

    @usableFromInline
    func othersHold(for event: borrowing Event) -> Bool {
        for clause in self.others where !Self.holds(clause, for: event) { return false }
        return true
    }

    private static func holds(_ clause: Clause, for event: borrowing Event) -> Bool {
        switch clause {
        case .field(let field, let exists, let numbers):
            guard let numbers else { return (event.range(of: field) != nil) == exists }
            return event.integer(of: field).map { numbers.contains($0) } ?? false
        case .any(let conditions):
            for condition in conditions where condition.holds(for: event) { return true }
            return false
        case .all(let conditions):
            for condition in conditions where !condition.holds(for: event) { return false }
            return true
        case .not(let condition): return !condition.holds(for: event)
        }
    }
}
