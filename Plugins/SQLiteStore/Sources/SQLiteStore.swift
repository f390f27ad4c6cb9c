public import ComponentKit
import LocalFiles
import Logging
public import StageKit

/// A store that keeps its snapshots in a SQLite database file, which outlives the worker.
///
/// The changes of a batch are collected in memory, where lookups see them immediately, and written in one transaction
/// when the batch ends. If that fails, nothing of the batch is in the file, and the source reads the batch again. One
/// worker changes the file; a lock keeps others out.
///
/// There are three locks, acquired in this order: `changes` by writers, also while a batch is written; `overlay` for the
/// collected changes, never during input or output; `reader` for lookups in the file, which therefore do not wait for a
/// batch.
public final class SQLiteStore: SweepingStore, StreamFedStore, ConditionalStore, PublishedSnapshotStore {
    /// The store's name in the file.
    public let name: String
    /// The field whose value is a snapshot's key.
    public let keyField: String
    /// The store's freshness, which the source that feeds the store updates.
    public let freshness: Freshness? = Freshness()
    /// The conditions that the settings declare.
    public let conditions: [NamedSetting<ConditionSettings>]

    /// The state that only writers use.
    struct ChangeState {
        /// The file, or `nil` if the store is not open.
        var file: StoreFile?
        /// The claim on the file.
        var lock: FileLock?
        /// The numbers of the file together with the collected changes.
        var totals = StoreFile.Totals()
        /// The names of the streams that feed the store, or an empty array if there is only one.
        var streams: [String] = []
        /// For each stream, the newest entry that may have been missed.
        var historyStarts: [Int: EntryID] = [:]
    }

    /// The part of the content that is not in the file yet.
    struct Overlay {
        /// The new state of each changed key.
        var pending: [[UInt8]: KeyState] = [:]
        /// Whether the content of the file is to be removed.
        var isEmptied = false
        /// The number of snapshots.
        var count = 0
        /// The names of the fields that writers keep.
        var kept: Set<String> = []
        /// The failure after which the file is not used any more, or `nil`.
        var failure: SQLiteFailure?
    }

    let settings: SQLiteStoreSettings
    private let evictionLimit: Int
    private let progress: ProgressReporter
    let logger: Logger
    let changes = OrderedMutex(ChangeState())
    let overlay = OrderedMutex(Overlay())
    let reader = OrderedMutex<StoreFile?>(nil)

    /// Creates a store without opening its file.
    init(
        name: String, _ settings: SQLiteStoreSettings, evictionLimit: Int = StoreFile.evictionLimit,
        progress: ProgressReporter = ProgressReporter(), logger: Logger
    ) {
        self.name = name
        self.keyField = settings.key
        self.conditions = settings.conditions
        self.settings = settings
        self.evictionLimit = evictionLimit
        self.progress = progress
        self.logger = logger
    }

    /// The store type `sqlite` of the pipeline file.
    public static let type = StoreType(
        name: "sqlite", summary: "Keeps snapshots in a SQLite file, which outlives the worker.",
        settings: SQLiteStoreSettings.type, bounds: ["max_entries", "max_record_bytes", "busy_timeout", "conditions"]
    ) { settings, setup in
        SQLiteStore(name: setup.name, settings, progress: setup.progress, logger: setup.logger)
    }

    /// `.own`: the snapshots are in the file.
    public var retention: StoreRetention { .own }

    /// The number of snapshots; 0 before the store is opened.
    public var count: Int { self.overlay.withLock(\.count) }

    /// The names of the fields that writers keep, sorted.
    public var keptFields: [String] { self.overlay.withLock { $0.kept.sorted() } }

    /// Forgets the names of kept fields: the stages of another graph may keep others.
    public func prepareForGraph() {
        self.overlay.withLock { $0.kept.removeAll() }
    }

    /// Creates a writer for events with the key and the fields in these columns.
    public func makeWriter(key: FieldID, fields: [(name: String, field: FieldID)]) -> any SnapshotWriter {
        self.overlay.withLock { $0.kept.formUnion(fields.map(\.name)) }
        return SQLiteStoreWriter(self, key: key, fields: fields)
    }

    /// Sets the streams that feed the store; see `StreamFedStore`.
    public func setStreams(_ names: [String]) {
        self.changes.withLock { $0.streams = names.count > 1 ? names : [] }
    }

    /// Sets the newest entry of a stream that the store may have missed; see `StreamFedStore`.
    public func setHistoryStart(_ entry: EntryID, of stream: Int) {
        self.changes.withLock { $0.historyStarts[stream] = entry }
    }

    // MARK: The file

