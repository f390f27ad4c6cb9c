public import ComponentKit
public import CoreMetrics
public import Logging
import SnapshotStores
public import StageKit

/// A checkpoint of stores in a local file: the file's top-level section `checkpoint`.
///
/// The stores are copied while they change, part by part, after the source's cursor was recorded. The result is still
/// correct: every snapshot in the file is as of an entry at or after that cursor, the entries after the cursor are read
/// again, and a store ignores entries that are not newer than its snapshots. The file needs no traces of evictions: up
/// to the cursor, keys without a snapshot stay without one (`MemoryStore.setFloor`), and after it the evicting entry is
/// read again.
public final class FileCheckpoint: CheckpointKeeper {
    /// The time between two checkpoints.
    public let interval: Duration

    private let storage: any CheckpointStorage
    private let definition: OrderedMutex<String>
    private let previousDefinition: String?
    private let stores: [any CheckpointedStore]
    private let leavesNotice: Bool
    private let logger: Logger
    private let saved: any CounterHandler
    private let failed: any CounterHandler
    /// The identity of the last checkpoint; locked while a file is put in place or removed.
    private let last = OrderedMutex<Kept?>(nil)
    /// The states of stages that `load` has read and nobody has taken.
    private let loaded = OrderedMutex<[SavedStage]>([])

    /// The identity of a checkpoint.
    private struct Kept: Equatable {
        var bookmark: SourceBookmark
        var definition: String
        /// A digest of the states of stages, which may change while the bookmark does not.
        var stages: UInt64
    }

    /// Creates a checkpoint in a file; nothing is read or written.
    ///
    /// - Parameters:
    ///   - settings: The file and the interval.
    ///   - stores: The stores to save.
    ///   - definition: The digest of the definition of the stores; a checkpoint with another digest is refused.
    ///   - previousDefinition: The digest that the previous version of the program wrote for the same file, which is
    ///     accepted too.
    ///   - logger: The logger.
    ///   - metrics: The metrics factory.
    ///   - leavesNotice: Whether the cursor also applies to stores that outlive the process. A discarded checkpoint
    ///     then leaves a notice until the next one is saved, so that it is known if the process ended before those
    ///     stores were emptied.
    public convenience init(
        _ settings: CheckpointSettings, stores: [any CheckpointedStore], definition: String,
        previousDefinition: String? = nil, logger: Logger, metrics: any MetricsFactory, leavesNotice: Bool = false
    ) {
        self.init(
            CheckpointFile(path: settings.path), interval: settings.interval, stores: stores, definition: definition,
            previousDefinition: previousDefinition, logger: logger, metrics: metrics, leavesNotice: leavesNotice)
    }

    /// Creates a checkpoint in a location of the caller's choice.
    package init(
        _ storage: any CheckpointStorage, interval: Duration, stores: [any CheckpointedStore], definition: String,
        previousDefinition: String? = nil, logger: Logger, metrics: any MetricsFactory, leavesNotice: Bool = false
    ) {
        self.previousDefinition = previousDefinition
        self.leavesNotice = leavesNotice
        self.storage = storage
        self.interval = interval
        self.stores = stores
        self.definition = OrderedMutex(definition)
        self.logger = logger
        self.saved = metrics.makeCounter(label: "sluice_checkpoints_total", dimensions: [("result", "saved")])
        self.failed = metrics.makeCounter(label: "sluice_checkpoints_total", dimensions: [("result", "failed")])
    }

    /// Fills the stores with the last checkpoint: see `CheckpointKeeper`.
    public func load() throws -> String? {
        // The bookmark that can be used although the load fails.
        var usable: String?
        do {
            var progress = LoggedProgress(
                "loading the checkpoint", unit: "bytes", total: self.storage.size, logger: self.logger)
            var loaded = 0
            var stages: [SavedStage] = []
            var isForeign = false
            let bookmark = try self.storage.read { read in
                var reader = try CheckpointReader { count in
                    let bytes = try read(count)
                    loaded += bytes.count
                    progress.update(loaded)
                    return bytes
                }
                let header = try reader.header()
                if header.definition == Self.discarded {
                    throw CheckpointFailure(
                        "entries were lost, and the worker stopped before its stores were refilled")
                }
                let known = [self.definition.withLock { $0 }, self.previousDefinition]
                isForeign = !known.contains(header.definition)
                if isForeign {
                    try reader.stagesAlone()
                } else {
                    try reader.records(into: self.stores, cursor: header.cursor)
                }
                stages = reader.stages
                return header.bookmark
            }
            if bookmark == nil, self.storage.isPresent {
                self.logger.warning(
                    "the checkpoint is an empty file: starting without one", metadata: ["path": "\(self.storage.name)"])
            }
            self.loaded.withLock { $0 = stages }
            guard isForeign else { return bookmark }
            usable = bookmark
            throw CheckpointFailure(Self.foreign)
        } catch {
            for store in self.stores { store.removeAll() }
            throw CheckpointFailure("checkpoint \(self.storage.name): \(error)", bookmark: usable)
        }
    }

    /// The message for contents of stores that other stores or stages have made.
    private static let foreign =
        "it was written by another pipeline: the stores, or the stages that lead to them, differ"

