/// The information that a shared library's file contains, read without loading it.
///
/// ELF as in the System V ABI, chapters 4 and 5: <https://gabi.xinuos.com>. Reads only the file's header, the table of
/// program headers and its notes; every offset and length in the file is checked against the available bytes.
public struct PluginImage: Sendable, Equatable {
    /// A machine architecture with its ELF number.
    public enum Machine: UInt16, Sendable {
        /// Intel and AMD, 64 bits.
        case x86_64 = 62
        /// ARM, 64 bits.
        case aarch64 = 183

        /// The architecture that this program was compiled for, or `nil` if it is not listed here.
        public static var current: Machine? {
            #if arch(x86_64)
                .x86_64
            #elseif arch(arm64)
                .aarch64
            #else
                nil
            #endif
        }
    }

    /// The reason why the bytes are not a plugin.
    public enum Problem: Error, Sendable, Equatable {
        /// The beginning is not that of an ELF file.
        case notELF
        /// It is an ELF file of another word size or byte order.
        case otherLayout
        /// It is for another machine, given by its ELF number.
        case otherMachine(UInt16)
        /// It is an ELF file, but not a shared library.
        case notShared
        /// The header does not match the bytes.
        case damaged
        /// It has no readable stamp.
        case noStamp
    }

    /// The maximum number of program headers to examine: a shared library has about ten.
    static let headerLimit = 128
    /// The maximum number of notes to examine in one segment: a shared library has about three.
    static let noteLimit = 64

    /// The stamp that `sluice plugin build` wrote.
    public let stamp: PluginStamp

    /// Reads a file's bytes.
    public init(_ bytes: [UInt8], machine: Machine? = .current) throws(Problem) {
        guard bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46]) else { throw .notELF }
        let file = ELFBytes(bytes)
        // Bytes 4 and 5: 64 bits (2) and little-endian (1), as all machines here have them.
        guard file.number(at: 4, as: UInt8.self) == 2, file.number(at: 5, as: UInt8.self) == 1 else {
            throw .otherLayout
        }
        guard let type = file.number(at: 16, as: UInt16.self), let code = file.number(at: 18, as: UInt16.self),
            let table = file.number(at: 32, as: UInt64.self), let size = file.number(at: 54, as: UInt16.self),
            let count = file.number(at: 56, as: UInt16.self)
        else { throw .damaged }
        if let machine, code != machine.rawValue { throw .otherMachine(code) }
        // ET_DYN.
        guard type == 3 else { throw .notShared }
        guard size >= 56, count <= Self.headerLimit else { throw .damaged }
        for index in 0..<UInt64(count) {
            let header = table.addingReportingOverflow(index * UInt64(size))
            guard !header.overflow, let kind = file.number(at: header.partialValue, as: UInt32.self),
                let offset = file.number(at: header.partialValue, plus: 8, as: UInt64.self),
                let length = file.number(at: header.partialValue, plus: 32, as: UInt64.self)
            else { throw .damaged }
            // PT_NOTE.
            guard kind == 4 else { continue }
            guard let segment = file.slice(from: offset, count: length) else { throw .damaged }
            if let stamp = Self.stamp(in: segment) {
                self.stamp = stamp
                return
            }
        }
        throw .noStamp
    }

    /// Returns the stamp in a segment's notes, or `nil` if there is no readable one.
    private static func stamp(in segment: ELFBytes) -> PluginStamp? {
        var position: UInt64 = 0
        for _ in 0..<Self.noteLimit {
            guard let nameSize = segment.number(at: position, as: UInt32.self),
                let textSize = segment.number(at: position, plus: 4, as: UInt32.self),
                let type = segment.number(at: position, plus: 8, as: UInt32.self)
            else { return nil }
            // Names and texts are padded to multiples of four bytes. 32-bit sizes cannot overflow 64 bits here.
            let name = position + 12
            let text = name + (UInt64(nameSize) + 3) / 4 * 4
            if type == PluginStamp.noteType,
                let owner = segment.slice(from: name, count: UInt64(nameSize)),
                owner.bytes.elementsEqual(Array(PluginStamp.noteOwner.utf8) + [0]),
                let stamp = segment.slice(from: text, count: UInt64(textSize))
            {
                return PluginStamp(text: stamp.bytes)
            }
            position = text + (UInt64(textSize) + 3) / 4 * 4
        }
        return nil
    }
}

/// Bytes with bounds-checked access.
struct ELFBytes {
    /// The bytes.
    let bytes: ArraySlice<UInt8>

    /// Creates a view of all bytes of a file.
    init(_ bytes: [UInt8]) {
        self.bytes = bytes[...]
    }

    private init(slice: ArraySlice<UInt8>) {
        self.bytes = slice
    }

    /// The little-endian number at an offset, or `nil` if the bytes end before it.
    func number<N: FixedWidthInteger & UnsignedInteger>(at offset: UInt64, plus: UInt64 = 0, as type: N.Type) -> N? {
        let start = offset.addingReportingOverflow(plus)
        guard !start.overflow, let found = self.slice(from: start.partialValue, count: UInt64(N.bitWidth / 8)) else {
            return nil
        }
        return found.bytes.reversed().reduce(N.zero) { $0 << 8 | N($1) }
    }

    /// A part of the bytes, or `nil` if they end before it.
    func slice(from offset: UInt64, count: UInt64) -> ELFBytes? {
        let end = offset.addingReportingOverflow(count)
        guard !end.overflow, end.partialValue <= UInt64(self.bytes.count) else { return nil }
        let start = self.bytes.startIndex
        return ELFBytes(slice: self.bytes[start + Int(offset)..<start + Int(end.partialValue)])
    }
}
