import ComponentKit
import Logging
public import StageKit

// Lookups, in the collected changes and then in the file.
extension SQLiteStore {
    /// The snapshot under a key, as of the last change, or `nil` if there is none.
    public func snapshot(for key: Span<UInt8>) -> Snapshot? {
        let key = [UInt8](copying: key)
        return self.state(of: key)?.snapshot(key)
    }

    /// The entry that evicted a key, as long as the eviction is remembered.
    public func evictingEntry(for key: Span<UInt8>) -> EntryID? {
        let state = self.state(of: [UInt8](copying: key))
        return state.flatMap { $0.isLive ? nil : $0.entry }
    }

    /// Calls `body` with every snapshot: first those of the batch in flight, then those of the file, page by page.
    public func forEachSnapshot(_ body: (Snapshot) throws -> Void) rethrows {
        try self.forEachState(ofEvictions: false) { key, state in
            if let snapshot = state.snapshot(key) { try body(snapshot) }
        }
    }

    /// Calls `body` with every key whose eviction is remembered, in the same order.
    public func forEachEvictedKey(_ body: (_ key: [UInt8], _ entry: EntryID) throws -> Void) rethrows {
        try self.forEachState(ofEvictions: true) { key, state in
            if !state.isLive { try body(key, state.entry) }
        }
    }

    private func forEachState(
        ofEvictions: Bool, _ body: (_ key: [UInt8], _ state: KeyState) throws -> Void
    ) rethrows {
        let overlay = self.overlay.withLock(\.self)
        for (key, state) in overlay.pending { try body(key, state) }
        if overlay.isEmptied || overlay.failure != nil { return }
        var last: [UInt8]?
        while let page = self.page(after: last, ofEvictions), let end = page.last {
            for (key, state) in page where overlay.pending[key] == nil { try body(key, state) }
            last = end.key
        }
    }

    /// The next snapshots or evictions of the file, or `nil` if they cannot be read.
    private func page(after key: [UInt8]?, _ ofEvictions: Bool) -> [(key: [UInt8], state: KeyState)]? {
        self.read { (file) throws(SQLiteFailure) in try file.page(after: key, ofEvictions: ofEvictions) }
    }

    /// The state of a key as of the last change, or `nil` if nothing is known of it.
    private func state(of key: [UInt8]) -> KeyState? {
        let (state, isComplete) = self.overlay.withLock {
            ($0.pending[key], $0.isEmptied || $0.failure != nil)
        }
        if let state { return state }
        return isComplete ? nil : self.read { (file) throws(SQLiteFailure) in try file.state(of: key) } ?? nil
    }

    /// Reads from the file. After an error the store answers nothing any more, and the next batch ends the run.
    private func read<R: Sendable>(_ body: @Sendable (StoreFile) throws(SQLiteFailure) -> R) -> R? {
        do throws(SQLiteFailure) {
            return try self.reader.withLock { (file) throws(SQLiteFailure) -> R? in
                if let file { try body(file) } else { nil }
            }
        } catch {
            self.fail(error)
            return nil
        }
    }

    /// Refuses lookups from now on; the next batch ends the run.
    func fail(_ failure: SQLiteFailure) {
        // Fail closed: a missing snapshot must not pass for one that does not exist.
        self.freshness?.setFilling(true)
        let isNew = self.overlay.withLock { overlay in
            defer { overlay.failure = overlay.failure ?? failure }
            return overlay.failure == nil
        }
        guard isNew else { return }
        self.logger.error(
            "cannot read the file of a store: lookups are refused, and the next batch ends the run",
            metadata: ["store": "\(self.name)", "path": "\(self.settings.path)", "error": "\(failure)"])
    }
}
