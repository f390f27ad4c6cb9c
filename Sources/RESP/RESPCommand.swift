import CHiredis

/// A value that a command can contain: text, numbers and bytes, each sent as a byte string.
public protocol RESPArgument: Sendable {
    /// The bytes as sent to the server.
    var respBytes: [UInt8] { get }
}

extension String: RESPArgument {
    /// The text as UTF-8.
    public var respBytes: [UInt8] { Array(self.utf8) }
}

extension Int: RESPArgument {
    /// The number in decimal.
    public var respBytes: [UInt8] { Array(String(self).utf8) }
}

extension Int64: RESPArgument {
    /// The number in decimal.
    public var respBytes: [UInt8] { Array(String(self).utf8) }
}

extension [UInt8]: RESPArgument {
    /// The bytes themselves.
    public var respBytes: [UInt8] { self }
}

/// A command for a server: its name and its arguments, all of them byte strings.
///
/// Arguments can be passwords or session keys, so no description of a command contains them. All of it together must be
/// shorter than `maximumBytes` when it is sent.
public struct RESPCommand: Sendable, Equatable {
    /// The maximum size of an encoded command: hiredis 0.14 sums the length in an `int`.
    public static let maximumBytes = 1 << 30

    /// The name, then the arguments; never empty, because Redis does not reply to an empty command.
    public let arguments: [[UInt8]]

    /// The command's name, for messages.
    public var name: String { self.arguments.first.map { String(decoding: $0, as: UTF8.self) } ?? "" }

    /// Creates a command of text, numbers and bytes: `RESPCommand("XREAD", "COUNT", 128, "STREAMS", key, id)`.
    public init(_ name: String, _ arguments: any RESPArgument...) {
        self.init(name, arguments: arguments.map(\.respBytes))
    }

    /// Creates a command from arguments that are already bytes.
    public init(_ name: String, arguments: [[UInt8]]) {
        self.arguments = [name.respBytes] + arguments
    }

    /// The command as RESP.
    package func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        self.encode(into: &bytes)
        return bytes
    }

    /// Appends the command as RESP; the result must be shorter than `maximumBytes`.
    package func encode(into bytes: inout [UInt8]) {
        let lengths = self.arguments.map(\.count)
        // One block of memory for all arguments; the last byte ensures that it is never empty and has an address.
        // `joined()` would copy byte by byte.
        var joined: [UInt8] = []
        joined.reserveCapacity(lengths.reduce(1, +))
        for argument in self.arguments { joined += argument }
        joined.append(0)
        // A bulk header and its two line ends have at most 25 bytes.
        precondition(joined.count + 25 * (lengths.count + 1) < Self.maximumBytes, "command too long to encode")
        unsafe joined.withUnsafeBytes { memory in
            guard let base = unsafe memory.baseAddress?.assumingMemoryBound(to: CChar.self) else { return }
            var offset = 0
            var pointers = unsafe [UnsafePointer<CChar>?]()
            for length in lengths {
                unsafe pointers.append(base + offset)
                offset += length
            }
            var target: UnsafeMutablePointer<CChar>?
            let count = unsafe Int(redisFormatCommandArgv(&target, Int32(lengths.count), &pointers, lengths))
            defer { unsafe redisFreeCommand(target) }
            // hiredis returns -1 only if malloc failed; Swift's own allocations end the process in that case too.
            precondition(count >= 0, "no memory for a command")
            unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(start: target, count: count))
        }
    }
}

extension RESPCommand: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The name and the number of arguments, without the arguments themselves.
    public var description: String {
        let count = self.arguments.count - 1
        return "\(self.name) (\(count) argument\(count == 1 ? "" : "s"))"
    }

    /// The same as `description`.
    public var debugDescription: String { self.description }

    /// No children, so that `dump` prints only the description.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
