import StageKit

/// Takes the values of a measure from events, and writes them into the events of windows.
struct MeasureReader {
    /// The longest text of a number that is kept as it is; longer ones are written in their shortest form.
    private static let textLimit = 64

    /// The name of the value.
    let name: String
    /// The function.
    let function: Measure.Function
    /// The field of the windows' events.
    let output: FieldID
    /// The field that says whether `distinct` has reached its limit, or `nil` for other functions.
    let cappedOutput: FieldID?
    private let input: FieldID?
    private let inputName: String
    private let type: FieldType
    private let isOptional: Bool

    /// Resolves a measure. Adds an error if its field is missing or of an unsuitable type.
    init(_ setting: NamedSetting<Measure>, _ setup: StageSetup) {
        let measure = setting.value
        self.name = setting.name
        self.function = measure.function
        self.isOptional = measure.isOptional
        let context = setup.issues.context
        setup.issues.context = "\(context): \(setting.name)"
        defer { setup.issues.context = context }
        self.inputName = measure.field?.text ?? ""
        let type = measure.field.map { setup.type(of: $0.text) } ?? .unknown
        self.type = type
        self.input = measure.field.map { setup.input($0) }
        let isSecret = measure.field.map { setup.isSecret($0.text) } ?? false
        if let field = measure.field, setup.fields.contains(field.text), !Self.suits(type, measure.function) {
            let kinds = measure.function == .min || measure.function == .max ? "numbers or times" : "numbers"
            setup.issues.add(
                "\(measure.function) requires \(kinds), but the type of \"\(field.text)\" is another "
                    + "one: declare it in decode (type: int64, for example)", at: field.position)
        }
        self.output = setup.emits(setting.name, isSecret: isSecret, type: Self.resultType(measure.function, type))
        self.cappedOutput =
            measure.function == .distinct ? setup.emits("\(setting.name)_capped", type: .bool) : nil
    }

    private static func suits(_ type: FieldType, _ function: Measure.Function) -> Bool {
        switch (function, type) {
        case (.count, _), (.distinct, _): true
        case (_, .integer), (_, .unsigned), (_, .double): true
        case (.min, .timestamp), (.min, .duration), (.max, .timestamp), (.max, .duration): true
        default: false
        }
    }

    private static func resultType(_ function: Measure.Function, _ type: FieldType) -> FieldType {
        switch function {
        case .count, .distinct: .integer
        case .sum, .min, .max: type
        case .avg: .double
        }
    }

    /// The function and its field as text, to recognise a saved state of other settings.
    var signature: String { "\(self.name)=\(self.function)(\(self.inputName) \(self.type) \(self.isOptional))" }

    // MARK: Events

    /// Returns the sample of an event, or `nil` if the event lacks the field and need not have it.
    func sample(of event: borrowing Event, _ hasher: SipHash) throws(StageFailure) -> Sample? {
        guard let input = self.input else { return Sample() }
        guard let range = event.range(of: input) else {
            if self.isOptional { return nil }
            throw StageFailure("aggregate: \(self.name): missing \(self.inputName)")
        }
        if self.function == .distinct {
            return Sample(hash: event.withBytes(range) { hasher.hash($0) })
        }
        guard let quantity = self.quantity(of: event, input) else {
            throw StageFailure("aggregate: \(self.name): \(self.inputName) is not a finite number or a time")
        }
        guard self.function == .min || self.function == .max else { return Sample(quantity: quantity) }
        return Sample(quantity: quantity, text: try self.text(of: event, range, quantity))
    }

    private func quantity(of event: borrowing Event, _ field: FieldID) -> Quantity? {
        if self.type == .integer { return event.integer(of: field).map { .integer($0) } }
        switch (event.typedValue(of: field), self.type) {
        case (.unsigned(let number), .unsigned): return .unsigned(number)
        case (.double(let number), .double): return number.isFinite ? .double(number) : nil
        case (.timestamp(let seconds, let nanoseconds), .timestamp),
            (.duration(let seconds, let nanoseconds), .duration):
            return .time(seconds: seconds, nanoseconds: nanoseconds)
        default: return nil
        }
    }

