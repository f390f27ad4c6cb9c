import FieldRules
import JSON
public import StageKit

/// Decodes an entry's fields into the event's values and refuses entries that do not match the declaration.
///
/// The fields are the entry's own, or the members of a JSON object in one of its fields. The order of checks is fixed,
/// so an entry with several errors always gives the same message: first an undeclared field, then the text fields in
/// declared order, then the fields of other types in declared order. Even if a check fails, the declared fields that are present have
/// their values, so that a failure branch can use a key.
public final class DecodeStage: Stage {
    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "decode",
        summary: "Turns an entry's fields into typed values and refuses entries that do not follow the declaration.",
        settings: .object(Settings.schema),
        example: """
            decode:
              event: order
              fields:
                order_id: { required: true, blank: reject }
                amount:   { type: int64 }
            """,
        failureReason: "malformed_event",
        isPure: true)

    /// The checks of one field. Plain values, so that reading one counts no references.
    private struct Check: BitwiseCopyable {
        /// The index of the field among the declared ones.
        var index: Int
        var id: FieldID
        var isRequired: Bool
        var rejectsBlank: Bool
        var isInteger: Bool
        /// Whether the value must be read as a type other than text and int64.
        var isTyped: Bool
    }

    private let event: String
    private let rejectsUnknown: Bool
    private let names: [String]
    private let secrets: [Bool]
    /// The checks in declared order.
    private let declared: [Check]
    /// The checks in the order in which they are made: text fields, then those of other types.
    private let checks: [Check]
    private let matcher: NameMatcher
    /// The reader of fields from JSON, or `nil` if the fields are the entry's own.
    private let json: JSONFields?
    /// The name of the field that contains JSON.
    private let jsonName: String
    /// The types of the declared fields.
    private let types: [FieldType]
    /// Whether a field has a type other than text and int64, or the fields are in JSON.
    private let isGeneral: Bool
    /// The number of leading positions at which the names in entries of the current batch are known to be declared.
    ///
    /// Unchecked, as is the next property, because it is read for every event, by the only thread that uses the stage.
    @exclusivity(unchecked) private var matchedCount = 0
    /// Bit *n* is set if entries of the current batch with *n* fields are known to contain every required field.
    @exclusivity(unchecked) private var completeCounts: UInt64 = 0

    /// Creates the stage; it provides the declared fields.
    public init(_ settings: Settings, _ setup: StageSetup) {
        let ids = settings.fields.map { field in
            setup.output(field.name, isSecret: field.value.isSecret, type: field.value.fieldType)
        }
        let types = settings.fields.map(\.value.fieldType)
        let checks = settings.fields.enumerated().map { index, field in
            Check(
                index: index, id: ids[index], isRequired: field.value.isRequired,
                rejectsBlank: field.value.blank == .reject, isInteger: types[index] == .integer,
                isTyped: ![.text, .integer].contains(types[index]))
        }
        for field in settings.fields where field.name == ReplayedEntry.field {
            setup.issues.add("fields: \(field.name): the name is reserved for replayed entries", at: field.position)
        }
        if settings.json == ReplayedEntry.field {
            setup.issues.add("json: \(ReplayedEntry.field) is reserved for replayed entries", at: setup.position)
        }
        self.event = settings.event
        self.rejectsUnknown = settings.unknownFields == .reject
        self.names = settings.fields.map(\.name)
        self.secrets = settings.fields.map(\.value.isSecret)
        self.declared = checks
        self.checks =
            checks.filter { !$0.isInteger && !$0.isTyped } + checks.filter { $0.isInteger || $0.isTyped }
        self.types = types
        self.isGeneral = settings.json != nil || checks.contains(where: \.isTyped)
        self.matcher = NameMatcher(names: settings.json.map { [$0] } ?? self.names)
        self.jsonName = settings.json ?? ""
        if settings.json != nil {
            self.json = JSONFields(
                JSONPaths(settings.fields, &setup.issues), ids: ids, jsonTypes: types.map { $0 == .json })
        } else {
            self.json = nil
            for field in settings.fields {
                guard let path = field.value.path else { continue }
                setup.issues.add("fields: \(field.name): path requires json: FIELD", at: path.position)
            }
        }
    }

    /// Sets the declared fields, then checks them.
    public func process(_ event: inout Event) throws -> Verdict {
        for field in self.declared { event.remove(field.id) }
        if self.isGeneral { return try self.processGeneral(&event) }
        // Setting values changes neither the entry's fields nor the arena.
        let fields = unsafe event.unsafeRawFields
        if unsafe fields.count <= self.matchedCount, event.namesGoByPosition {
            if unsafe self.takeByPosition(fields, of: &event) { return .next }
        } else {
            try unsafe self.match(fields, of: &event)
        }
        for check in self.checks { try self.make(check, of: &event) }
        if unsafe fields.count <= self.matchedCount { unsafe self.completeCounts |= 1 << UInt64(fields.count) }
        return .next
    }

    /// Sets the declared fields by their positions. Returns whether no checks remain, as for nearly all entries.
    @inline(__always)
    private func takeByPosition(_ fields: UnsafeBufferPointer<RawField>, of event: inout Event) -> Bool {
        var isChecked = unsafe self.completeCounts &>> UInt64(fields.count) & 1 == 1
        for position in 0..<fields.count {
            let (field, value) = unsafe (self.declared[self.matcher.matched(at: position)], fields[position].value)
            event.set(field.id, range: value)
            let isFine = unsafe !field.rejectsBlank || Blank.isPlain(event.unsafeBytes(value).span)
            isChecked = isChecked && isFine && !field.isInteger
        }
        return isChecked
    }

    /// Forgets the names, which may differ in the next batch.
    public func endBatchAtOnce() -> Bool {
        unsafe (self.matchedCount, self.completeCounts) = (0, 0)
        return true
    }

    /// Sets the declared fields by their names and remembers the position of each.
    @inline(never)
    private func match(_ fields: UnsafeBufferPointer<RawField>, of event: inout Event) throws {
        var unknown: ByteRange?
        for position in 0..<fields.count {
            let raw = unsafe fields[position]
            let name = unsafe event.unsafeBytes(raw.name).span
            if let index = self.matcher.match(name, at: position) {
                event.set(self.declared[index].id, range: raw.value)
            } else if unknown == nil || ReplayedEntry.isReserved(name) {
                unknown = raw.name
            }
        }
        if let unknown { try self.refuse(unknown, of: event) }
        guard unknown == nil, fields.count < NameMatcher.positionLimit else { return }
        unsafe self.matchedCount = max(self.matchedCount, fields.count)
    }

    /// Sets and checks fields of any type. Not inlined, so that it does not slow down text and int64.
    @inline(never)
    private func processGeneral(_ event: inout Event) throws -> Verdict {
        if let json = self.json { return try self.process(&event, json) }
        // Setting values does not change the entry's fields.
        try unsafe self.match(event.unsafeRawFields, of: &event)
        for check in self.checks {
            try self.make(check, of: &event)
            if check.isTyped { try self.read(check, of: &event) }
        }
        return .next
    }

    /// Sets the fields that a JSON object contains, then checks them.
    private func process(_ event: inout Event, _ json: JSONFields) throws -> Verdict {
        var unknown: ByteRange?
        var text: ByteRange?
        for position in 0..<event.rawFieldCount {
            let raw = event.rawField(at: position)
            // Used only within this iteration, before any value is set.
            let name = unsafe event.unsafeBytes(raw.name).span
            if self.matcher.match(name, at: position) != nil {
                text = raw.value
            } else if unknown == nil || ReplayedEntry.isReserved(name) {
                unknown = raw.name
            }
        }
        json.reset()
        // Read before the entry is refused, so that a failure branch can use its key.
        let result: Result<Void, JSONProblem>
        do throws(JSONProblem) {
            if let text { try json.read(text, of: &event) }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        if let unknown { try self.refuse(unknown, of: event) }
        guard let text else { throw self.failure("missing \(self.jsonName)") }
        if case .failure(let problem) = result {
            throw self.failure("\(self.jsonName): invalid JSON at byte \(problem.offset): \(problem.message)")
        }
        if let unknown = json.unknown, self.rejectsUnknown {
            throw self.failure("unsupported field \(QuotedText.quote(json.unknownName(text, unknown, event).span))")
        }
        for check in self.checks {
            if let problem = json.problem(of: check.index) {
                throw self.failure("\(self.names[check.index]): \(problem)")
            }
            try self.make(check, of: &event)
            if check.isTyped { try self.read(check, of: &event) }
        }
        return .next
    }

    /// Reads the value of a field whose type is neither text nor int64.
    private func read(_ check: Check, of event: inout Event) throws(StageFailure) {
        guard let range = event.range(of: check.id) else { return }
        let type = self.types[check.index]
        // The JSON reader has checked the whole text.
        if type == .json, self.json != nil { return event.set(check.id, typed: .json, range: range) }
        // The bytes do not move while the value is read.
        let value = unsafe event.unsafeBytes(range).span
        do throws(ValueMistake) {
            guard let typed = try type.read(value) else { return }
            event.set(check.id, typed: typed, range: range)
        } catch {
            let name = self.names[check.index]
            guard error.quotesText else { throw self.failure("\(name): \(error.message)") }
            let quoted = QuotedText.quote(value.extracting(Blank.trimmed(value)))
            let shown = FieldTable.shown(quoted, isSecret: self.secrets[check.index])
            throw self.failure("\(name): \(shown) \(error.message)")
        }
    }

    @inline(__always)
    private func make(_ check: Check, of event: inout Event) throws(StageFailure) {
        guard let range = event.range(of: check.id) else {
            if check.isRequired { throw self.failure("missing \(self.names[check.index])") }
            return
        }
        // The bytes do not move: setting a number's slot does not change the arena.
        let value = unsafe event.unsafeBytes(range).span
        if check.rejectsBlank, Blank.isBlank(value) {
            throw self.failure("\(self.names[check.index]) must not be empty")
        }
        if check.isInteger {
            let integer = try self.integer(value, of: check)
            event.set(check.id, integer: integer, range: range)
        }
    }

    private func integer(_ value: Span<UInt8>, of check: Check) throws(StageFailure) -> Int64 {
        let digits = value.extracting(Blank.trimmed(value))
        do throws(DecimalInteger.Mistake) {
            return try DecimalInteger.parse(digits)
        } catch {
            let shown = FieldTable.shown(QuotedText.quote(digits), isSecret: self.secrets[check.index])
            let text = "\(self.names[check.index]): \(shown)"
            switch error {
            case .notANumber: throw self.failure("\(text) is not a whole number")
            case .outOfRange: throw self.failure("\(text) is out of range for a 64-bit number")
            }
        }
    }

    /// Refuses an entry because of an undeclared field, unless such fields are ignored.
    ///
    /// The reserved field of a replayed entry is always refused: a source leaves it in place only if it is malformed,
    /// and the entry would then count as the newest.
    @inline(never)
    private func refuse(_ name: ByteRange, of event: borrowing Event) throws(StageFailure) {
        if event.withBytes(name, { ReplayedEntry.isReserved($0) }) {
            throw self.failure("\(ReplayedEntry.field) must be the first field and contain the id of an earlier entry")
        }
        guard self.rejectsUnknown else { return }
        throw self.failure("unsupported field \(event.withBytes(name) { QuotedText.quote($0) })")
    }

    @inline(never)
    private func failure(_ text: String) -> StageFailure {
        StageFailure("decode \(self.event): \(text)")
    }
}
