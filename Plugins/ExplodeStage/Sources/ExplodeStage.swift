import JSON
public import StageKit

/// Makes one event of each element of a list.
///
/// Each new event has the fields of the original one, except the list, and those of its element.
public final class ExplodeStage: Stage {
    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "explode",
        summary: "Makes one event of each element of a list.",
        settings: Settings.settings,
        example: """
            explode:
              field: items
              fields:
                sku:      { required: true }
                quantity: { type: int64 }
            """,
        failureReason: "explode_failure", isPure: true, expands: true)

    private let list: FieldID
    private let listName: String
    private let limit: Int
    private let reader: ElementReader
    private let reason: ReasonID
    /// The elements of the current event, with offsets from the beginning of the list's text.
    private var elements: [JSONScanner.Value] = []

    /// Creates the stage; it reads the list and provides the fields of its elements.
    public init(_ settings: Settings, _ setup: StageSetup) {
        self.list = setup.input(settings.field)
        self.listName = settings.field.text
        self.limit = settings.maxElements
        self.reason = setup.reason("empty_list")
        switch setup.type(of: settings.field.text) {
        case .json, .text, .bytes, .unknown: break
        case .integer, .unsigned, .double, .bool, .timestamp, .duration:
            setup.issues.add(
                "field: \(settings.field.text) is not a list: decode it with type: json", at: settings.field.position)
        }
        self.reader = ElementReader(settings, list: self.list, setup)
    }

    /// Lets an event with elements wait to be expanded. An event with an empty list is finished.
    ///
    /// - Throws: The reason if the event has no list, or one with too many elements.
    public func process(_ event: inout Event) throws -> Verdict {
        _ = try self.scan(event)
        return self.elements.isEmpty ? .finish(.skipped, self.reason) : .wait
    }

    /// Expands the waiting events.
    public func complete(_ events: WaitingEvents) async throws {
        for position in 0..<events.count {
            do throws(StageFailure) {
                let list = try events.withEvent(at: position) { (event) throws(StageFailure) in try self.scan(event) }
                events.expand(at: position, into: self.elements.count) { (number, event) throws(StageFailure) in
                    do throws(ElementReader.Problem) {
                        try self.reader.read(self.elements[number], of: list, into: &event)
                    } catch {
                        throw self.failure("\(self.listName)[\(number)]: \(error.message)")
                    }
                }
            } catch {
                events.fail(at: position, error)
            }
        }
    }

    /// Does nothing: there is nothing to send at the end of a batch.
    public func endBatchAtOnce() -> Bool { true }

    /// Finds the elements of the event's list; returns the list's bytes.
    private func scan(_ event: borrowing Event) throws(StageFailure) -> ByteRange {
        self.elements.removeAll(keepingCapacity: true)
        guard let list = event.range(of: self.list) else { throw self.failure("missing \(self.listName)") }
        // The text of a field of the type json has been checked.
        let isChecked = event.typedValue(of: self.list) == .json
        let found: JSONScanner.Kind
        do throws(JSONProblem) {
            found = try event.withBytes(list) { (bytes) throws(JSONProblem) in
                let whole = try isChecked ? Self.value(bytes) : JSONScanner.document(bytes)
                if whole.kind == .list { try self.collect(bytes, from: whole.range.lowerBound) }
                return whole.kind
            }
        } catch {
            throw self.failure("\(self.listName): invalid JSON at byte \(error.offset): \(error.message)")
        }
        guard found == .list else {
            throw self.failure("\(self.listName): expected a list, found \(ElementReader.name(of: found))")
        }
        guard self.elements.count <= self.limit else {
            throw self.failure(
                "\(self.listName): more than \(self.limit) elements: raise max_elements if that is intended")
        }
        return list
    }

    /// Returns the value of a text that is known to be one; of a list, only its beginning.
    private static func value(_ bytes: Span<UInt8>) throws(JSONProblem) -> JSONScanner.Value {
        var start = 0
        while start < bytes.count, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[start]) { start += 1 }
        var scanner = JSONScanner(at: start)
        if scanner.isAt(UInt8(ascii: "["), bytes) { return JSONScanner.Value(kind: .list, range: start..<start) }
        return try scanner.value(bytes, depth: 0)
    }

    /// Collects the elements of the list that begins at an offset, at most one more than the limit.
    private func collect(_ bytes: Span<UInt8>, from start: Int) throws(JSONProblem) {
        var scanner = JSONScanner(at: start)
        scanner.enterList(bytes)
        while self.elements.count <= self.limit, try scanner.nextElement(bytes, isFirst: self.elements.isEmpty) {
            self.elements.append(try scanner.value(bytes, depth: 1))
        }
    }

    private func failure(_ text: String) -> StageFailure { StageFailure("explode: \(text)") }
}
