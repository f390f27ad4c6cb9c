package import CEL

/// The variables of expressions: the event's fields by their columns, and names with a meaning of their own.
struct EventVariables: ~Copyable, VariableSource {
    /// The names that are not fields. Their numbers are negative, as those of fields are columns.
    enum Name: Int, CaseIterable {
        case entryID = -1
        case entryTime = -2
        case entryStream = -3
        case failureReason = -4
        case failureStage = -5
        case failureMessage = -6
        case now = -7

        /// The name and the type in expressions.
        var variable: ExpressionEnvironment.Variable {
            switch self {
            case .entryID: .init("entry.id", .string, number: self.rawValue)
            case .entryTime: .init("entry.time", .timestamp, number: self.rawValue)
            case .entryStream: .init("entry.stream", .string, number: self.rawValue)
            case .failureReason: .init("failure.reason", .string, number: self.rawValue)
            case .failureStage: .init("failure.stage", .string, number: self.rawValue)
            case .failureMessage: .init("failure.message", .string, number: self.rawValue)
            case .now: .init("now", .timestamp, number: self.rawValue)
            }
        }
    }

    private let event: Event
    private let clock: WallClock

    /// Borrows an event; the variables must not be used after the call that borrows it.
    init(_ event: borrowing Event, _ clock: WallClock) {
        self.event = unsafe Event(storage: event.storage, index: event.index)
        self.clock = clock
    }

    /// The environment of expressions in a stage. A field hides another name.
    static func environment(_ setup: StageSetup) -> ExpressionEnvironment {
        let fields = setup.fields.map { name in
            ExpressionEnvironment.Variable(
                name, setup.type(of: name).expressionType, number: setup.column(name).index)
        }
        var environment = ExpressionEnvironment(fields + Name.allCases.map(\.variable))
        environment.allowsHasOfVariables = true
        environment.isComplete = !setup.scope.isIncomplete
        environment.checksLiterals = true
        environment.timeZone = TimeZoneFiles().lookup
        return environment
    }

    /// The value of a field, or of another name.
    func value(of variable: Int) throws(EvaluationError) -> Value? {
        guard variable >= 0 else { return Name(rawValue: variable).flatMap { self.value(of: $0) } }
        guard let (range, integer) = self.event.value(of: FieldID(index: variable)) else { return nil }
        if let integer { return .int(integer) }
        if let typed = self.event.typedValue(of: FieldID(index: variable)) { return try self.value(typed, range) }
        let text = unsafe String(validating: self.event.unsafeBytes(range), as: UTF8.self)
        guard let text else { throw EvaluationError("a field is not valid UTF-8") }
        return .string(text)
    }

    /// The number of a field.
    func integer(of variable: Int) throws(EvaluationError) -> Int64? {
        guard let (_, integer) = self.event.value(of: FieldID(index: variable)) else { return nil }
        guard let integer else { throw EvaluationError("a field is not a whole number") }
        return integer
    }

    /// The number of a field that is a double.
    func double(of variable: Int) throws(EvaluationError) -> Double? {
        let field = FieldID(index: variable)
        if let number = self.event.double(of: field) { return number }
        guard self.event.value(of: field) != nil else { return nil }
        throw EvaluationError("a field is not a double")
    }

    /// The value of a field that is neither text nor an int64.
    private func value(_ typed: TypedValue, _ range: ByteRange) throws(EvaluationError) -> Value? {
        switch typed {
        case .bytes: return .bytes(self.event.bytes(range))
        case .unsigned(let number): return .uint(number)
        case .double(let number): return .double(number)
        case .bool(let value): return .bool(value)
        case .timestamp(let seconds, let nanoseconds):
            return Timestamp(unixSeconds: seconds, nanoseconds: nanoseconds).map { .timestamp($0) }
        case .duration(let seconds, let nanoseconds):
            return CEL.Duration(wholeSeconds: seconds, nanoseconds: Int64(nanoseconds)).map { .duration($0) }
        case .json:
            guard range.length <= JSONValues.sizeLimit else {
                throw EvaluationError("a JSON field is longer than \(JSONValues.sizeLimit) bytes")
            }
            do throws(JSONValues.Refusal) {
                return try JSONValues.value(self.event.bytes(range))
            } catch {
                throw EvaluationError("a JSON field: \(error.message)")
            }
        }
    }

