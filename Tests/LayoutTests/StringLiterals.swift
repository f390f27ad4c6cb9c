/// The string literals of a Swift source file, without comments and interpolated code.
struct StringLiterals {
    /// The text of each literal, escapes as written; literals inside an interpolation come before their own.
    private(set) var texts: [String] = []
    private let source: [UInt8]
    private var index = 0

    /// Collects the literals of a source text.
    init(of source: String) {
        self.source = Array(source.utf8)
        self.code(isInterpolated: false)
    }

    private func has(_ text: StaticString) -> Bool {
        text.withUTF8Buffer { self.source[self.index...].starts(with: $0) }
    }

    /// Skips code up to the end of the source, or after the parenthesis that closes an interpolation.
    private mutating func code(isInterpolated: Bool) {
        var depth = 0
        while self.index < self.source.count {
            let byte = self.source[self.index]
            if byte == UInt8(ascii: "/"), self.has("//") {
                while self.index < self.source.count, self.source[self.index] != UInt8(ascii: "\n") { self.index += 1 }
            } else if byte == UInt8(ascii: "\"") || (byte == UInt8(ascii: "#") && self.has("#\"")) {
                self.literal()
            } else {
                self.index += 1
                if byte == UInt8(ascii: "(") { depth += 1 }
                if byte == UInt8(ascii: ")") {
                    if depth == 0, isInterpolated { return }
                    depth -= 1
                }
            }
        }
    }

    /// Collects the literal at the current position.
    private mutating func literal() {
        let isRaw = self.source[self.index] == UInt8(ascii: "#")
        if isRaw { self.index += 1 }
        let isMultiline = self.has("\"\"\"")
        self.index += isMultiline ? 3 : 1
        var text: [UInt8] = []
        while self.index < self.source.count, !self.isEnd(isRaw, isMultiline) {
            if !isRaw, self.has("\\(") {
                self.index += 2
                self.code(isInterpolated: true)
            } else {
                let count = !isRaw && self.source[self.index] == UInt8(ascii: "\\") ? 2 : 1
                text += self.source[self.index...].prefix(count)
                self.index += count
            }
        }
        self.index += (isMultiline ? 3 : 1) + (isRaw ? 1 : 0)
        self.texts.append(String(decoding: text, as: UTF8.self))
    }

    private func isEnd(_ isRaw: Bool, _ isMultiline: Bool) -> Bool {
        guard self.source[self.index] == UInt8(ascii: "\"") else { return false }
        return isMultiline ? self.has(isRaw ? "\"\"\"#" : "\"\"\"") : !isRaw || self.has("\"#")
    }
}
