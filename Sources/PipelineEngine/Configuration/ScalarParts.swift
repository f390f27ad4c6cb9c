import StageKit

/// Finds the positions of a scalar's text in the document: where each part begins that the document contains as it is.
///
/// A quoted scalar may contain escape sequences, and a scalar of several lines is folded or indented, so that an offset
/// in the text says nothing about the position. The text is followed through the document instead.
struct ScalarParts {
    private let lines: [[Unicode.Scalar]]
    /// The length of each line without the blanks at its end.
    private let ends: [Int]

    /// Splits a document into lines.
    init(_ document: [UInt8]) {
        var lines: [[Unicode.Scalar]] = [[]]
        var previous: Unicode.Scalar?
        for scalar in String(decoding: document, as: UTF8.self).unicodeScalars {
            switch scalar {
            case "\n" where previous == "\r": break
            case "\n", "\r": lines.append([])
            default: lines[lines.count - 1].append(scalar)
            }
            previous = scalar
        }
        self.lines = lines
        self.ends = lines.map { line in (line.lastIndex { $0 != " " && $0 != "\t" } ?? -1) + 1 }
    }

    /// Returns the parts of a scalar that begins at a position; empty if the text is not found there, for example
    /// because environment variables were inserted.
    func parts(of text: String, at position: SettingPosition) -> [SettingNode.Part] {
        guard self.lines.indices.contains(position.line - 1) else { return [] }
        var follower = ScalarFollower(
            lines: self.lines, ends: self.ends, line: position.line - 1, column: position.column - 1)
        return follower.follow(Array(text.unicodeScalars)) ? follower.parts : []
    }
}

/// Follows the text of one scalar through the lines of a document.
private struct ScalarFollower {
    let lines: [[Unicode.Scalar]]
    let ends: [Int]
    var line: Int
    var column: Int
    /// The parts found so far.
    var parts: [SettingNode.Part] = []
    /// The offset in the text in bytes.
    var offset = 0
    /// Whether the next character begins a part.
    var begins = true

    init(lines: [[Unicode.Scalar]], ends: [Int], line: Int, column: Int) {
        self.lines = lines
        self.ends = ends
        self.line = line
        self.column = column
    }

    private var next: Unicode.Scalar? {
        self.line < self.lines.count && self.column < self.lines[self.line].count
            ? self.lines[self.line][self.column] : nil
    }

    /// Follows the whole text; returns whether it was found.
    mutating func follow(_ text: [Unicode.Scalar]) -> Bool {
        switch self.next {
        case "|", ">":
            self.line += 1
            self.column = 0
            return self.followBlock(text)
        case "\"", "'":
            let quote = self.next
            self.column += 1
            return self.followFlow(text, quote)
        default: return self.followFlow(text, nil)
        }
    }

    /// Takes a character of the text that the document has at this position.
    private mutating func take(_ scalar: Unicode.Scalar, width: Int = 1) {
        if self.begins || width > 1 {
            let position = SettingPosition(line: self.line + 1, column: self.column + 1)
            self.parts.append(SettingNode.Part(offset: self.offset, position: position))
        }
        self.begins = width > 1
        self.column += width
        self.offset += UTF8.width(scalar)
    }

    /// Takes a character of the text that stands for the end of a line.
    private mutating func takeBreak(_ scalar: Unicode.Scalar) {
        let position = SettingPosition(line: self.line + 1, column: self.column + 1)
        self.parts.append(SettingNode.Part(offset: self.offset, position: position))
        self.offset += UTF8.width(scalar)
        self.begins = true
    }

    /// Follows a plain or quoted scalar, in which a line break stands for a space and an empty line for a line break.
    private mutating func followFlow(_ text: [Unicode.Scalar], _ quote: Unicode.Scalar?) -> Bool {
        var index = 0
        while index < text.count {
            let scalar = text[index]
            if self.next == "\\", quote == "\"" {
                guard let width = self.escapeWidth() else { return false }
                self.take(scalar, width: width)
            } else if self.next == "'", quote == "'" {
                self.take(scalar, width: 2)
            } else if self.next == scalar, !self.isLineEnd {
                self.take(scalar)
            } else if self.isLineEnd, scalar == " " || scalar == "\n" {
                self.takeBreak(scalar)
                self.line += 1
                self.column = 0
                // Every further empty line stands for one line break of the text.
                while self.isBlank, self.line < self.lines.count {
                    if index + 1 < text.count, scalar == "\n", text[index + 1] == "\n" {
                        self.takeBreak("\n")
                        index += 1
                    }
                    self.line += 1
                }
                while self.next == " " || self.next == "\t" { self.column += 1 }
            } else {
                return false
            }
            index += 1
        }
        return true
    }

    /// Whether only blanks follow on this line.
    private var isLineEnd: Bool {
        self.line >= self.lines.count || self.column >= self.ends[self.line]
    }

    /// Whether this line is empty.
    private var isBlank: Bool { self.column == 0 && self.isLineEnd }

    /// The length of an escape sequence in double quotes; `nil` for one that continues a line.
    private func escapeWidth() -> Int? {
        guard self.column + 1 < self.lines[self.line].count else { return nil }
        switch self.lines[self.line][self.column + 1] {
        case "x": return 4
        case "u": return 6
        case "U": return 10
        default: return 2
        }
    }

    /// Follows a literal or folded block, whose lines have the indentation of the first one that is not empty.
    private mutating func followBlock(_ text: [Unicode.Scalar]) -> Bool {
        guard let first = self.lines.dropFirst(self.line).first(where: { $0.contains { $0 != " " } }) else {
            return text.allSatisfy { $0 == "\n" }
        }
        let indentation = first.prefix { $0 == " " }.count
        self.column = indentation
        var index = 0
        while index < text.count {
            let scalar = text[index]
            if let next = self.next {
                guard next == scalar else { return false }
                self.take(scalar)
                index += 1
            } else {
                guard self.line < self.lines.count else { return text[index...].allSatisfy { $0 == "\n" } }
                // At the end of an empty line, a folded block may have no character for it.
                let isEmpty = self.ends[self.line] == 0
                if scalar == "\n" || (scalar == " " && !isEmpty) {
                    self.takeBreak(scalar)
                    index += 1
                } else if !isEmpty {
                    return false
                }
                self.line += 1
                self.column = indentation
            }
        }
        return true
    }
}