    /// Claims and opens the file; creates it if it does not exist.
    public func open() throws {
        do {
            try self.changes.withLock { state in
                state.lock = try FileLock(claiming: self.settings.path)
                let file = try StoreFile(
                    path: self.settings.path, keyField: self.keyField, busyTimeout: self.settings.busyTimeout,
                    evictionLimit: self.evictionLimit)
                state.totals = try file.totals()
                state.file = file
                try self.reader.withLock {
                    $0 = try StoreFile(reading: self.settings.path, busyTimeout: self.settings.busyTimeout)
                }
                let count = state.totals.live
                self.overlay.withLock { $0.count = count }
            }
        } catch FileLock.Failure.held(let held) {
            let other = held.pid.map { "process \($0)" } ?? "another process"
            throw self.failure("\(other) uses it (lock on \(held.file)): give each store its own path")
        } catch FileLock.Failure.system(let failure) {
            throw self.failure("\(failure)")
        } catch {
            self.changes.withLock { $0.lock = nil }
            throw self.failure("\(error)")
        }
    }

    /// Returns the reason why the file cannot be used.
    func failure(_ reason: String) -> StoreFileRefusal {
        StoreFileRefusal("store \"\(self.name)\": \(self.settings.path): \(reason)")
    }

    /// Checks whether the file is, or can become, the file of this store; changes nothing.
    public func check() async -> [CheckStep] {
        let (name, path) = ("store \(self.name)", self.settings.path)
        if let holder = FileLock.holder(of: path) {
            let process = holder.pid.map { "process \($0)" } ?? "another process"
            return [CheckStep(name, .good, "sqlite: \(path) is in use by \(process)")]
        }
        do {
            guard try StoreFile.isTrusted(path) else {
                return [CheckStep(name, .good, "sqlite: \(path) is created at the first start")]
            }
            _ = try StoreFile.check(path, keyField: self.keyField, busyTimeout: self.settings.busyTimeout)
            return [CheckStep(name, .good, "sqlite: \(path) is a file of this store")]
        } catch {
            return [CheckStep(name, .bad, "sqlite: \(path): \(error)")]
        }
    }

    /// Closes the file. Changes of a batch that has not ended are discarded: its entries are read again.
    public func shutDown() async {
        // The writer's connection is closed last: it empties the log into the file.
        self.reader.withLock { $0 = nil }
        self.changes.withLock { state in
            state.file = nil
            state.lock = nil
        }
    }

    /// Writes the collected changes in one transaction.
    ///
    /// - Throws: An error if the file cannot be written within `busy_timeout`; the changes are kept for another attempt.
    func flush() async throws {
        try await self.progress.waiting(atMost: self.settings.busyTimeout) { try self.write() }
    }

    private func write() throws {
        try self.changes.withLock { state in
            // Only writers change these, and they hold `changes`.
            let (pending, isEmptied, failure) = self.overlay.withLock { ($0.pending, $0.isEmptied, $0.failure) }
            if let failure { throw self.failure("\(failure)") }
            if pending.isEmpty, !isEmptied { return }
            guard let file = state.file else { throw self.failure("it is not open") }
            do throws(SQLiteFailure) {
                state.totals = try file.write(pending, state.totals, isEmptied: isEmptied)
            } catch {
                throw self.failure("cannot write \(pending.count) changes: \(error)")
            }
            self.overlay.withLock { overlay in
                overlay.pending = [:]
                overlay.isEmptied = false
            }
        }
    }

    /// Removes everything; lookups find nothing from here on. `finishRemoval` removes it from the file.
    public func removeAll() {
        self.changes.withLock { state in
            state.totals = StoreFile.Totals()
            self.overlay.withLock { overlay in
                overlay.pending = [:]
                overlay.isEmptied = true
                overlay.count = 0
            }
        }
    }

    /// Removes everything from the file if `removeAll` was called.
    public func finishRemoval() async throws {
        guard self.overlay.withLock(\.isEmptied) else { return }
        try await self.flush()
    }

    /// Removes every snapshot that came from an entry before this one. If that fails, everything is removed.
    public func removeSnapshots(before entry: EntryID) {
        do {
            try self.write()
            try self.changes.withLock { state in
                guard let file = state.file else { return }
                state.totals = try file.removeSnapshots(before: entry, state.totals)
                let count = state.totals.live
                self.overlay.withLock { $0.count = count }
            }
        } catch {
            self.logger.error(
                "cannot remove outdated snapshots: the store is emptied",
                metadata: ["store": "\(self.name)", "error": "\(error)"])
            self.removeAll()
        }
    }
}
