import ComponentKit
import Logging
import RedisClient
import Synchronization

// Emptying the store.
extension RedisStore {
    /// The state of emptying the store. Only one removal runs at a time, because a second one would delete snapshots
    /// that were written after the first.
    struct Removal {
        var isWanted = false
        var isRunning = false
        /// Whether a heartbeat is in flight, which must not arrive after the removal.
        var isBeating = false
        var waiting: [OneShot<Void>] = []
    }

    /// The next step of a caller that needs the store to be empty.
    private enum RemovalTurn {
        case nothing
        case wait(OneShot<Void>)
        case remove
    }

    /// Requests that all snapshots are removed before the next change; see `finishRemoval`.
    public func removeAll() {
        self.removal.withLock { $0.isWanted = true }
    }

    /// Removes all keys of the store if `removeAll` has requested it: the hashes under its prefix that carry the
    /// store's mark.
    public func finishRemoval() async throws {
        while true {
            let turn = self.removal.withLock { removal -> RemovalTurn in
                if removal.isRunning || (removal.isWanted && removal.isBeating) {
                    let shot = OneShot<Void>()
                    removal.waiting.append(shot)
                    return .wait(shot)
                }
                guard removal.isWanted else { return .nothing }
                (removal.isWanted, removal.isRunning) = (false, true)
                return .remove
            }
            switch turn {
            case .nothing: return
            case .wait(let shot): await shot.value()
            case .remove: try await self.removeKeys()
            }
        }
    }

    /// Removes all keys of the store. If this fails, the removal stays requested.
    private func removeKeys() async throws {
        var isDone = false
        defer {
            let waiting = self.removal.withLock { removal in
                removal.isRunning = false
                if !isDone { removal.isWanted = true }
                defer { removal.waiting = [] }
                return removal.waiting
            }
            for shot in waiting { shot.set(()) }
        }
        let pattern = Self.pattern(self.prefix)
        // Remove the heartbeat first, so that no consumer relies on a store that is empty or being filled.
        try await self.removeHeartbeat(self.sender)
        try await self.sender.withPrimaries { (connections) throws(RedisError) in
            var logger = self.logger
            logger[metadataKey: "store"] = "\(self.name)"
            var sweep = StoreSweep(progress: self.progress, logger: logger)
            for connection in connections { try await sweep.empty(connection, pattern) }
            self.logger.notice("emptied the store", metadata: ["store": "\(self.name)", "keys": "\(sweep.removed)"])
            if sweep.kept > 0 {
                self.logger.warning(
                    "kept hashes with the store's prefix that do not belong to the store",
                    metadata: ["store": "\(self.name)", "keys": "\(sweep.kept)"])
            }
        }
        self.heartbeat.withLock { $0 = (Heartbeat(), nil) }
        isDone = true
    }

    /// Returns the SCAN pattern of all keys with a prefix.
    static func pattern(_ prefix: [UInt8]) -> [UInt8] {
        prefix.flatMap { "*?[]^-\\".utf8.contains($0) ? [UInt8(ascii: "\\"), $0] : [$0] } + [UInt8(ascii: "*")]
    }
}