    private func text(
        of event: borrowing Event, _ range: ByteRange, _ quantity: Quantity
    ) throws(StageFailure) -> [UInt8] {
        if range.length <= Self.textLimit { return event.withBytes(range) { [UInt8](copying: $0) } }
        switch quantity {
        case .integer(let number): return Array("\(number)".utf8)
        case .unsigned(let number): return Array("\(number)".utf8)
        case .double(let number): return Array("\(number)".utf8)
        case .time:
            throw StageFailure("aggregate: \(self.name): \(self.inputName) is longer than \(Self.textLimit) bytes")
        }
    }

    // MARK: Windows

    /// Returns the values that a window's event gets, with their text; none for a function of no values.
    func results(_ value: Accumulator) -> [FieldValue] {
        switch self.function {
        case .count: return [FieldValue(self.name, self.output, integer: value.count)]
        case .distinct:
            let capped = self.cappedOutput.map { FieldValue("\(self.name)_capped", $0, bool: value.isCapped) }
            return [FieldValue(self.name, self.output, integer: Int64(value.seen.count))] + [capped].compactMap(\.self)
        case .avg:
            guard let sum = value.quantity?.double, value.count > 0 else { return [] }
            return [FieldValue(self.name, self.output, double: sum / Double(value.count))]
        case .sum, .min, .max:
            guard let quantity = value.quantity else { return [] }
            return [FieldValue(self.name, self.output, quantity, self.type, text: value.text)]
        }
    }
}

/// A value of a window's event, with its text.
struct FieldValue {
    /// The field's name.
    let name: String
    private let field: FieldID
    /// The text.
    let text: [UInt8]
    private let integer: Int64?
    private let typed: TypedValue?

    /// Creates a value of text, or of the given type.
    init(_ name: String, _ field: FieldID, text: [UInt8], integer: Int64? = nil, typed: TypedValue? = nil) {
        self.name = name
        self.field = field
        self.text = text
        self.integer = integer
        self.typed = typed
    }

    /// Creates an int64.
    init(_ name: String, _ field: FieldID, integer: Int64) {
        self.init(name, field, text: Array("\(integer)".utf8), integer: integer)
    }

    /// Creates a double.
    init(_ name: String, _ field: FieldID, double: Double) {
        self.init(name, field, text: Array("\(double)".utf8), typed: .double(double))
    }

    /// Creates a truth value.
    init(_ name: String, _ field: FieldID, bool: Bool) {
        self.init(name, field, text: Array("\(bool)".utf8), typed: .bool(bool))
    }

    /// Creates a time from milliseconds since the epoch, written as RFC 3339.
    init(_ name: String, _ field: FieldID, milliseconds: Int64) {
        let seconds = milliseconds >= 0 ? milliseconds / 1000 : (milliseconds - 999) / 1000
        let typed = TypedValue.timestamp(
            seconds: seconds, nanoseconds: Int32(milliseconds - seconds * 1000) * 1_000_000)
        let quoted = JSONText.text(of: typed, written: [])
        self.init(name, field, text: Array(quoted.utf8.dropFirst().dropLast()), typed: typed)
    }

    /// Creates a sum, which has no text yet, or a smallest or greatest value.
    init(_ name: String, _ field: FieldID, _ quantity: Quantity, _ type: FieldType, text: [UInt8]) {
        switch quantity {
        case .integer(let number):
            self.init(name, field, integer: number)
        case .unsigned(let number):
            self.init(name, field, text: Array("\(number)".utf8), typed: .unsigned(number))
        case .double(let number):
            self.init(name, field, text: text.isEmpty ? Array("\(number)".utf8) : text, typed: .double(number))
        case .time(let seconds, let nanoseconds):
            let typed: TypedValue =
                if case .duration = type {
                    .duration(seconds: seconds, nanoseconds: nanoseconds)
                } else {
                    .timestamp(seconds: seconds, nanoseconds: nanoseconds)
                }
            self.init(name, field, text: text, typed: typed)
        }
    }

    /// Sets the field of an event.
    func set(_ event: inout Event) {
        event.set(self.field, copying: self.text)
        guard let range = event.range(of: self.field) else { return }
        if let integer = self.integer {
            event.set(self.field, integer: integer, range: range)
        } else if let typed = self.typed {
            event.set(self.field, typed: typed, range: range)
        }
    }
}
