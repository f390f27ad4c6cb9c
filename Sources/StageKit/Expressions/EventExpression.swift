import CEL

/// An expression on an event's values, ready to be evaluated.
public final class EventExpression: Sendable {
    private let program: Program
    /// The stage and the setting, which precede messages.
    private let context: String
    /// Whether the expression uses a secret field, whose value a message or the result may contain.
    public let isSecret: Bool
    private let clock: WallClock

    init(_ program: Program, context: String, isSecret: Bool, clock: WallClock) {
        self.program = program
        self.context = context
        self.isSecret = isSecret
        self.clock = clock
    }

    /// The fields and the values that each may have, if the expression only compares fields with texts.
    var comparisons: [(field: FieldID, values: [[UInt8]])]? {
        guard let comparisons = self.program.textComparisons, comparisons.allSatisfy({ $0.variable >= 0 }) else {
            return nil
        }
        return comparisons.map { (FieldID(index: $0.variable), $0.texts) }
    }

    /// The type of the values that the expression gives a field.
    public var fieldType: FieldType {
        switch self.program.type {
        case .int: .integer
        case .dyn, .uint: .unknown
        default: .text
        }
    }

    /// Evaluates a condition.
    ///
    /// - Throws: The error of the expression, for example because a field that it uses is missing.
    public func holds(for event: borrowing Event) throws(StageFailure) -> Bool {
        do throws(EvaluationError) {
            return try self.program.test(EventVariables(event, self.clock))
        } catch {
            throw self.failure(error)
        }
    }

    /// Sets a field to the value of the expression: text and bytes as they are, numbers in decimal, times as RFC 3339,
    /// durations in seconds. `null` and an empty optional remove the field.
    ///
    /// - Parameters:
    ///   - field: The field.
    ///   - event: The event.
    ///   - limit: The maximum length of the value in bytes.
    /// - Throws: The error of the expression, or that its value cannot be the value of a field.
    public func assign(to field: FieldID, of event: inout Event, limit: Int) throws(StageFailure) {
        let value: Value
        do throws(EvaluationError) {
            value = try self.program.evaluate(EventVariables(event, self.clock))
        } catch {
            throw self.failure(error)
        }
        guard let result = try self.bytes(value) else { return event.remove(field) }
        guard result.bytes.count <= limit else {
            throw StageFailure("\(self.context): the value is longer than \(limit) bytes")
        }
        event.set(field, copying: result.bytes)
        if let integer = result.integer, let range = event.range(of: field) {
            event.set(field, integer: integer, range: range)
        }
    }

    private func bytes(_ value: Value) throws(StageFailure) -> (bytes: [UInt8], integer: Int64?)? {
        switch value {
        case .null: return nil
        case .string(let text): return (Array(text.utf8), nil)
        case .bytes(let bytes): return (bytes, nil)
        case .int(let number): return (Array(String(number).utf8), number)
        case .uint(let number): return (Array(String(number).utf8), Int64(exactly: number))
        case .optional(let optional):
            return try optional.wrapped.flatMap { (value) throws(StageFailure) in
                try self.bytes(value)
            }
        case .bool, .double, .timestamp, .duration, .ip, .cidr, .type: return (Array(value.text.utf8), nil)
        case .list, .map:
            throw StageFailure("\(self.context): a \(value.typeName.rawValue) cannot be the value of a field")
        }
    }

    private func failure(_ error: EvaluationError) -> StageFailure {
        let message = self.isSecret ? "an expression with a secret field failed" : error.message
        return StageFailure("\(self.context): \(message)")
    }
}
