import FieldRules
import JSON
import StageKit

/// Sets the declared fields of an event from a JSON object.
///
/// Values are ranges within the entry; only texts with escapes are copied. Each stage has one instance, which keeps its
/// memory from event to event.
final class JSONFields {
    /// The content of the object for a declared field.
    private enum Found: UInt8, BitwiseCopyable {
        case nothing, value, escaped, object, list
        /// The path to the field leads through a value that is not an object.
        case blocked
        /// The path to the field leads through a value that is not a list.
        case blockedList
    }

    /// A member of an object that is not declared.
    struct Unknown {
        var object: Int
        var name: JSONScanner.Text
    }

    private let paths: JSONPaths
    private let matchers: [NameMatcher]
    private let ids: [FieldID]
    /// Whether the type of a field is json.
    private let jsonTypes: [Bool]
    private var walk = JSONWalk()
    private var found: [Found]
    private var hasEscapes = false
    private var scratch: [UInt8] = []
    /// The first member that is not declared.
    private(set) var unknown: Unknown?

    /// Creates a reader for fields in declared order, with their columns and whether their type is json.
    init(_ paths: JSONPaths, ids: [FieldID], jsonTypes: [Bool]) {
        self.paths = paths
        self.matchers = paths.objects.map { NameMatcher(names: $0.members.map(\.name)) }
        self.ids = ids
        self.jsonTypes = jsonTypes
        self.found = Array(repeating: .nothing, count: ids.count)
    }

    /// Discards the results of the previous event.
    func reset() {
        self.unknown = nil
        self.hasEscapes = false
        for index in self.found.indices { self.found[index] = .nothing }
    }

