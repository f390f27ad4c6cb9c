import CEL

/// An expression on an event's values, ready to be evaluated.
public final class EventExpression: Sendable {
    private let program: Program
    /// The stage and the setting, which precede messages.
    private let context: String
    /// Whether the expression uses a secret field, whose value a message or the result may contain.
    public let isSecret: Bool
    private let clock: WallClock
    /// Whether a condition holds if all comparisons of `textTests` do.
    @usableFromInline let isDecidedByTexts: Bool

    /// Creates an expression of a stage.
    init(_ program: Program, _ environment: ExpressionEnvironment, _ setup: StageSetup) {
        self.program = program
        self.context = setup.issues.context.isEmpty ? setup.stage : setup.issues.context
        self.isSecret = program.variables.contains { number in
            environment.variables.contains { $0.number == number && setup.isSecret($0.name) }
        }
        self.clock = setup.clock
        let tests = program.textTests()
        self.isDecidedByTexts = tests.isComplete && tests.tests.allSatisfy { $0.variable >= 0 }
    }

    /// The comparisons of fields with texts that must hold for the condition to hold.
    var textTests: (tests: [(field: FieldID, values: [[UInt8]])], isComplete: Bool, allowsMissing: Bool) {
        let found = self.program.textTests()
        let tests = found.tests.filter { $0.variable >= 0 }.map {
            (field: FieldID(index: $0.variable), values: $0.texts)
        }
        return (tests, self.isDecidedByTexts, found.allowsMissing)
    }

    /// The type of the values that the expression gives a field.
    public var fieldType: FieldType {
        FieldType(self.program.type)
    }

    /// Evaluates a condition.
    ///
    /// - Throws: The error of the expression, for example because a field that it uses is missing.
    public func holds(for event: borrowing Event) throws(StageFailure) -> Bool {
        if let holds = self.program.testNumbers(EventNumbers(event)) { return holds }
        do throws(EvaluationError) {
            return try self.program.test(EventVariables(event, self.clock))
        } catch {
            throw self.failure(error)
        }
    }

    /// Sets a field to the value of the expression, with its type: text and bytes as they are, numbers in decimal, times
    /// as RFC 3339, durations in seconds, lists and maps as JSON. `null` and an empty optional remove the field.
    ///
    /// - Parameters:
    ///   - field: The field.
    ///   - event: The event.
    ///   - limit: The maximum length of the value in bytes.
    /// - Throws: The error of the expression, or that its value cannot be the value of a field.
    public func assign(to field: FieldID, of event: inout Event, limit: Int) throws(StageFailure) {
        guard let result = try self.result(self.evaluate(event)) else { return event.remove(field) }
        guard result.count <= limit else {
            throw StageFailure("\(self.context): the value is longer than \(limit) bytes")
        }
        if let bytes = result.bytes { event.set(field, copying: bytes) } else { event.set(field, copying: result.text) }
        guard let range = event.range(of: field) else { return }
        if let integer = result.integer {
            event.set(field, integer: integer, range: range)
        } else if let typed = result.typed {
            event.set(field, typed: typed, range: range)
        }
    }

    /// The value of a field.
    private struct Result {
        /// The text: short text, such as that of a number, needs no memory of its own.
        var text = ""
        /// The bytes of a value that is not just text.
        var bytes: [UInt8]?
        var integer: Int64?
        var typed: TypedValue?

        init(_ text: String, integer: Int64? = nil, typed: TypedValue? = nil) {
            self.text = text
            self.integer = integer
            self.typed = typed
        }

        init(_ bytes: [UInt8], typed: TypedValue) {
            self.bytes = bytes
            self.typed = typed
        }

        /// The length in bytes.
        var count: Int { self.bytes?.count ?? self.text.utf8.count }
    }

    private func result(_ value: Value) throws(StageFailure) -> Result? {
        switch value {
        case .null: return nil
        case .string(let text): return Result(text)
        case .bytes(let bytes): return Result(bytes, typed: .bytes)
        case .int(let number): return Result(String(number), integer: number)
        case .uint(let number): return Result(String(number), typed: .unsigned(number))
        case .double(let number): return Result(value.text, typed: .double(number))
        case .bool(let truth): return Result(value.text, typed: .bool(truth))
        case .timestamp(let time):
            return Result(value.text, typed: .timestamp(seconds: time.seconds, nanoseconds: time.nanoseconds))
        case .duration(let duration):
            return Result(
                value.text, typed: .duration(seconds: duration.seconds, nanoseconds: duration.nanoseconds))
        case .ip, .cidr, .type: return Result(value.text)
        case .optional(let optional):
            return try optional.wrapped.flatMap { (value) throws(StageFailure) in try self.result(value) }
        case .list, .map:
            var bytes: [UInt8] = []
            do throws(JSONValues.Refusal) {
                try JSONValues.append(value, to: &bytes)
            } catch {
                throw StageFailure("\(self.context): \(error.message)")
            }
            return Result(bytes, typed: .json)
        }
    }

    /// Returns the bytes that a field with the value of the expression would have; `nil` for `null` and an empty
    /// optional.
    ///
    /// - Throws: The error of the expression, or that its value cannot be the value of a field.
    public func value(for event: borrowing Event) throws(StageFailure) -> [UInt8]? {
        try self.result(self.evaluate(event)).map { $0.bytes ?? Array($0.text.utf8) }
    }

    private func evaluate(_ event: borrowing Event) throws(StageFailure) -> Value {
        if let number = self.program.evaluateNumbers(EventNumbers(event)) { return number }
        do throws(EvaluationError) {
            return try self.program.evaluate(EventVariables(event, self.clock))
        } catch {
            throw self.failure(error)
        }
    }

    private func failure(_ error: EvaluationError) -> StageFailure {
        let message = self.isSecret ? "an expression with a secret field failed" : error.message
        return StageFailure("\(self.context): \(message)")
    }
}