    /// Whether the event has a field, or another name has a value.
    func has(_ variable: Int) -> Bool {
        guard variable >= 0 else { return Name(rawValue: variable).flatMap { self.value(of: $0) } != nil }
        return self.event.value(of: FieldID(index: variable)) != nil
    }

    /// Compares the bytes of a field that is not a number.
    func compare(_ variable: Int, with bytes: [UInt8]) -> TextComparison {
        guard variable >= 0 else {
            guard case .string(let text)? = Name(rawValue: variable).flatMap({ self.value(of: $0) }) else {
                return .unknown
            }
            return text.utf8.elementsEqual(bytes) ? .equal : .different
        }
        let field = FieldID(index: variable)
        guard let (_, integer) = self.event.value(of: field), integer == nil, self.event.typedValue(of: field) == nil
        else {
            return .unknown
        }
        return self.event.value(of: FieldID(index: variable), equals: bytes) ? .equal : .different
    }

    /// Compares the bytes of a field of any type.
    func text(of variable: Int, equals bytes: [UInt8]) -> Bool {
        variable >= 0 && self.event.value(of: FieldID(index: variable), equals: bytes)
    }

    /// The number of a field, or `nil` if it is not a number.
    func number(of variable: Int) -> Int64? {
        variable >= 0 ? self.event.integer(of: FieldID(index: variable)) : nil
    }

    private func value(of name: Name) -> Value? {
        switch name {
        case .entryID: .string(self.event.eventID.description)
        case .entryTime: ExpressionNames.timestamp(self.event.id.milliseconds)
        case .entryStream: .string(self.event.stream)
        case .failureReason: self.event.failure?.reason.map { .string($0) }
        case .failureStage: self.event.failure?.stage.map { .string($0) }
        case .failureMessage: (self.event.failure?.message).map { .string($0) }
        case .now: ExpressionNames.timestamp(UInt64(clamping: self.clock.milliseconds))
        }
    }
}

/// The names in expressions that are not fields.
package enum ExpressionNames {
    /// The names with their types.
    package static var variables: [ExpressionEnvironment.Variable] { EventVariables.Name.allCases.map(\.variable) }

    /// Returns the value of a name for a time in milliseconds since 1970, or `nil` if it is after the year 9999.
    package static func timestamp(_ milliseconds: UInt64) -> Value? {
        let seconds = Int64(clamping: milliseconds / 1000)
        return Timestamp(unixSeconds: seconds, nanoseconds: Int32(milliseconds % 1000) * 1_000_000).map {
            .timestamp($0)
        }
    }
}

extension FieldType {
    /// The type in expressions.
    fileprivate var expressionType: ExpressionType {
        switch self {
        case .text: .string
        case .bytes: .bytes
        case .integer: .int
        case .unsigned: .uint
        case .double: .double
        case .bool: .bool
        case .timestamp: .timestamp
        case .duration: .duration
        case .json, .unknown: .dyn
        }
    }

    /// The type of a field that an expression of this type sets.
    init(_ type: ExpressionType) {
        switch type {
        case .string, .type, .ip, .cidr: self = .text
        case .bytes: self = .bytes
        case .int: self = .integer
        case .uint: self = .unsigned
        case .double: self = .double
        case .bool: self = .bool
        case .timestamp: self = .timestamp(.text)
        case .duration: self = .duration(.text)
        case .list, .map: self = .json
        case .optional(let wrapped): self.init(wrapped)
        case .null, .dyn, .parameter: self = .unknown
        }
    }
}
