/// Divides bytes that arrive in pieces into lines. Pure.
struct LineSplitter: Sendable {
    /// A line without its end.
    enum Line: Sendable, Equatable {
        /// The bytes of a line.
        case text([UInt8])
        /// A line that is longer than the limit; its bytes were thrown away.
        case tooLong(bytes: Int)
    }

    /// The maximum length of a line, in bytes.
    let limit: Int
    private var partial: [UInt8] = []
    /// The length of the current line if it is beyond the limit, otherwise 0.
    private var droppedBytes = 0

    /// Creates a splitter at the beginning of a line.
    init(limit: Int) {
        self.limit = limit
    }

    /// The number of bytes since the last line end.
    var pendingBytes: Int { self.droppedBytes > 0 ? self.droppedBytes : self.partial.count }

    /// Takes the next bytes and passes on each line that ends in them, with its length including its end.
    mutating func take(_ bytes: [UInt8], _ body: (Line, Int) -> Void) {
        var rest = bytes[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            self.add(rest[..<end])
            let length = self.pendingBytes + 1
            if let line = self.finish() { body(line, length) } else { body(.text([]), length) }
            rest = rest[(end + 1)...]
        }
        self.add(rest)
    }

    /// Returns the line that has no end, or `nil` if there is none, and begins a new one.
    mutating func finish() -> Line? {
        defer {
            self.partial = []
            self.droppedBytes = 0
        }
        if self.droppedBytes > 0 { return .tooLong(bytes: self.droppedBytes) }
        return self.partial.isEmpty ? nil : .text(self.partial)
    }

    private mutating func add(_ bytes: ArraySlice<UInt8>) {
        if self.droppedBytes == 0, self.partial.count + bytes.count <= self.limit {
            self.partial += bytes
        } else {
            self.droppedBytes = self.pendingBytes + bytes.count
            self.partial = []
        }
    }
}
