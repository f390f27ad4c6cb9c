/// An IPv4 or IPv6 address.
public struct IPAddress: Hashable, Sendable {
    /// The address: 4 or 16 bytes.
    public let bytes: [UInt8]

    /// Parses an address. A zone is not allowed, nor is a mapped IPv4 address in dotted form; a mapped address in
    /// hexadecimal form is the IPv4 address.
    public init?(_ text: String) {
        if text.utf8.contains(0x3A) {
            guard let bytes = Self.sixteen(text) else { return nil }
            let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
            self.bytes = isMapped ? Array(bytes[12...]) : bytes
        } else {
            guard let bytes = Self.four(text) else { return nil }
            self.bytes = bytes
        }
    }

    private static func four(_ text: String) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let bytes = parts.compactMap { part -> UInt8? in
            guard part.utf8.allSatisfy(\.isDigit), part.utf8.count == 1 || part.utf8.first != 0x30 else { return nil }
            return UInt8(part)
        }
        return parts.count == 4 && bytes.count == 4 ? bytes : nil
    }

    private static func sixteen(_ text: String) -> [UInt8]? {
        guard text.utf8.count <= 39 else { return nil }
        var halves: [[UInt8]] = []
        var rest = Substring(text)
        if let gap = text.firstRange(of: "::") {
            halves.append([])
            guard gap.lowerBound == text.startIndex || Self.groups(text[..<gap.lowerBound], &halves[0]) else {
                return nil
            }
            rest = text[gap.upperBound...]
        }
        halves.append([])
        let isLast = halves.count == 2 && rest.isEmpty
        guard isLast || Self.groups(rest, &halves[halves.count - 1]) else { return nil }
        if halves.count == 1 { return halves[0].count == 16 ? halves[0] : nil }
        let missing = 16 - halves[0].count - halves[1].count
        return missing >= 2 ? halves[0] + Array(repeating: 0, count: missing) + halves[1] : nil
    }

    private static func groups(_ text: Substring, _ bytes: inout [UInt8]) -> Bool {
        for group in text.split(separator: ":", omittingEmptySubsequences: false) {
            guard (1...4).contains(group.utf8.count), group.utf8.allSatisfy({ $0.hexValue != nil }),
                let value = UInt16(group, radix: 16)
            else { return false }
            bytes += [UInt8(value >> 8), UInt8(value & 0xFF)]
        }
        return true
    }

    /// 4 or 6.
    public var family: Int { self.bytes.count == 4 ? 4 : 6 }
    /// Whether this is 0.0.0.0 or ::.
    var isUnspecified: Bool { self.bytes.allSatisfy { $0 == 0 } }
    /// Whether this is in 127.0.0.0/8, or is ::1.
    var isLoopback: Bool {
        self.family == 4 ? self.bytes[0] == 127 : self.bytes[15] == 1 && self.bytes[..<15].allSatisfy { $0 == 0 }
    }
    /// Whether this is a multicast address of the local link.
    var isLinkLocalMulticast: Bool {
        self.family == 4
            ? self.bytes[..<3] == [224, 0, 0] : self.bytes[0] == 0xFF && self.bytes[1] & 0x0F == 0x02
    }
    /// Whether this is a unicast address of the local link.
    var isLinkLocalUnicast: Bool {
        self.family == 4
            ? self.bytes[..<2] == [169, 254] : self.bytes[0] == 0xFE && self.bytes[1] & 0xC0 == 0x80
    }
    /// Whether this is a unicast address that is neither loopback, unspecified nor of the local link.
    var isGlobalUnicast: Bool {
        let isMulticast = self.family == 4 ? self.bytes[0] & 0xF0 == 0xE0 : self.bytes[0] == 0xFF
        let isBroadcast = self.family == 4 && self.bytes.allSatisfy { $0 == 0xFF }
        return !isMulticast && !isBroadcast && !self.isUnspecified && !self.isLoopback && !self.isLinkLocalUnicast
    }
}

extension IPAddress: CustomStringConvertible {
    /// Creates an address of bytes.
    init(bytes: [UInt8]) { self.bytes = bytes }

    /// The address in its canonical form (RFC 5952 for IPv6).
    public var description: String {
        if self.family == 4 { return self.bytes.map(String.init).joined(separator: ".") }
        let groups = stride(from: 0, to: 16, by: 2).map { UInt16(self.bytes[$0]) << 8 | UInt16(self.bytes[$0 + 1]) }
        // The longest run of at least two zero groups, the first of equal length.
        var gap = 0..<0
        var start = 0
        while start < 8 {
            var end = start
            while end < 8, groups[end] == 0 { end += 1 }
            if end - start > max(1, gap.count) { gap = start..<end }
            start = max(end, start + 1)
        }
        func text(_ part: ArraySlice<UInt16>) -> String {
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        if gap.isEmpty { return text(groups[...]) }
        return text(groups[..<gap.lowerBound]) + "::" + text(groups[gap.upperBound...])
    }
}

/// An address and the length of its prefix: `10.0.0.0/8`.
public struct AddressRange: Hashable, Sendable, CustomStringConvertible {
    /// The address as it was written, with the bits after the prefix.
    public let address: IPAddress
    /// The length of the prefix in bits.
    public let prefixLength: Int

    /// Creates a range.
    init(address: IPAddress, prefixLength: Int) {
        self.address = address
        self.prefixLength = prefixLength
    }

    /// Parses an address and a prefix length.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPAddress(String(parts[0])), parts[1].utf8.allSatisfy(\.isDigit),
            parts[1].utf8.count == 1 || parts[1].utf8.first != 0x30, let length = Int(parts[1]),
            length <= address.bytes.count * 8
        else { return nil }
        // The prefix of a mapped address would count bits that its IPv4 form does not have.
        if address.family == 4, parts[0].utf8.contains(0x3A) { return nil }
        self.init(address: address, prefixLength: length)
    }

    /// The address and prefix length.
    public var description: String { "\(self.address)/\(self.prefixLength)" }

    /// The range with the bits after the prefix set to 0.
    var masked: AddressRange {
        let bytes = self.address.bytes.enumerated().map { index, byte in
            byte & ~UInt8(truncatingIfNeeded: 0xFF >> min(8, max(0, self.prefixLength - index * 8)))
        }
        return AddressRange(address: IPAddress(bytes: bytes), prefixLength: self.prefixLength)
    }

    /// Whether the range contains an address.
    func contains(_ other: IPAddress) -> Bool {
        other.family == self.address.family
            && AddressRange(address: other, prefixLength: self.prefixLength).masked == self.masked
    }

    /// Whether the range contains every address of another.
    func contains(_ other: AddressRange) -> Bool {
        self.prefixLength <= other.prefixLength && self.contains(other.address)
    }
}
