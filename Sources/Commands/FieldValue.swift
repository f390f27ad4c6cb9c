import CEL
import JSON

/// Values of expressions as JSON documents contain them, and as commands print them.
enum FieldValue {
    /// Reads a JSON value; a number with neither a fraction nor an exponent is an int, or a uint if it is too great.
    ///
    /// - Returns: `nil` if the text is not JSON, or an object has a name twice.
    static func json(_ text: [UInt8]) -> Value? {
        // The scanner checks documents only, so the value becomes one.
        let document = Array("{\"value\":".utf8) + text + Array("}".utf8)
        guard text.count < JSONScanner.sizeLimit, self.isValid(document) else { return nil }
        var reader = Reader(bytes: document)
        guard case .map(let map)? = reader.value() else { return nil }
        return map.entries.count == 1 ? map.entries[0].value : nil
    }

    private static func isValid(_ document: [UInt8]) -> Bool {
        do throws(JSONProblem) {
            var scanner = JSONScanner()
            try scanner.begin(document.span)
            scanner.enterObject(document.span)
            var isFirst = true
            while try scanner.nextMember(document.span, isFirst: isFirst) != nil {
                _ = try scanner.value(document.span, depth: 1)
                isFirst = false
            }
            try scanner.end(document.span)
            return true
        } catch {
            return false
        }
    }

    /// The type of a value for the checker; the elements of lists and maps may have any.
    static func type(of value: Value) -> ExpressionType {
        switch value {
        case .bool: .bool
        case .int: .int
        case .uint: .uint
        case .double: .double
        case .string: .string
        case .list: .list(.dyn)
        case .map: .map(.string, .dyn)
        default: .dyn
        }
    }

    /// The value in the form of a literal of the language.
    static func text(_ value: Value) -> String {
        switch value {
        case .string(let text): self.quoted(text)
        case .uint(let number): "\(number)u"
        case .double(let number): number.description
        case .bytes(let bytes):
            "b\"" + bytes.map { "\\x" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() + "\""
        case .list(let values): "[" + values.map(self.text).joined(separator: ", ") + "]"
        case .map(let map):
            "{" + map.entries.map { "\(self.text($0.key)): \(self.text($0.value))" }.joined(separator: ", ") + "}"
        case .timestamp(let time): "timestamp(\"\(time)\")"
        case .duration(let duration): "duration(\"\(duration)\")"
        case .optional(let optional): optional.wrapped.map { "optional.of(\(self.text($0)))" } ?? "optional.none()"
        case .ip(let address): "ip(\"\(address)\")"
        case .cidr(let range): "cidr(\"\(range)\")"
        case .null, .bool, .int, .type: value.text
        }
    }

    /// Text in quotation marks; characters that a terminal would interpret are escaped.
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator:
                let digits = String(scalar.value, radix: 16)
                result += "\\U" + String(repeating: "0", count: 8 - digits.utf8.count) + digits
            default: result += scalar == "\"" || scalar == "\\" ? "\\\(scalar)" : String(scalar)
            }
        }
        return result + "\""
    }
}

extension FieldValue {
    /// Reads bytes that are known to be JSON, nested at most as deeply as the scanner allows.
    private struct Reader {
        let bytes: [UInt8]
        var index = 0

        private mutating func next() -> UInt8 {
            while [0x20, 0x09, 0x0A, 0x0D, 0x2C, 0x3A].contains(self.bytes[self.index]) { self.index += 1 }
            return self.bytes[self.index]
        }

        mutating func value() -> Value? {
            switch self.next() {
            case 0x7B: return self.object()
            case 0x5B:
                self.index += 1
                var values: [Value] = []
                while self.next() != 0x5D {
                    guard let value = self.value() else { return nil }
                    values.append(value)
                }
                self.index += 1
                return .list(values)
            case 0x22: return .string(self.string())
            default: return self.word()
            }
        }

        private mutating func object() -> Value? {
            self.index += 1
            var map = MapValue()
            while self.next() != 0x7D {
                let name = self.string()
                guard let value = self.value(), map.add(.string(name), value) else { return nil }
            }
            self.index += 1
            return .map(map)
        }

        private mutating func string() -> String {
            let start = self.index + 1
            var end = start
            while self.bytes[end] != 0x22 { end += self.bytes[end] == 0x5C ? 2 : 1 }
            self.index = end + 1
            var output: [UInt8] = []
            JSONString.unescape(self.bytes.span.extracting(start..<end), into: &output)
            return String(decoding: output, as: UTF8.self)
        }

        /// Reads a number, `true`, `false` or `null`.
        private mutating func word() -> Value? {
            let start = self.index
            while ![0x2C, 0x5D, 0x7D, 0x20, 0x09, 0x0A, 0x0D].contains(self.bytes[self.index]) { self.index += 1 }
            let word = String(decoding: self.bytes[start..<self.index], as: UTF8.self)
            switch word {
            case "true": return .bool(true)
            case "false": return .bool(false)
            case "null": return .null
            default:
                if let number = Int64(word) { return .int(number) }
                if let number = UInt64(word) { return .uint(number) }
                return Double(word).map { .double($0) }
            }
        }
    }
}
