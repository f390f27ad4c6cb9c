/// A condition on an event's values as written in the file, in `when` and other settings.
public struct ConditionSettings: Sendable {
    /// A part of a condition.
    package enum Part: Sendable {
        /// The field has one of these values.
        case equals(MarkedName, [String])
        /// The field exists and passes all tests.
        case field(MarkedName, FieldTests)
        /// At least one of these conditions holds.
        case any([ConditionSettings])
        /// All of these conditions hold.
        case all([ConditionSettings])
        /// This condition does not hold.
        case not(ConditionSettings)
        /// The expression is true.
        case expression(ExpressionSettings)
    }

    /// The parts, all of which must hold.
    package var parts: [Part]

    /// A placeholder for a required condition in the defaults of settings.
    public static let unread = ConditionSettings(parts: [])

    /// Returns the condition with its field names resolved. Adds an error for a field that no earlier stage provides.
    public func resolve(_ setup: StageSetup) -> Condition {
        var condition = Condition()
        for part in self.parts {
            switch part {
            case .equals(let name, let values):
                condition.equals.append((setup.input(name), values.map { Array($0.utf8) }))
            case .field(let name, let tests):
                if tests.numbers != nil, ![.integer, .text, .unknown].contains(setup.type(of: name.text)) {
                    setup.issues.add(
                        "\(name.text) is not an int64, so its bounds need an expression such as "
                            + "when: \"\(name.text) > ...\"", at: name.mark)
                }
                condition.others.append(
                    .field(setup.input(name), exists: tests.exists ?? true, numbers: tests.numbers))
            case .any(let conditions): condition.others.append(.any(conditions.map { $0.resolve(setup) }))
            case .all(let conditions): condition.others.append(.all(conditions.map { $0.resolve(setup) }))
            case .not(let inner): condition.others.append(.not(inner.resolve(setup)))
            case .expression(let expression):
                if let expression = expression.resolve(setup, isCondition: true) { condition.add(expression) }
            }
        }
        return condition
    }
}

/// A condition on an event's values, ready to be evaluated.
public struct Condition {
    /// A part of a condition other than a list of values.
    @usableFromInline
    enum Clause {
        /// Whether the event must have the field, and the range its number must be in, or `nil` for any value.
        case field(FieldID, exists: Bool, numbers: ClosedRange<Int64>?)
        case any([Condition])
        case all([Condition])
        case not(Condition)
        case expression(EventExpression)
    }

    /// The fields with the byte strings that each may have.
    @usableFromInline var equals: [(field: FieldID, values: [[UInt8]])] = []
    /// The other clauses that must hold.
    @usableFromInline var others: [Clause] = []
    /// The expression that `equals` stands for, which fails if the event does not have one of the fields; `nil` if a
    /// field that the event does not have just has none of the values.
    @usableFromInline var expression: EventExpression?

    /// Makes an expression the whole condition: as a list of values if it only compares fields with texts.
    mutating func add(_ expression: EventExpression) {
        if let comparisons = expression.comparisons {
            self.equals = comparisons
            self.expression = expression
        } else {
            self.others.append(.expression(expression))
        }
    }

    /// Returns whether the event meets the condition. A field that the event does not have has no value and no number.
    ///
    /// - Throws: The error of an expression, for example because a field that it uses is missing.
    @inlinable
    public func holds(for event: borrowing Event) throws(StageFailure) -> Bool {
        if let holds = self.comparisonsHold(for: event) { return holds }
        return try self.othersHold(for: event)
    }

    /// Returns whether the event meets the condition if the comparisons decide it, otherwise `nil`: `othersHold` then
    /// decides.
    ///
    /// Apart from `othersHold` because this cannot fail: a caller on the hot path does not retain the condition for it.
    @inlinable
    package func comparisonsHold(for event: borrowing Event) -> Bool? {
        // In place: iterating over the arrays themselves would retain each value.
        let equals = self.equals.span
        for index in equals.indices {
            let values = equals[index].values.span
            var found = false
            for number in values.indices where event.value(of: equals[index].field, equals: values[number]) {
                found = true
                break
            }
            if !found {
                return self.expression != nil && event.range(of: equals[index].field) == nil ? nil : false
            }
        }
        return self.others.isEmpty ? true : nil
    }

    /// Returns whether the event meets a condition that its comparisons do not decide.
    ///
    /// - Throws: The error of an expression.
    @usableFromInline @inline(never)
    package func othersHold(for event: borrowing Event) throws(StageFailure) -> Bool {
        // The comparisons stand for it: a field that one of them needs is missing.
        if let expression = self.expression { return try expression.holds(for: event) }
        for clause in self.others {
            if try !Self.holds(clause, for: event) { return false }
        }
        return true
    }

    private static func holds(_ clause: Clause, for event: borrowing Event) throws(StageFailure) -> Bool {
        switch clause {
        case .field(let field, let exists, let numbers):
            guard let numbers else { return (event.range(of: field) != nil) == exists }
            return event.integer(of: field).map { numbers.contains($0) } ?? false
        case .any(let conditions):
            for condition in conditions {
                if try condition.holds(for: event) { return true }
            }
            return false
        case .all(let conditions):
            for condition in conditions {
                if try !condition.holds(for: event) { return false }
            }
            return true
        case .not(let condition): return try !condition.holds(for: event)
        case .expression(let expression): return try expression.holds(for: event)
        }
    }
}
