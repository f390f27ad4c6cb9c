package import StageKit

/// A header of a request. Its value may be a secret, so no message shows it.
///
/// Source: RFC 9110, sections 5.1 (names are tokens) and 5.5 (values without control characters).
package struct WebhookHeader: Sendable, Equatable {
    /// The name.
    let name: String
    /// The value.
    let value: String

    /// The names that the stage or the connection sets.
    static let reserved: Set = ["connection", "content-length", "host", "idempotency-key", "transfer-encoding"]

    private static let tokenMarks = Set("!#$%&'*+-.^_`|~".utf8)

    /// The problem with the header, or `nil` if it is valid.
    var mistake: String? { Self.problem(self.name, self.value, reserved: Self.reserved, owner: "the stage") }

    /// Returns the problem with a header in the settings of another component, or `nil` if it can be sent.
    ///
    /// - Parameters:
    ///   - header: The header.
    ///   - reserved: The names that the component or the connection sets, in lower case.
    package static func problem(_ header: NamedSetting<String>, reserved: Set<String>) -> String? {
        self.problem(header.name, header.value, reserved: reserved, owner: "the worker")
    }

    private static func problem(_ name: String, _ value: String, reserved: Set<String>, owner: String) -> String? {
        let isToken =
            !name.isEmpty
            && name.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || Self.tokenMarks.contains(byte)
            }
        guard isToken else { return "\(QuotedText.quote(name)) is not a valid header name" }
        if reserved.contains(name.lowercased()) { return "\(name): \(owner) sets this header itself" }
        // Any control character other than a tab could end the header and begin another.
        let isGood = value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
        return isGood ? nil : "\(name): the value contains a line end or another control character"
    }

    /// The reason why the headers in a file cannot be used.
    struct FileMistake: Error, CustomStringConvertible {
        /// The file and the problem, without any value.
        var description: String
    }

    /// Parses lines of the form `Name: value`; empty lines are skipped.
    static func parse(_ text: String, path: String) throws(FileMistake) -> [WebhookHeader] {
        var headers: [WebhookHeader] = []
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            if line.allSatisfy(\.isWhitespace) { continue }
            guard let colon = line.firstIndex(of: ":") else {
                throw FileMistake(description: "\(path): line \(index + 1) does not have the form Name: value")
            }
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            let header = WebhookHeader(name: String(line[..<colon]), value: String(value))
            guard header.mistake == nil else {
                throw FileMistake(description: "\(path): line \(index + 1) is not a valid header")
            }
            headers.append(header)
        }
        return headers
    }
}