    /// Returns the states of stages: see `CheckpointKeeper`.
    public func takeStages() -> [SavedStage] {
        self.loaded.withLock { loaded in
            let stages = loaded
            loaded = []
            return stages
        }
    }

    /// Claims the file: see `CheckpointKeeper`.
    public func claim() throws {
        do {
            try self.storage.claim()
        } catch let error as CheckpointInUse {
            throw error
        } catch {
            self.logger.error(
                "cannot lock the checkpoint: none is written until it can be locked",
                metadata: ["path": "\(self.storage.name)", "error": "\(error)"])
        }
    }

    /// Ends the claim: see `CheckpointKeeper`.
    public func release() {
        self.storage.release()
    }

    /// Removes the last checkpoint: see `CheckpointKeeper`.
    public func discard() {
        do {
            let notice = self.leavesNotice ? try Self.notice() : nil
            try self.last.withLock { last in
                last = nil
                if let notice { try self.storage.put(notice) } else { try self.storage.remove() }
            }
        } catch {
            self.logger.error("cannot remove an outdated checkpoint", metadata: ["error": "\(error)"])
        }
    }

    /// The definition of a discarded checkpoint; no digest begins like this.
    static let discarded = "discarded"

    /// The content that replaces a discarded checkpoint.
    private static func notice() throws -> [UInt8] {
        var notice: [UInt8] = []
        let header = CheckpointFormat.Header(definition: self.discarded, cursor: .zero, bookmark: "")
        try withoutActuallyEscaping({ notice += $0 }) { write in
            var writer = try CheckpointWriter(header, to: write)
            try writer.finish()
        }
        return notice
    }

    /// Adopts another digest: see `CheckpointKeeper`.
    public func adopt(definition: String) {
        self.definition.withLock { $0 = definition }
    }

    /// Writes a checkpoint: see `CheckpointKeeper`.
    public func save(_ bookmark: () -> SourceBookmark?, stages: () async -> [SavedStage]?) async {
        // In this order: the states must contain every entry up to the bookmark.
        guard let start = bookmark(), let stages = await stages() else { return }
        let kept = Kept(
            bookmark: start, definition: self.definition.withLock { $0 },
            stages: stages.reduce(0) { XXHash64.hash(unsafe $1.state.span.bytes, seed: $0) })
        guard self.last.withLock({ $0 }) != kept else { return }
        let began = ContinuousClock.now
        do {
            var isKept = false
            var progress = LoggedProgress("saving the checkpoint", unit: "bytes", logger: self.logger)
            var (written, parts) = (0, 0)
            let partTotal = self.stores.reduce(0) { $0 + $1.recordParts }
            try self.storage.replace { write in
                var writer = try CheckpointWriter(
                    CheckpointFormat.Header(definition: kept.definition, cursor: start.cursor, bookmark: start.text),
                    to: {
                        try write($0)
                        written += $0.count
                    })
                for store in self.stores {
                    try writer.add(store) {
                        progress.update(written, fraction: Double(parts) / Double(max(1, partTotal)))
                        parts += 1
                        return bookmark()?.epoch == start.epoch
                    }
                }
                for stage in stages { try writer.add(stage) }
                try writer.finish()
            } keeping: { keep in
                isKept = try self.last.withLock { last in
                    // The file is useless if the contents of the stores have been reset since it was begun.
                    guard bookmark()?.epoch == start.epoch else { return false }
                    try keep()
                    last = kept
                    return true
                }
            }
            guard isKept else { return }
            self.saved.increment(by: 1)
            let time = ContinuousClock.now - began
            self.logger.debug(
                "checkpoint saved",
                metadata: ["cursor": "\(start.cursor)", "milliseconds": "\(time.microseconds / 1000)"])
        } catch is CancellationError {
            return
        } catch {
            self.failed.increment(by: 1)
            self.logger.error(
                "cannot write the checkpoint: the previous one is kept",
                metadata: ["path": "\(self.storage.name)", "error": "\(error)"])
        }
    }
}

/// The file and the interval of a checkpoint.
public struct CheckpointSettings: Sendable, Equatable {
    /// The file.
    public var path: String
    /// The time between two checkpoints.
    public var interval = Duration.seconds(10)

    /// The shortest interval: each checkpoint writes all that the stores hold.
    static let minimumInterval = Duration.milliseconds(10)

    /// A checkpoint in a file.
    public init(path: String) {
        self.path = path
    }

    /// The schema of the section.
    public static let type = SettingType<CheckpointSettings>.object(
        SettingsSchema(
            CheckpointSettings(path: ""),
            [
                .required(
                    "path", \.path, .nonBlankText,
                    "Path of the checkpoint; a temporary file with the suffix .new is written beside it."),
                .optional(
                    "interval", \.interval, .duration(minimum: Self.minimumInterval), default: "10s",
                    "Interval between two checkpoints."),
            ]))

    /// The section for the catalogue.
    public static let section = SectionType(
        name: "checkpoint",
        summary: "Keeps memory stores and the source's position in a file, for start: resume after a restart.",
        settings: Self.type)
}
