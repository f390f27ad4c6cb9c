package import CEL
import JSON
import TextSupport

/// JSON as values of expressions, and the reverse.
package enum JSONValues {
    /// The maximum length of a JSON field that an expression uses, in bytes: its values are made again for each
    /// evaluation, at up to 40 times its length. Far above any event; a longer field can still be carried through.
    package static let sizeLimit = 1 << 20

    /// The reason why JSON is not a value, or a value has no JSON form.
    package struct Refusal: Error {
        /// The reason.
        package var message: String
    }

    /// Reads JSON. A number with neither a fraction nor an exponent is an int, or a uint if it is too large for one; any
    /// other number is a double.
    ///
    /// - Throws: A refusal if the text is not JSON, an object has a name twice, or a number is beyond the range of a
    ///   double.
    package static func value(_ bytes: [UInt8]) throws(Refusal) -> Value {
        do throws(JSONProblem) {
            // The reader relies on it.
            _ = try JSONScanner.document(bytes.span)
        } catch {
            throw Refusal(message: "invalid JSON at byte \(error.offset): \(error.message)")
        }
        var reader = Reader(bytes: bytes)
        return try reader.value()
    }

    /// Appends a value of an expression. Times and durations are strings, as are bytes in base64; keys of maps are
    /// written as text.
    static func append(_ value: Value, depth: Int = 0, to bytes: inout [UInt8]) throws(Refusal) {
        switch value {
        case .null: bytes += Array("null".utf8)
        case .bool, .int, .uint: bytes += Array(value.text.utf8)
        case .double(let number):
            guard number.isFinite else { throw Refusal(message: "JSON has no number \(value.text)") }
            bytes += Array("\(number)".utf8)
        case .string, .timestamp, .duration, .type, .ip, .cidr: JSONString.append(value.text, to: &bytes)
        case .bytes(let content): JSONString.append(Base64.encode(content.span), to: &bytes)
        case .optional(let optional): try self.append(optional.wrapped ?? .null, depth: depth, to: &bytes)
        case .list(let values):
            try self.checkDepth(depth)
            bytes.append(UInt8(ascii: "["))
            for (index, element) in values.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                try self.append(element, depth: depth + 1, to: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .map(let map):
            try self.checkDepth(depth)
            bytes.append(UInt8(ascii: "{"))
            for (index, entry) in map.pairs.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                JSONString.append(entry.key.text, to: &bytes)
                bytes.append(UInt8(ascii: ":"))
                try self.append(entry.value, depth: depth + 1, to: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    private static func checkDepth(_ depth: Int) throws(Refusal) {
        guard depth >= JSONScanner.depthLimit else { return }
        throw Refusal(message: "the value is nested more than \(JSONScanner.depthLimit) levels deep")
    }
}

extension JSONValues {
    /// Reads bytes that are known to be JSON, nested at most as deeply as the scanner allows.
    private struct Reader {
        let bytes: [UInt8]
        var index = 0

        /// Moves to the next byte that is neither white space nor a separator and returns it; 0 at the end.
        private mutating func next() -> UInt8 {
            while self.index < self.bytes.count, [0x20, 0x09, 0x0A, 0x0D, 0x2C, 0x3A].contains(self.bytes[self.index]) {
                self.index += 1
            }
            return self.index < self.bytes.count ? self.bytes[self.index] : 0
        }

        mutating func value() throws(Refusal) -> Value {
            switch self.next() {
            case UInt8(ascii: "{"): return try self.object()
            case UInt8(ascii: "["):
                self.index += 1
                var values: [Value] = []
                while ![0, UInt8(ascii: "]")].contains(self.next()) { values.append(try self.value()) }
                self.index += 1
                return .list(values)
            case UInt8(ascii: "\""): return .string(self.string())
            default: return try self.word()
            }
        }

        private mutating func object() throws(Refusal) -> Value {
            self.index += 1
            var map = MapValue()
            while ![0, UInt8(ascii: "}")].contains(self.next()) {
                let name = self.string()
                guard map.add(.string(name), try self.value()) else {
                    throw Refusal(message: "an object has the name \(QuotedText.quote(name)) twice")
                }
            }
            self.index += 1
            return .map(map)
        }

        private mutating func string() -> String {
            let start = min(self.index + 1, self.bytes.count)
            var end = start
            while end < self.bytes.count, self.bytes[end] != UInt8(ascii: "\"") {
                end += self.bytes[end] == UInt8(ascii: "\\") ? 2 : 1
            }
            end = min(end, self.bytes.count)
            self.index = end + 1
            var output: [UInt8] = []
            JSONString.unescape(self.bytes.span.extracting(start..<end), into: &output)
            return String(decoding: output, as: UTF8.self)
        }

        /// The bytes that end a number, `true`, `false` or `null`.
        private static let ends: [UInt8] = [0x2C, 0x5D, 0x7D, 0x20, 0x09, 0x0A, 0x0D]

        /// Reads a number, `true`, `false` or `null`.
        private mutating func word() throws(Refusal) -> Value {
            let start = self.index
            while self.index < self.bytes.count, !Self.ends.contains(self.bytes[self.index]) { self.index += 1 }
            let word = String(decoding: self.bytes.dropFirst(start).prefix(self.index - start), as: UTF8.self)
            switch word {
            case "true": return .bool(true)
            case "false": return .bool(false)
            default:
                if let number = Int64(word) { return .int(number) }
                if let number = UInt64(word) { return .uint(number) }
                guard let number = Double(word) else { return .null }
                guard number.isFinite else {
                    throw Refusal(message: "the number \(QuotedText.quote(word)) is out of range for a double")
                }
                return .double(number)
            }
        }
    }
}
