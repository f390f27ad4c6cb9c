/// The limits of a server's reply; a larger one is considered a fault or an attack.
///
/// Each limit is enforced as early as possible: an announced length is refused when its header is read. A value above a
/// hard bound is lowered to that bound, a negative one is raised to 0.
package struct RESPLimits: Sendable, Equatable {
    /// The names of the limits, as reported by errors.
    package enum Name: String, Sendable {
        case bulkBytes, lineBytes, arrayElements, replyTokens, replyBytes, nesting, pendingBytes
    }

    /// The hard bound of the byte limits: offsets are 32 bits wide, and hiredis 0.14 scans its buffer with an `int`.
    package static let maximumBytes = 1 << 30
    /// The hard bound of the count limits: lengths are 32 bits wide, and hiredis 0.14 counts elements with an `int`.
    package static let maximumCount = Int(Int32.max)
    /// The hard bound of the nesting: hiredis 0.14 supports eight nested arrays and a value in the innermost.
    package static let maximumNesting = 8

    /// Maximum length of a byte string (64 MiB: far above any session entry, far below Redis's own 512 MiB).
    package let bulkBytes: Int
    /// Maximum length of a simple string, error or header line (64 KiB: servers send a few hundred bytes).
    package let lineBytes: Int
    /// Maximum number of elements of one aggregate (2^20: ten times an `XREAD COUNT 100000`).
    package let arrayElements: Int
    /// Maximum number of values in one reply (2^23: an XREAD of half a million entries with five fields; 96 MiB of
    /// tokens).
    package let replyTokens: Int
    /// Maximum number of bytes of all values of one reply together (256 MiB).
    package let replyBytes: Int
    /// Maximum nesting of aggregates (XREADGROUP needs 5).
    package let nesting: Int
    /// Maximum number of bytes fed but not yet consumed by a reply (128 MiB: the longest byte string and more input
    /// after it).
    package let pendingBytes: Int

    /// Creates limits; omitted ones have their defaults.
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
