import FieldRules
import JSON
import StageKit

/// Sets the fields of an event to the values of an element.
///
/// Values are ranges within the list; only texts with escapes are copied. Each stage has one instance, which keeps its
/// memory from event to event.
final class ElementReader {
    /// The reason why an element is refused.
    struct Problem: Error {
        /// The reason, without the name of the list.
        var message: String
    }

    private struct Field {
        var name: String
        var id: FieldID
        var rule: FieldRule
        var type: FieldType
        /// Whether the values must not be shown.
        var isSecret: Bool
        /// The path within the element, or `nil` for the element itself.
        var path: JSONPath?
    }

    private let list: FieldID
    private let fields: [Field]
    private let expectsObject: Bool
    private var walk = JSONWalk()
    private var scratch: [UInt8] = []

    /// Creates a reader and provides its fields. The values of a secret list are secret.
    init(_ settings: ExplodeStage.Settings, list: FieldID, _ setup: StageSetup) {
        let isListSecret = setup.isSecret(settings.field.text)
        self.list = list
        self.expectsObject = !settings.fields.isEmpty
        var fields = settings.fields.map { field in
            let path = field.value.path ?? JSONPath(steps: [.name(field.name)], position: field.position)
            return (name: field.name, rule: field.value, path: JSONPath?.some(path))
        }
        if let name = settings.name { fields.insert((name.text, settings.elementRule, nil), at: 0) }
        self.fields = fields.map { field in
            let isSecret = isListSecret || field.rule.isSecret
            let type = field.rule.fieldType
            let id = setup.output(field.name, isSecret: isSecret, type: type)
            return Field(name: field.name, id: id, rule: field.rule, type: type, isSecret: isSecret, path: field.path)
        }
    }

    /// Removes the list from the event, then sets and checks the fields. Even if a check fails, the fields that the
    /// element has are set, so that a failure branch can use a key.
    ///
    /// - Parameters:
    ///   - element: The element, with offsets from the beginning of the list's text.
    ///   - list: The list's text.
    func read(_ element: JSONScanner.Value, of list: ByteRange, into event: inout Event) throws(Problem) {
        event.remove(self.list)
        for field in self.fields { event.remove(field.id) }
        let source = element.source
        let text = ByteRange(offset: list.offset + UInt32(source.lowerBound), length: UInt32(source.count))
        var first: Problem?
        if self.expectsObject, element.kind != .object {
            first = Problem(message: "expected an object, found \(Self.name(of: element.kind))")
        }
        for field in self.fields where field.path == nil || element.kind == .object {
            do throws(Problem) {
                try self.set(field, to: element, text, &event)
                try self.check(field, &event)
            } catch {
                first = first ?? error
            }
        }
        if let first { throw first }
    }

    /// Sets a field to its value in an element with this text; leaves it without a value if the element has none.
    private func set(
        _ field: Field, to element: JSONScanner.Value, _ text: ByteRange, _ event: inout Event
    ) throws(Problem) {
        guard let path = field.path else {
            let isText = element.kind == .text
            let whole = isText ? 1..<(Int(text.length) - 1) : 0..<Int(text.length)
            let value = JSONScanner.Value(kind: element.kind, range: whole, hasEscapes: element.hasEscapes)
            return try self.set(field, to: value, in: text, &event)
        }
        switch try self.follow(path, in: text, event) {
        case .found where path.hasAll:
            self.writeList(text, event)
            event.set(field.id, copying: self.scratch)
        case .found:
            if let value = self.walk.values.first { try self.set(field, to: value, in: text, &event) }
        case .missing: break
        case .noObject: throw Problem(message: "\(field.name): its path crosses a value that is not an object")
        case .noList: throw Problem(message: "\(field.name): its path crosses a value that is not a list")
        }
    }

    private func follow(
        _ path: JSONPath, in text: ByteRange, _ event: borrowing Event
    ) throws(Problem) -> JSONWalk.Result {
        do throws(JSONProblem) {
            return try event.withBytes(text) { (bytes) throws(JSONProblem) in try self.walk.follow(path, bytes) }
        } catch {
            throw Problem(message: "invalid JSON at byte \(error.offset): \(error.message)")
        }
    }

