package import JSON

/// Follows a path in a document that was scanned before, and collects the values at its end.
package struct JSONWalk {
    /// The result of following a path.
    package enum Result: BitwiseCopyable {
        /// The path leads to at least one value or, with `*`, to a list.
        case found
        /// A member or an element on the path is missing or null.
        case missing
        /// A value on the path is not an object.
        case noObject
        /// A value on the path is not a list.
        case noList
    }

    /// The values at the end of the path, in the order of the document.
    package private(set) var values: [JSONScanner.Value] = []
    private var scratch: [UInt8] = []

    /// Creates a walk, which keeps its memory from document to document.
    package init() {}

    /// Follows the path from the object of the document.
    package mutating func follow(_ path: JSONPath, _ bytes: Span<UInt8>) throws(JSONProblem) -> Result {
        self.values.removeAll(keepingCapacity: true)
        var scanner = JSONScanner()
        try scanner.begin(bytes)
        return try self.follow(path.steps[...], bytes, at: scanner.index)
    }

    /// Recurses once for each step, of which there are at most `JSONPath.lengthLimit`.
    private mutating func follow(
        _ steps: ArraySlice<JSONPath.Step>, _ bytes: Span<UInt8>, at start: Int
    ) throws(JSONProblem) -> Result {
        var scanner = JSONScanner(at: start)
        guard let step = steps.first else {
            self.values.append(try scanner.value(bytes, depth: 0))
            return .found
        }
        let rest = steps.dropFirst()
        if scanner.isAt(UInt8(ascii: "n"), bytes) { return .missing }
        if case .name(let name) = step {
            guard scanner.isAt(UInt8(ascii: "{"), bytes) else { return .noObject }
            guard let next = try self.member(name, &scanner, bytes) else { return .missing }
            return try self.follow(rest, bytes, at: next)
        }
        guard scanner.isAt(UInt8(ascii: "["), bytes) else { return .noList }
        scanner.enterList(bytes)
        var number = 0
        while try scanner.nextElement(bytes, isFirst: number == 0) {
            switch step {
            case .element(let wanted) where wanted == number:
                return try self.follow(rest, bytes, at: scanner.index)
            // Elements without the rest of the path are left out.
            case .all: _ = try self.follow(rest, bytes, at: scanner.index)
            case .element, .name: break
            }
            _ = try scanner.value(bytes, depth: 0)
            number += 1
        }
        return step == .all ? .found : .missing
    }

    /// Returns the offset of the last member of a name.
    private mutating func member(
        _ name: String, _ scanner: inout JSONScanner, _ bytes: Span<UInt8>
    ) throws(JSONProblem) -> Int? {
        scanner.enterObject(bytes)
        var found: Int?
        var isFirst = true
        while let text = try scanner.nextMember(bytes, isFirst: isFirst) {
            isFirst = false
            self.scratch.removeAll(keepingCapacity: true)
            JSONString.unescape(bytes.extracting(text.range), into: &self.scratch)
            if self.scratch.elementsEqual(name.utf8) { found = scanner.index }
            _ = try scanner.value(bytes, depth: 0)
        }
        return found
    }
}
