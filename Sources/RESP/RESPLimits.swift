/// How much of a server's reply is accepted before it is taken for a fault or an attack.
///
/// Each bound is enforced as early as the bytes allow: an announced length is refused at its header.
/// A value above a hard bound is lowered to that bound, a negative one is raised to 0.
package struct RESPLimits: Sendable, Equatable {
    /// The limits by name, as errors report them.
    package enum Name: String, Sendable {
        case bulkBytes, lineBytes, arrayElements, replyTokens, replyBytes, nesting, pendingBytes
    }

    /// Hard bound of the byte limits: offsets are 32 bits wide, and hiredis 0.14 scans its buffer with an `int`.
    package static let maximumBytes = 1 << 30
    /// Hard bound of the count limits: lengths are 32 bits wide, and hiredis 0.14 counts elements with an `int`.
    package static let maximumCount = Int(Int32.max)
    /// Hard bound of the nesting: hiredis 0.14 has room for eight arrays one in the other and a value in the last.
    package static let maximumNesting = 8

    /// The longest byte string (64 MiB: far above any session entry, far below Redis's own 512 MiB).
    package let bulkBytes: Int
    /// The longest simple string, error or header line (64 KiB: servers send some hundred bytes).
    package let lineBytes: Int
    /// The most elements of one aggregate (2^20: room for ten times an `XREAD COUNT 100000`).
    package let arrayElements: Int
    /// The most values in one reply (2^23: an XREAD of half a million entries with five fields; 96 MiB of tokens).
    package let replyTokens: Int
    /// The most bytes that the values of one reply may have together (256 MiB).
    package let replyBytes: Int
    /// The most aggregates one in the other (XREADGROUP needs 5).
    package let nesting: Int
    /// The most bytes fed and not yet taken up by a reply (128 MiB: the longest byte string and room for input behind).
    package let pendingBytes: Int

    /// Sets the limits; what is left out has its default.
    package init(
        bulkBytes: Int = 64 << 20,
        lineBytes: Int = 64 << 10,
        arrayElements: Int = 1 << 20,
        replyTokens: Int = 1 << 23,
        replyBytes: Int = 256 << 20,
        nesting: Int = RESPLimits.maximumNesting,
        pendingBytes: Int = 128 << 20
    ) {
        func bounded(_ value: Int, _ bound: Int) -> Int { min(max(value, 0), bound) }
        self.bulkBytes = bounded(bulkBytes, Self.maximumBytes)
        self.lineBytes = bounded(lineBytes, Self.maximumBytes)
        self.arrayElements = bounded(arrayElements, Self.maximumCount)
        self.replyTokens = bounded(replyTokens, Self.maximumCount)
        self.replyBytes = bounded(replyBytes, Self.maximumBytes)
        self.nesting = bounded(nesting, Self.maximumNesting)
        self.pendingBytes = bounded(pendingBytes, Self.maximumBytes)
    }

    /// The value of a limit.
    package subscript(_ name: Name) -> Int {
        switch name {
        case .bulkBytes: self.bulkBytes
        case .lineBytes: self.lineBytes
        case .arrayElements: self.arrayElements
        case .replyTokens: self.replyTokens
        case .replyBytes: self.replyBytes
        case .nesting: self.nesting
        case .pendingBytes: self.pendingBytes
        }
    }
}
