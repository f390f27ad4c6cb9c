import NIOCore

/// A server-sent event.
struct ServerSentEvent: Equatable {
    /// The event's name.
    var name: String
    /// The event's data, one line.
    var data: String
}

/// Parses a stream of server-sent events in the form that Sluice writes: a name and one line of data each.
///
/// Source: WHATWG HTML, section 9.2.6.
struct ServerSentEvents {
    /// The maximum size of an event in bytes; the state of a large graph is far smaller.
    static let byteLimit = 16 << 20

    private var rest = ByteBuffer()
    /// The number of readable bytes that are known to hold no line end: a long line arrives in many parts.
    private var searched = 0
    private var name = ""
    private var data = ""

    /// Returns the events that are complete after the next bytes of the stream. Throws if one is too long.
    mutating func take(_ bytes: ByteBuffer) throws(AdminClient.Failure) -> [ServerSentEvent] {
        self.rest.writeImmutableBuffer(bytes)
        var events: [ServerSentEvent] = []
        while let end = self.rest.readableBytesView.dropFirst(self.searched).firstIndex(of: 0x0A) {
            self.searched = 0
            let length = end - self.rest.readerIndex
            let line = self.rest.readString(length: length) ?? ""
            self.rest.moveReaderIndex(forwardBy: 1)
            if line.isEmpty {
                if !self.name.isEmpty { events.append(ServerSentEvent(name: self.name, data: self.data)) }
                (self.name, self.data) = ("", "")
            } else if line.hasPrefix("event: ") {
                self.name = String(line.dropFirst("event: ".count))
            } else if line.hasPrefix("data: ") {
                self.data = String(line.dropFirst("data: ".count))
            }
        }
        self.rest.discardReadBytes()
        self.searched = self.rest.readableBytes
        guard self.rest.readableBytes <= Self.byteLimit else {
            throw AdminClient.Failure(description: "the worker sends an event of more than \(Self.byteLimit) bytes")
        }
        return events
    }
}
