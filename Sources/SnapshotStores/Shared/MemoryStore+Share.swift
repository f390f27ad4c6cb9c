import LocalFiles
import Logging
public import StageKit
import Synchronization

// The shared form of a store: its memory is moved into a file, which other processes map.
extension MemoryStore {
    /// Puts the store into its shared file, if it is to be shared; see `SharedLayout`.
    ///
    /// The source must not feed the store yet. Lookups may continue.
    ///
    /// - Throws: `SystemFailure` if the file cannot be created, or its space cannot be allocated.
    public func open() throws {
        guard let share = self.share, share.isWanted else { return }
        var names = share.settings.fields.enumerated().map {
            SharedLayout.Name(kind: .field, number: UInt8($0.offset), text: $0.element)
        }
        for name in self.conditions.map(\.name) {
            guard let mark = self.condition(named: name)?.mark, mark != 0 else {
                throw SystemFailure(
                    "share the store \"\(self.name)\"", reason: "too many conditions: \"\(name)\" has no mark")
            }
            names.append(SharedLayout.Name(kind: .condition, number: mark, text: name))
        }
        do throws(SystemFailure) {
            try self.changes.withLock { (_) throws(SystemFailure) in try self.move(to: share, names) }
        } catch {
            throw SystemFailure("share the store \"\(self.name)\": \(error.call)", reason: error.reason)
        }
    }

    /// Whether the settings ask for a shared file.
    package var isShareable: Bool { self.share != nil }

    /// Keeps the store private whatever its settings: its shared file may be that of a worker.
    package func keepPrivate() {
        self.share?.keepPrivate()
    }

    private func move(to share: StoreShare, _ names: [SharedLayout.Name]) throws(SystemFailure) {
        let page = SystemPage.size
        let sizes = self.shards.sharedSizes
        let heads = share.headerSize
        let tables = heads + sizes.heads
        let records = (tables + sizes.tables + page - 1) / page * page
        var words: [Int: UInt64] = [
            Word.shards: UInt64(self.shards.count),
            Word.headStride: UInt64(ShardArray.headWords * SharedWords.stride),
            Word.maxRecordBytes: UInt64(self.maxRecordBytes), Word.headsOffset: UInt64(heads),
            Word.lineCountsOffset: UInt64(heads + self.shards.lineCountsOffset), Word.tablesOffset: UInt64(tables),
            Word.tableSize: UInt64(self.shards.tableSize), Word.recordsOffset: UInt64(records),
            Word.recordsSize: UInt64(self.records.limit), Word.version: SharedLayout.version,
        ]
        if let expiry = self.expiry {
            words[Word.version] = SharedLayout.expiryVersion
            words[Word.timeToLive] = UInt64(expiry.rule.timeToLive ?? 0)
            words[Word.expiryField] = expiry.fieldNumber.map { UInt64($0) + 1 } ?? 0
            share.setTimeOfDay(expiry.clock.now)
        }
        for (index, word) in self.hasher.words.enumerated() { words[Word.secrets + index] = word }
        guard let names = SharedLayout.pack(names) else {
            throw SystemFailure("write the names", reason: "they take more than \(SharedLayout.namesSize) bytes")
        }
        try share.open(size: records + self.records.limit, words: words, names: names) {
            (descriptor) throws(SystemFailure) in
            try self.shards.share(in: descriptor, headsAt: heads, tablesAt: tables)
            try self.records.share(in: descriptor, at: records)
        }
    }

    private typealias Word = SharedLayout.Word

    /// The interval of the heartbeat, or `nil` if the store is not shared.
    public var beatInterval: Duration? { self.share == nil ? nil : StoreShare.beatInterval }

    /// Shows the readers of the shared file that this worker runs.
    public func beat(cursor: EntryID?) async {
        guard let share = self.share else { return }
        if let expiry = self.expiry {
            expiry.clock.tick()
            // Before the heartbeat, which says that it is right.
            share.setTimeOfDay(expiry.clock.now)
        }
        let message: Logger.Message
        switch share.beat(cursor: cursor, entries: self.count) {
        case nil: return
        case .replaced:
            message =
                "another worker has replaced the shared file of a store: its readers do not see this worker any more"
        case .removed:
            message =
                "the shared file of a store was removed: programs that open it from now on cannot: restart the worker"
        }
        share.logger?.error(message, metadata: ["store": "\(self.name)", "path": "\(share.settings.path)"])
    }

    /// Marks the shared file as closed and removes it.
    public func shutDown() async {
        self.share?.close()
    }
}
