import RESP

/// A command with its arguments, all of them byte strings. The first argument has index 1.
struct RedisRequest {
    private enum Source {
        /// As parsed; valid until the reply is recycled.
        case parsed(RESPReply)
        /// A copy, for a command that is executed later.
        case copied([[UInt8]])
    }

    private let source: Source
    /// The number of arguments, with the command's name.
    let count: Int

    /// Creates a parsed request; `nil` if it is not a list of byte strings.
    init?(_ reply: RESPReply) {
        guard reply[0].kind == .array else { return nil }
        for index in 1..<reply.count where reply[index].kind != .bulkString { return nil }
        self.source = .parsed(reply)
        self.count = reply.count - 1
    }

    /// Creates a request from its arguments.
    init(_ arguments: [[UInt8]]) {
        self.source = .copied(arguments)
        self.count = arguments.count
    }

    /// Passes an argument to `body`; the index must be below `count`.
    @inline(__always)
    func with<R>(_ index: Int, _ body: (Span<UInt8>) -> R) -> R {
        switch self.source {
        case .parsed(let reply):
            // The reply lives at least as long as this value, and nothing changes or recycles it during the call.
            return body(unsafe reply.bytes(of: reply[index + 1]).assumingMemoryBound(to: UInt8.self).span)
        case .copied(let arguments):
            let argument = arguments[index]
            return body(argument.span)
        }
    }

    /// A copy of an argument.
    func bytes(_ index: Int) -> [UInt8] {
        self.with(index) { span in unsafe span.withUnsafeBufferPointer { unsafe [UInt8]($0) } }
    }

    /// An argument as text; invalid UTF-8 is replaced.
    func text(_ index: Int) -> String { String(decoding: self.bytes(index), as: UTF8.self) }

    /// An argument as a decimal number, or `nil` if it is none.
    func number(_ index: Int) -> Int? {
        let length = self.with(index) { $0.count }
        return length <= 20 ? Int(self.text(index)) : nil
    }

    /// Whether an argument is this word; the case of ASCII letters does not matter.
    func isWord(_ index: Int, _ word: StaticString) -> Bool {
        self.with(index) { span in
            guard span.count == word.utf8CodeUnitCount else { return false }
            for place in span.indices {
                let expected = unsafe word.utf8Start[place]
                if CommandName.upper(span[place]) != CommandName.upper(expected) { return false }
            }
            return true
        }
    }

    /// A copy that can be executed later.
    var copy: RedisRequest { RedisRequest((0..<self.count).map { self.bytes($0) }) }
}

/// A command's name in a form that is compared in two steps: up to 16 bytes in upper case.
struct CommandName: Equatable, Sendable {
    private var high: UInt64 = 0
    private var low: UInt64 = 0

    /// The name in these bytes; `nil` if they are no name of a command.
    init?(_ bytes: Span<UInt8>) {
        guard bytes.count <= 16, bytes.count > 0 else { return nil }
        for index in bytes.indices {
            self.high = self.high << 8 | self.low >> 56
            self.low = self.low << 8 | UInt64(Self.upper(bytes[index]))
        }
    }

    /// The upper case of an ASCII letter.
    @inline(__always)
    static func upper(_ byte: UInt8) -> UInt8 { byte >= 0x61 && byte <= 0x7A ? byte & 0xDF : byte }
}
