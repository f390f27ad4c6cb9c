public import ComponentKit
public import Logging
public import StageKit

/// Reads the lines of a file, a FIFO or standard input; each line is an entry with one field.
///
/// An entry's id is the number of its line: `7-0` is the seventh. If a followed file is rotated, the numbers continue.
public final class FileSource: EventSource {
    /// The time between two looks for more lines: short enough for a pipe between programs, long enough to cost nothing.
    static let lookInterval = Duration.milliseconds(20)
    /// The number of looks at the end of a file that was renamed, before the new one is read: writers may keep the old
    /// one open for a moment. They take a second.
    static let looksAfterRotation = 50

    /// The state that other threads see.
    struct State {
        /// The status.
        var status = SourceStatus()
        /// The position behind the last delivered line, or `nil` if there is none.
        var position: FilePosition?
        /// The number of times that reading began anew.
        var epoch = 0
        /// Whether `stop` was called.
        var isStopped = false
    }

    /// The path of the file.
    public let stream: String
    /// Which file to read, and how.
    let settings: FileSettings
    private let stores: [any SnapshotStore]
    private let checkpoint: (any CheckpointKeeper)?
    private let handler: (any RevocationHandler)?
    /// The source's logger.
    let logger: Logger
    private let state = OrderedMutex(State())

    /// Creates a source that opens nothing.
    ///
    /// - Parameters:
    ///   - settings: Which file to read, and how.
    ///   - stores: The stores that the events update.
    ///   - checkpoint: Keeps the stores and the position, or `nil`.
    ///   - handler: Notified after a store was emptied, or `nil`.
    ///   - logger: The source's logger.
    public init(
        _ settings: FileSettings, stores: [any SnapshotStore], checkpoint: (any CheckpointKeeper)? = nil,
        handler: (any RevocationHandler)? = nil, logger: Logger
    ) {
        self.stream = settings.path.text
        self.settings = settings
        self.stores = stores
        self.checkpoint = checkpoint
        self.handler = handler
        self.logger = logger
        for store in stores {
            store.freshness?.setLimit(settings.maxStaleness)
            store.freshness?.setFilling(true)
        }
    }

    /// The source type for the catalogue: `source: { file: { path: ... } }`.
    public static let sourceType = SourceType(
        name: "file", summary: "Reads the lines of a file, a FIFO or standard input.", settings: FileSettings.type
    ) { settings, setup in
        if settings.start == .resume, setup.checkpoint == nil {
            setup.issues.add(
                "file: start is resume, but there is no section checkpoint to resume from", at: setup.position)
        }
        if settings.start != .resume, setup.stores.contains(where: { $0.value.retention == .own }) {
            setup.issues.add(
                "file: the ids are numbers of lines, which begin at 1 in each run, and a store that outlives the worker "
                    + "refuses them as older: set start to resume with a checkpoint, or use a memory store",
                at: setup.position)
        }
        for store in setup.stores.values.sorted(by: { $0.name < $1.name }) where store.expiring?.timeToLive != nil {
            setup.issues.add(
                "file: the ids are numbers of lines, not times, so the ttl of the store \"\(store.name)\" has passed for every "
                    + "snapshot: remove it, or use expires with a field", at: setup.position)
        }
        if settings.path.text == "-", settings.start != .beginning {
            setup.issues.add("file: standard input has no other start than beginning", at: settings.path.position)
        }
        return FileSource(
            settings, stores: setup.stores.sorted { $0.key < $1.key }.map(\.value), checkpoint: setup.checkpoint,
            handler: setup.revocationHandler, logger: setup.logger)
    }

    /// `file`.
    public var system: String { "file" }

    /// The source's status.
    public var status: SourceStatus { self.state.withLock(\.status) }

    /// Whether the settings say `start: resume`.
    public var startsAtCheckpoint: Bool { self.settings.start == .resume }

    /// The place behind the last delivered line.
    public var bookmark: SourceBookmark? {
        self.state.withLock { state in
            state.position.map {
                SourceBookmark(epoch: state.epoch, cursor: Self.id(of: $0.line), text: $0.text)
            }
        }
    }

    /// Checks that the file can be read; opens nothing.
    public func check() async -> [CheckStep] {
        if self.stream == "-" { return [CheckStep("source", .good, "reads standard input")] }
        guard let problem = FileInput.problem(self.stream) else {
            return [CheckStep("source", .good, "\(self.stream) can be read")]
        }
        let finding = "\(self.stream): \(problem)"
        return self.settings.follow
            ? [CheckStep("source", .warning, finding, advice: "the worker waits until the file can be read")]
            : [CheckStep("source", .bad, finding, advice: "create it, or set follow: true to wait for it")]
    }

    /// Ends the run after the batch in flight.
    public func stop() {
        self.state.withLock { $0.isStopped = true }
    }

    /// Whether the run has to end.
    var isStopped: Bool { Task.isCancelled || self.state.withLock(\.isStopped) }

    /// Delivers the lines up to the end, or up to a call of `stop` if the file is followed.
    public func run(_ deliver: nonisolated(nonsending) (EventBatch) async throws -> Void) async throws {
        defer { self.update { $0.status.state = .stopped } }
        self.update { $0.status.state = .connecting }
        var reading: Reading? = try await self.begin(after: try await self.savedPosition())
        while let current = reading.take() {
            self.update { $0.status.state = .reading }
            reading = try await self.read(current, deliver)
        }
    }

    /// Loads the checkpoint, if reading begins there; one that cannot be used is a gap.
    private func savedPosition() async throws -> FilePosition? {
        guard case .resume = self.settings.start else { return nil }
        do {
            guard let text = try self.checkpoint?.load() else { return nil }
            if let position = FilePosition(text) { return position }
            _ = self.checkpoint?.takeStages()
            try await self.startOver("the position in the checkpoint is not one of a file")
        } catch let failure as CheckpointFailure {
            if failure.bookmark.flatMap({ FilePosition($0) }) == nil { _ = self.checkpoint?.takeStages() }
            try await self.startOver(failure.description)
        }
        return nil
    }

    /// Records that everything up to now has been read.
    func reachedEnd() {
        for store in self.stores {
            store.freshness?.setFilling(false)
            store.freshness?.prove(at: .now)
        }
        self.update { state in
            state.status.isCaughtUp = true
            state.status.lagEntries = 0
        }
    }

    /// Empties the stores because lines may be lost, reports a gap, and announces the reset.
    func startOver(_ detail: String) async throws {
        self.logger.error(
            "lines of the file may be lost: the stores are emptied, and the file is read from its beginning",
            metadata: ["path": "\(self.stream)", "detail": "\(detail)"])
        self.update { state in
            state.status.gaps["recreated", default: 0] += 1
            state.status.lastError = "gap in the file: \(detail)"
            state.status.isCaughtUp = false
            state.epoch += 1
            state.position = nil
        }
        self.checkpoint?.discard()
        for store in self.stores {
            store.freshness?.setFilling(true)
            store.removeAll()
            try await store.finishRemoval()
            try await self.handler?.reset(StoreReset(store: store.name, reason: "recreated"))
        }
    }

    /// Waits until it is time to look for more lines.
    func pause() async {
        try? await Task.sleep(for: Self.lookInterval)
    }

    /// Changes the state, which counts as progress.
    func update(_ change: (inout State) -> Void) {
        self.state.withLock { state in
            state.status.pulses &+= 1
            change(&state)
        }
    }

    /// Returns the id of a line.
    static func id(of line: UInt64) -> EntryID { EntryID(milliseconds: line, sequence: 0) }
}
