/// Checks the bytes of a document before it is parsed: whether they are text that looks the same in every editor.
///
/// libyaml checks less, and without a line and column. After this check it cannot find encoding errors, and its lines
/// are those of an editor.
enum YAMLText {
    /// The maximum number of lines that begin with `%`. A document needs at most one (`%YAML 1.2`); libyaml compares
    /// every `%TAG` line with all before it, so a file full of them would take quadratic time.
    static let directiveLines = 16

    /// Refuses invalid UTF-8, byte order marks, control characters, unusual line separators and too many directives.
    ///
    /// - Returns: The position just after the last character.
    static func check(_ bytes: [UInt8]) throws(YAMLError) -> YAMLPosition {
        if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
            throw YAMLError(
                position: YAMLPosition(line: 1, column: 1), message: "the document is UTF-16: save it as UTF-8")
        }
        var counter = LineCounter()
        var directives = 0
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            // Nearly all bytes of a file, without the decoder, which takes most of the time.
            if byte >= 0x20, byte < 0x7F, byte != UInt8(ascii: "%") {
                counter.passPrintable()
                index += 1
                continue
            }
            var decoder = Unicode.UTF8.ForwardParser()
            var input = bytes[index...].makeIterator()
            switch decoder.parseScalar(from: &input) {
            case .emptyInput:
                return counter.position
            case .error:
                throw YAMLError(
                    position: counter.position,
                    message: "found bytes that are not valid UTF-8: save the document as UTF-8")
            case .valid(let encoded):
                let scalar = Unicode.UTF8.decode(encoded)
                try self.check(scalar, at: counter.position)
                if scalar == "%" && counter.position.column == 1 {
                    directives += 1
                    guard directives <= self.directiveLines else {
                        throw YAMLError(
                            position: counter.position,
                            message: "more than \(self.directiveLines) lines begin with \"%\": "
                                + "remove the directives, or indent the text")
                    }
                }
                counter.pass(scalar)
                index += encoded.count
            }
        }
        return counter.position
    }

    /// The text at a position that libyaml reports as a number of scalars.
    struct Spot {
        /// The scalar there, or `nil` at the end of the document.
        var scalar: Unicode.Scalar?
        /// Whether only spaces and tabs precede it on its line.
        var startsLine = true
    }

    /// Finds the position after `index` scalars. `bytes` must have passed `check`.
    static func spot(at index: Int, in bytes: some Sequence<UInt8>) -> Spot {
        var spot = Spot()
        var decoder = Unicode.UTF8.ForwardParser()
        var input = bytes.makeIterator()
        for passed in 0...max(0, index) {
            guard case .valid(let encoded) = decoder.parseScalar(from: &input) else {
                spot.scalar = nil
                break
            }
            let scalar = Unicode.UTF8.decode(encoded)
            spot.scalar = scalar
            if passed == index { break }
            switch scalar {
            case "\n", "\r": spot.startsLine = true
            case " ", "\t": break
            default: spot.startsLine = false
            }
        }
        return spot
    }

    /// Refuses a scalar that must not occur literally in a document (YAML 1.2.2, production `c-printable`, and others).
    private static func check(_ scalar: Unicode.Scalar, at position: YAMLPosition) throws(YAMLError) {
        switch scalar.value {
        case 0x09, 0x0A, 0x0D, 0x20...0x7E:
            return
        case 0xFEFF:
            throw YAMLError(
                position: position, message: "found a byte order mark (U+FEFF): save the document as UTF-8 without one")
        case 0x85, 0x2028, 0x2029:
            // A line ends there in YAML 1.1, and so in libyaml, but not in YAML 1.2 and most editors.
            throw YAMLError(
                position: position,
                message: "found the line separator \(self.name(scalar)): end the line with a line feed, "
                    + "or write \"\(self.escape(scalar))\" in double quotes")
        case 0...0x1F, 0x7F...0x9F, 0xFFFE, 0xFFFF:
            throw YAMLError(
                position: position,
                message: "found the control character \(self.name(scalar)): remove it, "
                    + "or write \"\(self.escape(scalar))\" in double quotes")
        default:
            return
        }
    }

    /// The maximum number of scalars that a message quotes; a key may be as long as any scalar.
    static let shownScalars = 64

    /// Returns text of the document for use in a message: on one line, without control characters, and truncated if it
    /// is too long.
    static func shown(_ text: String) -> String {
        var shown = ""
        for scalar in text.unicodeScalars.prefix(self.shownScalars) {
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: shown += self.escape(scalar)
            default: shown.unicodeScalars.append(scalar)
            }
        }
        return text.unicodeScalars.count > self.shownScalars ? shown + "..." : shown
    }

    /// `U+0007`.
    private static func name(_ scalar: Unicode.Scalar) -> String { "U+" + self.hex(scalar, digits: 4) }

    /// The escape for the scalar in double quotes: `\x07`, `\u2028`.
    private static func escape(_ scalar: Unicode.Scalar) -> String {
        scalar.value <= 0xFF ? "\\x" + self.hex(scalar, digits: 2) : "\\u" + self.hex(scalar, digits: 4)
    }

    /// The value in upper-case hexadecimal, with leading zeros up to `digits`.
    private static func hex(_ scalar: Unicode.Scalar, digits: Int) -> String {
        let text = String(scalar.value, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }

    /// Counts the lines and columns of a document as libyaml does.
    private struct LineCounter {
        /// The position of the next scalar.
        var position = YAMLPosition(line: 1, column: 1)
        /// Whether a line feed would only complete a CR LF.
        var afterReturn = false

        /// Moves past one scalar that does not end a line.
        mutating func passPrintable() {
            self.afterReturn = false
            self.position.column += 1
        }

        /// Moves past one scalar.
        mutating func pass(_ scalar: Unicode.Scalar) {
            if scalar == "\n" && self.afterReturn {
                self.afterReturn = false
                return
            }
            self.afterReturn = scalar == "\r"
            if scalar == "\n" || scalar == "\r" {
                self.position = YAMLPosition(line: self.position.line + 1, column: 1)
            } else {
                self.position.column += 1
            }
        }
    }
}