    /// Sets the fields that the object contains. Fields before a syntax error are set as well, so that a failure branch
    /// can use a key among them.
    func read(_ text: ByteRange, of event: inout Event) throws(JSONProblem) {
        let result: Result<Void, JSONProblem>
        do throws(JSONProblem) {
            // Valid until the end of the scan: setting ranges does not change the arena.
            let bytes = unsafe event.unsafeBytes(text).span
            var scanner = JSONScanner()
            try scanner.begin(bytes)
            try self.readObject(0, depth: 0, bytes, text.offset, &scanner, &event)
            try scanner.end(bytes)
            for followed in self.paths.followed where !followed.path.hasAll {
                try self.follow(followed.field, followed.path, bytes, text.offset, &event)
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        if self.hasEscapes { self.writeEscaped(&event) }
        try result.get()
        for followed in self.paths.followed where followed.path.hasAll {
            try self.writeList(followed.field, followed.path, text, &event)
        }
    }

    /// Returns the problem with a declared field that is an object, a list or blocked, or `nil` if there is none.
    func problem(of field: Int) -> String? {
        switch self.found[field] {
        case .nothing, .value, .escaped: nil
        case .object: "expected a string, a number, true or false, found an object"
        case .list: "expected a string, a number, true or false, found a list"
        case .blocked: "its path crosses a value that is not an object"
        case .blockedList: "its path crosses a value that is not a list"
        }
    }

    /// Returns the path of an undeclared member as bytes, in the form of a `path` setting.
    func unknownName(_ text: ByteRange, _ unknown: Unknown, _ event: borrowing Event) -> [UInt8] {
        let path = self.paths.objects[unknown.object].path.flatMap { Array("\(JSONPath.text([$0])).".utf8) }
        var name: [UInt8] = []
        event.withBytes(text) { bytes in JSONString.unescape(bytes.extracting(unknown.name.range), into: &name) }
        if name == [UInt8(ascii: "*")] { return path + Array(#"\*"#.utf8) }
        return path + name.flatMap { JSONPath.escaped.contains($0) ? [UInt8(ascii: "\\"), $0] : [$0] }
    }

    private func readObject(
        _ object: Int, depth: Int, _ bytes: Span<UInt8>, _ base: UInt32, _ scanner: inout JSONScanner,
        _ event: inout Event
    ) throws(JSONProblem) {
        scanner.enterObject(bytes)
        var position = 0
        while let name = try scanner.nextMember(bytes, isFirst: position == 0) {
            let member = self.member(name, of: object, at: position, bytes)
            position += 1
            guard let member else {
                if self.unknown == nil { self.unknown = Unknown(object: object, name: name) }
                _ = try scanner.value(bytes, depth: depth + 1)
                continue
            }
            switch self.paths.objects[object].members[member].target {
            case .followed: _ = try scanner.value(bytes, depth: depth + 1)
            case .field(let field):
                self.set(field, to: try scanner.value(bytes, depth: depth + 1), base, &event)
            case .object(let inner):
                // The last value of a repeated name counts, including everything in it.
                self.set(below: inner, to: .nothing, &event)
                if scanner.isAt(UInt8(ascii: "{"), bytes) {
                    try self.readObject(inner, depth: depth + 1, bytes, base, &scanner, &event)
                } else if try scanner.value(bytes, depth: depth + 1).kind != .null {
                    self.set(below: inner, to: .blocked, &event)
                }
            }
        }
    }

    private func member(_ name: JSONScanner.Text, of object: Int, at position: Int, _ bytes: Span<UInt8>) -> Int? {
        guard name.hasEscapes else {
            return self.matchers[object].match(bytes.extracting(name.range), at: position)
        }
        self.scratch.removeAll(keepingCapacity: true)
        JSONString.unescape(bytes.extracting(name.range), into: &self.scratch)
        // Not a copy: a second reference to the same memory while it is read.
        let decoded = self.scratch
        return self.matchers[object].match(decoded.span, at: position)
    }

    private func set(_ field: Int, to value: JSONScanner.Value, _ base: UInt32, _ event: inout Event) {
        if self.jsonTypes[field] {
            self.found[field] = .value
            let range = value.source
            return event.set(
                self.ids[field],
                range: ByteRange(offset: base + UInt32(range.lowerBound), length: UInt32(range.count)))
        }
        switch value.kind {
        case .null: self.found[field] = .nothing
        case .object: self.found[field] = .object
        case .list: self.found[field] = .list
        case .text where value.hasEscapes:
            self.found[field] = .escaped
            self.hasEscapes = true
        case .text, .number, .boolean: self.found[field] = .value
        }
        if self.found[field] == .value || self.found[field] == .escaped {
            let offset = base + UInt32(value.range.lowerBound)
            event.set(self.ids[field], range: ByteRange(offset: offset, length: UInt32(value.range.count)))
        } else {
            event.remove(self.ids[field])
        }
    }

    /// Sets a field that is found by following its path.
    private func follow(
        _ field: Int, _ path: JSONPath, _ bytes: Span<UInt8>, _ base: UInt32, _ event: inout Event
    ) throws(JSONProblem) {
        switch try self.walk.follow(path, bytes) {
        case .found: if let value = self.walk.values.first { self.set(field, to: value, base, &event) }
        case .missing: break
        case .noObject: self.found[field] = .blocked
        case .noList: self.found[field] = .blockedList
        }
    }

    /// Sets a field to the list of all values to which its path leads. Only called after the scan, because the arena may
    /// move.
    private func writeList(
        _ field: Int, _ path: JSONPath, _ text: ByteRange, _ event: inout Event
    ) throws(JSONProblem) {
        self.scratch.removeAll(keepingCapacity: true)
        // Used before the list is copied to the arena.
        let bytes = unsafe event.unsafeBytes(text).span
        switch try self.walk.follow(path, bytes) {
        case .found:
            self.scratch.append(UInt8(ascii: "["))
            for (index, value) in self.walk.values.enumerated() {
                if index > 0 { self.scratch.append(UInt8(ascii: ",")) }
                for position in value.source { self.scratch.append(bytes[position]) }
            }
            self.scratch.append(UInt8(ascii: "]"))
            self.found[field] = .value
            event.set(self.ids[field], copying: self.scratch)
        case .missing: break
        case .noObject: self.found[field] = .blocked
        case .noList: self.found[field] = .blockedList
        }
    }

    private func set(below object: Int, to found: Found, _ event: inout Event) {
        for field in self.paths.objects[object].fields {
            self.found[field] = found
            event.remove(self.ids[field])
        }
    }

    /// Copies the texts with escapes in unescaped form. Only called after the scan, because the arena may move.
    private func writeEscaped(_ event: inout Event) {
        for field in self.found.indices where self.found[field] == .escaped {
            guard let range = event.range(of: self.ids[field]) else { continue }
            self.scratch.removeAll(keepingCapacity: true)
            unsafe JSONString.unescape(event.unsafeBytes(range).span, into: &self.scratch)
            event.set(self.ids[field], copying: self.scratch)
        }
    }
}
