extension PatternParser {
    /// Reads an escape sequence that stands for a set, without its backslash: `d`, `W`, `pL`, `p{Lu}`.
    ///
    /// - Returns: `nil` if it stands for a code point.
    mutating func classEscape() throws(PatternError) -> ScalarSet? {
        let set: ScalarSet
        switch self.next {
        case "d": set = .digits
        case "D": set = .digits.negated
        case "s": set = .spaces
        case "S": set = .spaces.negated
        case "w": set = .word
        case "W": set = .word.negated
        case "p", "P":
            let isNegated = self.next == "P"
            self.index += 1
            return try self.category(isNegated)
        default: return nil
        }
        self.index += 1
        return set
    }

    private mutating func category(_ isNegated: Bool) throws(PatternError) -> ScalarSet {
        var isNegated = isNegated
        var name = ""
        if self.take("{" as Unicode.Scalar) {
            if self.take("^" as Unicode.Scalar) { isNegated.toggle() }
            while let scalar = self.next, scalar != "}" {
                name.unicodeScalars.append(scalar)
                self.index += 1
            }
            guard self.take("}" as Unicode.Scalar) else { throw PatternError(message: "malformed \"\\p\"") }
        } else if let scalar = self.next {
            name = String(scalar)
            self.index += 1
        }
        var set = ScalarSet()
        guard ScalarSet.categoryNames.contains(name) else {
            throw PatternError(message: "unsupported Unicode class \"\(name)\"")
        }
        set.categories.append(ScalarSet.Category(name: name, isNegated: isNegated))
        return set
    }

    /// Reads an escape sequence that stands for a code point, without its backslash.
    mutating func scalarEscape() throws(PatternError) -> UInt32 {
        guard let scalar = self.next else { throw PatternError(message: "unfinished escape sequence") }
        self.index += 1
        switch scalar {
        case "a": return 0x07
        case "f": return 0x0C
        case "n": return 0x0A
        case "r": return 0x0D
        case "t": return 0x09
        case "v": return 0x0B
        case "x": return try self.hexadecimal()
        case "0"..."7":
            // `\1` to `\7` are references to groups, which RE2 does not have; up to three digits are octal.
            var value = scalar.value - 0x30
            var count = 1
            while count < 3, let digit = self.next, (0x30...0x37).contains(digit.value) {
                value = value * 8 + digit.value - 0x30
                count += 1
                self.index += 1
            }
            guard scalar == "0" || count > 1 else { throw PatternError(message: "references are not supported") }
            return value
        default:
            guard scalar.isASCII, !UInt8(scalar.value).isNamePart || scalar == "_" else {
                throw PatternError(message: "invalid escape sequence \"\\\(scalar)\"")
            }
            return scalar.value
        }
    }

    private mutating func hexadecimal() throws(PatternError) -> UInt32 {
        let isBraced = self.take("{" as Unicode.Scalar)
        var value: UInt32 = 0
        var count = 0
        while count < (isBraced ? 8 : 2), let scalar = self.next, scalar.isASCII,
            let digit = UInt8(scalar.value).hexValue
        {
            value = value << 4 | digit
            count += 1
            self.index += 1
        }
        guard isBraced ? count > 0 && self.take("}" as Unicode.Scalar) : count == 2, Unicode.Scalar(value) != nil else {
            throw PatternError(message: "invalid escape sequence \"\\x\"")
        }
        return value
    }

    /// Reads a set in brackets, without the opening one.
    mutating func characterClass() throws(PatternError) -> ScalarSet {
        var set = ScalarSet()
        set.isNegated = self.take("^" as Unicode.Scalar)
        var isFirst = true
        while let scalar = self.next, scalar != "]" || isFirst {
            isFirst = false
            if self.take("[:") {
                set.sets.append(try self.posixClass())
                continue
            }
            if scalar == "\\" {
                self.index += 1
                if let escape = try self.classEscape() {
                    set.sets.append(escape)
                    continue
                }
                self.index -= 1
            }
            let first = try self.member()
            var last = first
            let after = self.index + 1
            if self.next == "-", after < self.scalars.count, self.scalars[after] != "]" {
                self.index += 1
                last = try self.member()
            }
            guard first <= last else { throw PatternError(message: "invalid range in brackets") }
            set.ranges.append(first...last)
        }
        guard self.take("]" as Unicode.Scalar) else { throw PatternError(message: "missing \"]\"") }
        return set
    }

    private mutating func member() throws(PatternError) -> UInt32 {
        if self.take("\\" as Unicode.Scalar) { return try self.scalarEscape() }
        guard let scalar = self.next else { throw PatternError(message: "missing \"]\"") }
        self.index += 1
        return scalar.value
    }

    private mutating func posixClass() throws(PatternError) -> ScalarSet {
        let isNegated = self.take("^" as Unicode.Scalar)
        var name = ""
        while let scalar = self.next, scalar != ":" {
            name.unicodeScalars.append(scalar)
            self.index += 1
        }
        guard self.take(":]"), let set = ScalarSet.posix[name] else {
            throw PatternError(message: "unknown class \"[:\(name):]\"")
        }
        return isNegated ? set.negated : set
    }
}
