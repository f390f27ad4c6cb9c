/// The layout of a shared store's file, versions 1 and 2: see `SharedMemory.md`.
///
/// ```
/// 0                 header: one page, the words below and the names
/// headsOffset       heads of the shards and their line counts (ShardArray)
/// tablesOffset      tables (SlotTable)
/// recordsOffset     records (RecordMemory, PackedRecord)
/// ```
enum SharedLayout {
    /// The first word: `SLUICESM` as bytes.
    static let magic: UInt64 = 0x4D53_4543_4955_4C53
    /// The version of the layout. It changes if a reader of the previous version could misread a file.
    static let version: UInt64 = 1
    /// The version of a file whose snapshots expire: a reader of version 1 would find them after that.
    static let expiryVersion: UInt64 = 2
    /// A word that shows the byte order.
    static let byteOrder: UInt64 = 0x0102_0304_0506_0708
    /// The size of the header in bytes.
    static let headerSize = 4096
    /// The offset of the names in the header.
    static let namesOffset = 512
    /// The capacity for names in bytes, with one byte for the end.
    static let namesSize = headerSize - namesOffset
    /// The greatest length of a name in bytes: readers cannot ask for a longer one (`SLUICE_MAX_NAME`).
    static let nameLimit = 255
    /// The proof before there is one.
    static let never = UInt64(bitPattern: .min)
    /// The limit if there is none.
    static let unlimited = UInt64(bitPattern: .max)

    /// The numbers of the header's words.
    enum Word {
        /// The magic number.
        static let magic = 0
        /// The version of the layout.
        static let version = 1
        /// The byte order.
        static let byteOrder = 2
        /// The size of the header.
        static let headerSize = 3
        /// The size of the file.
        static let fileSize = 4
        /// The worker's process id.
        static let process = 5
        /// The start time of the worker's process.
        static let processStart = 6
        /// The time at which the file was created.
        static let created = 7
        // One cache line: everything that changes and that a lookup needs.

        /// A random number of the file; 0 once it is closed.
        static let epoch = 8
        /// 1 while the store is being filled.
        static let filling = 9
        /// The last time at which the store was known to hold everything.
        static let proof = 10
        /// The maximum age of the proof.
        static let limit = 11
        /// The time of the last heartbeat.
        static let beat = 12
        /// The maximum age of a heartbeat.
        static let beatLimit = 13
        /// The committed bytes of the records.
        static let committed = 14
        /// The four secrets of the hash and its mask.
        static let secrets = 16
        /// The number of shards.
        static let shards = 21
        /// The distance between the heads of two shards.
        static let headStride = 22
        /// The maximum size of a record.
        static let maxRecordBytes = 23
        /// The offset of the heads.
        static let headsOffset = 24
        /// The offset of the line counts.
        static let lineCountsOffset = 25
        /// The offset of the tables.
        static let tablesOffset = 26
        /// The size of a table.
        static let tableSize = 27
        /// The offset of the records.
        static let recordsOffset = 28
        /// The size of the records.
        static let recordsSize = 29
        /// The offset of the names.
        static let namesOffset = 30
        /// The size of the names.
        static let namesSize = 31
        /// The version of the cursor, odd while it is written.
        static let cursorVersion = 32
        /// The milliseconds of the cursor.
        static let cursorMilliseconds = 33
        /// The sequence of the cursor.
        static let cursorSequence = 34
        /// The number of snapshots at the last heartbeat.
        static let entries = 35
        /// The time to live in milliseconds, 0 for no limit.
        static let timeToLive = 36
        /// The number of the field with the time of expiry plus 1, 0 for none.
        static let expiryField = 37
        /// The nanoseconds from the start of the machine's clock to 1970, as of the last heartbeat: added to a time of
        /// the machine's clock, they give the time of day.
        static let timeOfDay = 38
    }

    /// The kinds of names in the header.
    enum NameKind: UInt8 {
        /// A field and its number.
        case field = 1
        /// A condition and its mark.
        case condition = 2
    }

    /// A name in the header.
    struct Name {
        /// The kind.
        let kind: NameKind
        /// The field's number or the condition's mark.
        let number: UInt8
        /// The name.
        let text: String
    }

    /// Whether the header has room for names, and readers can ask for them: the bytes of names with these texts, or `nil`.
    static func pack(_ texts: [String]) -> [UInt8]? {
        self.pack(texts.map { Name(kind: .field, number: 0, text: $0) })
    }

    /// The bytes of names: kind, number, length (two bytes, little-endian) and text of each, then a zero; or `nil` if
    /// the header has no room for them or a name is too long.
    static func pack(_ names: [Name]) -> [UInt8]? {
        var bytes: [UInt8] = []
        for name in names {
            let text = Array(name.text.utf8)
            guard text.count <= self.nameLimit else { return nil }
            bytes += [name.kind.rawValue, name.number, UInt8(text.count & 0xFF), UInt8(text.count >> 8)] + text
        }
        bytes.append(0)
        return bytes.count <= self.namesSize ? bytes : nil
    }
}