    /// Sets a field to a value with offsets from the beginning of an element's text.
    private func set(
        _ field: Field, to value: JSONScanner.Value, in text: ByteRange, _ event: inout Event
    ) throws(Problem) {
        let isJSON = field.type == .json
        let part = isJSON ? value.source : value.range
        let range = ByteRange(offset: text.offset + UInt32(part.lowerBound), length: UInt32(part.count))
        switch value.kind {
        case _ where isJSON: event.set(field.id, range: range)
        case .null: break
        case .object, .list:
            let found = Self.name(of: value.kind)
            throw Problem(message: "\(field.name): expected a string, a number, true or false, found \(found)")
        case .text where value.hasEscapes:
            self.scratch.removeAll(keepingCapacity: true)
            event.withBytes(range) { bytes in JSONString.unescape(bytes, into: &self.scratch) }
            event.set(field.id, copying: self.scratch)
        case .text, .number, .boolean: event.set(field.id, range: range)
        }
    }

    /// Writes the values that a path with `*` has led to as one list.
    private func writeList(_ text: ByteRange, _ event: borrowing Event) {
        self.scratch.removeAll(keepingCapacity: true)
        self.scratch.append(UInt8(ascii: "["))
        event.withBytes(text) { bytes in
            for (index, value) in self.walk.values.enumerated() {
                if index > 0 { self.scratch.append(UInt8(ascii: ",")) }
                for position in value.source { self.scratch.append(bytes[position]) }
            }
        }
        self.scratch.append(UInt8(ascii: "]"))
    }

    /// Checks a field's value against its rule and reads values of types other than text.
    private func check(_ field: Field, _ event: inout Event) throws(Problem) {
        guard let range = event.range(of: field.id) else {
            if field.rule.isRequired { throw Problem(message: "missing \(field.name)") }
            return
        }
        if field.type == .json { return event.set(field.id, typed: .json, range: range) }
        if field.rule.blank == .reject, event.withBytes(range, { Blank.isBlank($0) }) {
            throw Problem(message: "\(field.name) must not be empty")
        }
        if field.type == .integer {
            return event.set(field.id, integer: try self.integer(field, range, event), range: range)
        }
        do throws(ValueMistake) {
            let typed = try event.withBytes(range) { (bytes) throws(ValueMistake) in try field.type.read(bytes) }
            if let typed { event.set(field.id, typed: typed, range: range) }
        } catch {
            let quoted = error.quotesText ? "\(self.quoted(field, range, event)) " : ""
            throw Problem(message: "\(field.name): \(quoted)\(error.message)")
        }
    }

    private func integer(_ field: Field, _ range: ByteRange, _ event: borrowing Event) throws(Problem) -> Int64 {
        do throws(DecimalInteger.Mistake) {
            return try event.withBytes(range) { (bytes) throws(DecimalInteger.Mistake) in
                try DecimalInteger.parse(bytes.extracting(Blank.trimmed(bytes)))
            }
        } catch {
            let problem = error == .notANumber ? "is not a whole number" : "is out of range for a 64-bit number"
            throw Problem(message: "\(field.name): \(self.quoted(field, range, event)) \(problem)")
        }
    }

    private func quoted(_ field: Field, _ range: ByteRange, _ event: borrowing Event) -> String {
        let text = event.withBytes(range) { bytes in QuotedText.quote(bytes.extracting(Blank.trimmed(bytes))) }
        return FieldTable.shown(text, isSecret: field.isSecret)
    }

    /// Returns the name of a kind of JSON value, with its article.
    static func name(of kind: JSONScanner.Kind) -> String {
        switch kind {
        case .object: "an object"
        case .list: "a list"
        case .text: "a string"
        case .number: "a number"
        case .boolean: "true or false"
        case .null: "null"
        }
    }
}
