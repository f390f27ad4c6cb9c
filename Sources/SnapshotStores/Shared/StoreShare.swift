import ComponentKit
import LocalFiles
import Logging
import StageKit
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The header of a shared store's file, and the file while the pipeline runs.
///
/// The header is in private memory until the file is opened, so it can be written at any time.
final class StoreShare: FreshnessMirror {
    /// The time between two heartbeats.
    static let beatInterval = Duration.milliseconds(250)
    /// The age of a heartbeat after which readers consider the worker dead or stopped: eight intervals, because a
    /// busy machine may delay one by hundreds of milliseconds.
    static let beatLimit = Duration.seconds(2)

    /// The settings.
    let settings: ShareSettings
    /// The log of the store, or `nil` for none.
    let logger: Logger?
    /// The named conditions that were requested; locked before the store's own locks.
    let conditions = Mutex<[String: SnapshotCondition]>([:])
    private let memory: ReservedMemory
    /// The words of the header.
    let header: SharedWords
    private let file = Mutex<SharedFile?>(nil)
    private let isKeptPrivate = Atomic<Bool>(false)
    private let isRemovalReported = Atomic<Bool>(false)

    /// Creates a header; nothing is opened.
    init(_ settings: ShareSettings, logger: Logger?) {
        self.settings = settings
        self.logger = logger
        let size = max(SharedLayout.headerSize, SystemPage.size)
        self.memory = ReservedMemory(size: size, step: size, limit: .max)
        let isCommitted = self.memory.commit(0..<size)
        precondition(isCommitted, "there is memory for a page")
        self.header = self.memory.words
        self.header[Word.proof] = SharedLayout.never
        self.header[Word.limit] = SharedLayout.unlimited
        self.header[Word.beatLimit] = UInt64(Self.beatLimit.microseconds * 1000)
    }

    private typealias Word = SharedLayout.Word

    /// The word that holds the number of committed bytes of the records.
    var committed: SharedWords { self.header.extracting(Word.committed, 1) }

    /// The size of the header in the file: whole pages.
    var headerSize: Int { self.memory.size }

    // MARK: Freshness

    /// Sets the maximum age in nanoseconds, or `nil` for no limit.
    func setLimit(_ nanoseconds: Int64?) {
        self.header.storeReleasing(nanoseconds.map { UInt64(bitPattern: $0) } ?? SharedLayout.unlimited, Word.limit)
    }

    /// Sets whether the store is being filled.
    func setFilling(_ isFilling: Bool) {
        self.header.storeReleasing(isFilling ? 1 : 0, Word.filling)
    }

    /// Records that the store held every entry at this instant.
    func prove(at instant: ContinuousClock.Instant) {
        // The system's clock is read first: the proof never becomes more recent than it is.
        let now = Self.now
        let age = ContinuousClock.now - instant
        let (seconds, attoseconds) = age.components
        let proof = now - (seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
        self.header.storeReleasing(UInt64(bitPattern: proof), Word.proof)
        self.header.storeReleasing(UInt64(bitPattern: now), Word.beat)
    }

    // MARK: The file

    /// Whether the file is to be created: not in a pipeline that only tests something.
    var isWanted: Bool { !self.isKeptPrivate.load(ordering: .relaxed) }

    /// Prevents the creation of the file.
    func keepPrivate() {
        self.isKeptPrivate.store(true, ordering: .relaxed)
    }

    /// Creates the file, lets `move` put the store's memory into it, and publishes it.
    ///
    /// - Parameters:
    ///   - size: The size of the file.
    ///   - words: The words of the header that never change, by number.
    ///   - names: The bytes of the names.
    ///   - move: Moves the store's memory into the file.
    func open(
        size: Int, words: [Int: UInt64], names: [UInt8], _ move: (Int32) throws(SystemFailure) -> Void
    ) throws(SystemFailure) {
        try self.file.withLock { (held) throws(SystemFailure) in
            let file = try SharedFile(beside: self.settings.path, size: size)
            do throws(SystemFailure) {
                try self.memory.share(in: file.descriptor, at: 0, committed: [0..<self.memory.size])
                try move(file.descriptor)
                for (number, word) in words { self.header[number] = word }
                self.writeProcess(size)
                unsafe names.withUnsafeBytes {
                    unsafe self.header.extracting(
                        SharedLayout.namesOffset / SharedWords.stride, SharedLayout.namesSize / SharedWords.stride
                    ).store($0)
                }
                self.header.storeReleasing(UInt64.random(in: 1 ... .max), Word.epoch)
                try file.publish(mode: self.settings.mode, group: self.settings.group)
            } catch {
                self.header.storeReleasing(0, Word.epoch)
                file.remove()
                // The descriptor must stay open: parts of the store's memory may be in the file.
                held = consume file
                throw error
            }
            held = consume file
        }
    }

    private func writeProcess(_ size: Int) {
        let (process, now) = (ProcessIdentity.current, UInt64(bitPattern: Self.now))
        let fixed: [Int: UInt64] = [
            Word.magic: SharedLayout.magic, Word.byteOrder: SharedLayout.byteOrder,
            Word.headerSize: UInt64(SharedLayout.headerSize),
            Word.fileSize: UInt64(size), Word.process: process.number, Word.processStart: process.start,
            Word.created: now, Word.beat: now, Word.namesOffset: UInt64(SharedLayout.namesOffset),
            Word.namesSize: UInt64(SharedLayout.namesSize),
        ]
        for (number, word) in fixed { self.header[number] = word }
    }

    /// Publishes the time of day by which snapshots expire, in milliseconds since 1970.
    func setTimeOfDay(_ milliseconds: Int64) {
        let offset = milliseconds &* 1_000_000 &- Self.now
        self.header.storeReleasing(UInt64(bitPattern: offset), Word.timeOfDay)
    }

    /// What a heartbeat found at the file's path for the first time.
    enum Finding {
        /// Something else has taken the file's place: the file is closed, and its readers see the store as stale.
        case replaced
        /// The file was removed. Programs that have mapped it continue to read it; others cannot.
        case removed
    }

    /// Writes the heartbeat; returns what is wrong with the file, once, or `nil`.
    func beat(cursor: EntryID?, entries: Int) -> Finding? {
        self.file.withLock { file in
            guard let presence = file?.presence, self.header[Word.epoch] != 0 else { return nil }
            if presence == .other {
                self.header.storeReleasing(0, Word.epoch)
                return .replaced
            }
            self.header[Word.entries] = UInt64(entries)
            if let cursor {
                let version = self.header[Word.cursorVersion]
                self.header[Word.cursorVersion] = version &+ 1
                atomicMemoryFence(ordering: .releasing)
                self.header[Word.cursorMilliseconds] = cursor.milliseconds
                self.header[Word.cursorSequence] = cursor.sequence
                self.header.storeReleasing(version &+ 2, Word.cursorVersion)
            }
            self.header.storeReleasing(UInt64(bitPattern: Self.now), Word.beat)
            if presence == .missing, !self.isRemovalReported.exchange(true, ordering: .relaxed) { return .removed }
            return nil
        }
    }

    /// Marks the file as closed and removes it; readers see the store as stale from then on.
    func close() {
        self.file.withLock { file in
            self.header.storeReleasing(0, Word.epoch)
            file?.remove()
        }
    }

    deinit {
        self.close()
    }

    /// The time since the machine was started, with suspensions, in nanoseconds.
    static var now: Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_BOOTTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
