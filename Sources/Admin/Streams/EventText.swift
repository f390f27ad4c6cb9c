/// The text of server-sent events.
///
/// Source: WHATWG HTML, section 9.2, "Server-sent events".
enum EventText {
    /// The first line: the delay before a reconnect, in milliseconds.
    static let opening = "retry: 1000\n\n"
    /// A comment line, sent to detect a broken connection.
    static let comment = ": keep-alive\n\n"

    /// Appends an event; `data` must be one line, which JSON written by `JSONText` always is.
    static func append(_ name: String, id: String? = nil, data: String, to bytes: inout [UInt8]) {
        bytes += Array("event: \(name)\n".utf8)
        if let id { bytes += Array("id: \(id)\n".utf8) }
        bytes += Array("data: ".utf8)
        bytes += Array(data.utf8)
        bytes += [0x0A, 0x0A]
    }
}
