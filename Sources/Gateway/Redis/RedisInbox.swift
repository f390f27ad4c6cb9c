import ComponentKit
import Synchronization

/// The changed keys and the messages that the stream's threads leave for one thread of the door.
///
/// **No change is missed.** A connection is remembered as a reader of a key before it reads the snapshot, and a change
/// looks for readers after it was made, both under the lock: either the reader finds the new snapshot, or the change
/// finds the reader. Invalidations are written by the thread that writes the replies, after them, so an invalidation
/// never overtakes the old value.
final class RedisInbox: SnapshotObserver {
    /// The changes and messages since the last `take`.
    struct Mail: Sendable {
        /// Whether every client must drop everything; `keys` is empty then.
        var isReset = false
        /// The connections that must drop everything.
        var overfull: Set<UInt64> = []
        /// The changed keys, one after the other, without a prefix.
        fileprivate(set) var bytes: [UInt8] = []
        /// The end of each key in `bytes`.
        fileprivate(set) var ends: [Int] = []
        /// The readers of the keys, by the index of the key.
        fileprivate(set) var readers: [(key: Int, client: UInt64)] = []
        /// The messages for subscribers.
        fileprivate(set) var messages: [[UInt8]] = []
        /// Whether messages were lost, because there were too many.
        fileprivate(set) var hasLostMessages = false
        fileprivate var messageBytes = 0

        /// The indices of the keys.
        var indices: Range<Int> { self.ends.indices }

        /// The key at an index.
        func key(_ index: Int) -> ArraySlice<UInt8> {
            self.bytes[(index == 0 ? 0 : self.ends[index - 1])..<self.ends[index]]
        }

        /// Whether nothing was left.
        var isEmpty: Bool {
            !self.isReset && self.overfull.isEmpty && self.ends.isEmpty && self.messages.isEmpty
                && !self.hasLostMessages
        }
    }

    private struct State {
        var table: TrackingTable
        var mail = Mail()
        /// The number of connections that receive every change.
        var broadcasting = 0
        /// The number of connections that cache, in either way.
        var caching = 0
        /// The number of connections with subscriptions.
        var subscribers = 0
        /// Whether the thread of the door has been woken, or not yet.
        var isAwake = false
        var wake: (@Sendable () -> Void)?
    }

    private let state: Mutex<State>
    /// Whether changes matter to anybody: read without the lock by the thread of the stream.
    private let isUsed = Atomic<Bool>(false)

    /// Creates an empty inbox.
    init(_ table: TrackingTable = TrackingTable()) {
        self.state = Mutex(State(table: table))
    }

    /// Sets the function that wakes the thread of the door; it must not block.
    func setWake(_ wake: @escaping @Sendable () -> Void) {
        self.state.withLock { $0.wake = wake }
    }

    // MARK: For the thread of the door

    /// Notes that a connection begins or ends to cache.
    func setCaching(_ isCaching: Bool, broadcast: Bool) {
        let step = isCaching ? 1 : -1
        self.state.withLock { state in
            state.caching += step
            if broadcast { state.broadcasting += step }
            self.isUsed.store(state.caching > 0, ordering: .relaxed)
        }
        atomicMemoryFence(ordering: .sequentiallyConsistent)
    }

    /// Notes that a connection has its first subscription, or none any more.
    func setSubscribing(_ isSubscribing: Bool) {
        self.state.withLock { $0.subscribers += isSubscribing ? 1 : -1 }
    }

    /// Remembers a connection as a reader of a key; to be called before the key is read.
    func track(_ key: Span<UInt8>, by client: UInt64) {
        let hash = Self.hash(key)
        let overfull = self.state.withLock { state in
            let overfull = state.table.add(hash, client)
            if let overfull { state.mail.overfull.insert(overfull) }
            return overfull
        }
        guard let overfull else { return }
        self.forget(overfull)
        self.wakeUp()
    }

    /// Forgets the keys of a connection, in steps: the thread of the stream waits for one of them at most.
    func forget(_ client: UInt64) {
        var keys = self.state.withLock { $0.table.removeClient(client) }.makeIterator()
        var hasMore = true
        while hasMore {
            self.state.withLock { state in
                for _ in 0..<RedisLimits.removals {
                    guard let key = keys.next() else {
                        hasMore = false
                        return
                    }
                    state.table.remove(key, of: client)
                }
            }
        }
    }

    /// Takes the changes and messages.
    func take() -> Mail {
        self.state.withLock { state in
            state.isAwake = false
            defer { state.mail = Mail() }
            return state.mail
        }
    }

    /// Leaves the invalidation of everything.
    func reset() {
        let isCaching = self.state.withLock { state in
            guard state.caching > 0 else { return false }
            Self.reset(&state)
            return true
        }
        if isCaching { self.wakeUp() }
    }

    // MARK: For the threads of the stream

    /// Leaves a changed key, if any client may hold it.
    func snapshotChanged(_ key: Span<UInt8>) {
        // Together with the fence in `setCaching`: either this sees that a connection caches, or that connection reads
        // the new snapshot.
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        guard self.isUsed.load(ordering: .relaxed) else { return }
        let hash = Self.hash(key)
        let isLeft = self.state.withLock { state in
            guard !state.mail.isReset, state.broadcasting > 0 || state.table.isRead(hash) else { return false }
            if state.mail.ends.count >= RedisLimits.pendingKeys
                || state.mail.bytes.count + key.count > RedisLimits.pendingKeyBytes
            {
                Self.reset(&state)
                return true
            }
            let index = state.mail.ends.count
            unsafe key.withUnsafeBufferPointer { unsafe state.mail.bytes.append(contentsOf: $0) }
            state.mail.ends.append(state.mail.bytes.count)
            var readers: [(key: Int, client: UInt64)] = []
            state.table.take(hash) { readers.append((index, $0)) }
            state.mail.readers += readers
            return true
        }
        if isLeft { self.wakeUp() }
    }

    /// Leaves the invalidation of everything.
    func snapshotsReset() {
        self.reset()
    }

    /// Leaves messages for subscribers.
    func publish(_ messages: [[UInt8]]) {
        let isLeft = self.state.withLock { state in
            guard state.subscribers > 0 else { return false }
            for message in messages {
                if state.mail.messageBytes + message.count > RedisLimits.pendingMessageBytes {
                    state.mail.hasLostMessages = true
                    break
                }
                state.mail.messages.append(message)
                state.mail.messageBytes += message.count
            }
            return true
        }
        if isLeft { self.wakeUp() }
    }

    private static func reset(_ state: inout State) {
        state.mail.isReset = true
        state.mail.bytes = []
        state.mail.ends = []
        state.mail.readers = []
        // A client that reads again is remembered again.
        state.table.removeAll()
    }

    private func wakeUp() {
        let wake = self.state.withLock { state -> (@Sendable () -> Void)? in
            guard !state.isAwake, let wake = state.wake else { return nil }
            state.isAwake = true
            return wake
        }
        wake?()
    }

    private static func hash(_ key: Span<UInt8>) -> UInt64 {
        var hasher = Hasher()
        unsafe key.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }
}
