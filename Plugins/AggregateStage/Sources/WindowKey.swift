import StageKit

/// The key of a window as bytes: for each part 0 if the event has no value, otherwise 1, the number of bytes (4,
/// little-endian) and the bytes.
enum WindowKey {
    /// The maximum number of bytes of a key: windows keep it in memory.
    static let limit = 1024

    /// Appends a part.
    static func append(_ part: Span<UInt8>?, to key: inout [UInt8]) {
        guard let part else { return key.append(0) }
        key.append(1)
        for shift in [0, 8, 16, 24] { key.append(UInt8(truncatingIfNeeded: part.count >> shift)) }
        for index in part.indices { key.append(part[index]) }
    }

    /// Returns the parts of a key; a key with another form has fewer.
    static func parts(_ key: [UInt8]) -> [[UInt8]?] {
        var parts: [[UInt8]?] = []
        var offset = 0
        while offset < key.count {
            guard key[offset] == 1 else {
                parts.append(nil)
                offset += 1
                continue
            }
            guard offset + 5 <= key.count else { break }
            let count = (0..<4).reduce(0) { $0 | Int(key[offset + 1 + $1]) << (8 * $1) }
            guard offset + 5 + count <= key.count else { break }
            parts.append(Array(key[offset + 5..<offset + 5 + count]))
            offset += 5 + count
        }
        return parts
    }

    /// Returns a number that is the same for the same key of the same stage in every process.
    static func number(_ key: [UInt8], stage: String) -> UInt64 {
        var hash = FNV1a()
        hash.combine(stage)
        hash.endPart()
        hash.combine(key.span)
        return hash.value
    }
}
