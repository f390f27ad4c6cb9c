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

    private struct State {
        var status = SourceStatus()
        var position: FilePosition?
        var epoch = 0
        var isStopped = false
    }

    /// The path of the file.
    public let stream: String
    private let settings: FileSettings
    private let stores: [any SnapshotStore]
    private let checkpoint: (any CheckpointKeeper)?
    private let handler: (any RevocationHandler)?
    private let logger: Logger
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

    private var isStopped: Bool { Task.isCancelled || self.state.withLock(\.isStopped) }

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

    /// A file that is being read.
    private struct Reading: ~Copyable {
        var input: FileInput
        var position: FilePosition
        var splitter: LineSplitter
    }

    /// Opens the file and moves to the place where reading begins; returns `nil` if the source is stopped before.
    private func begin(after saved: FilePosition?) async throws -> Reading? {
        guard let input = try await self.open() else { return nil }
        var position = FilePosition(input.identity)
        switch (self.settings.start, saved) {
        case (.resume, let saved?):
            let isSame = input.identity == saved.file && (input.length ?? 0) >= saved.offset
            position = isSame ? saved : FilePosition(input.identity, line: saved.line)
            if !isSame { try await self.startOver("the file is not the one of the checkpoint, or is shorter") }
        case (.end, _): position.offset = input.length ?? 0
        case (.beginning, _), (.resume, nil): break
        }
        if position.offset > 0 { try input.seek(to: position.offset) }
        self.update { [position] in $0.position = position }
        return Reading(input: input, position: position, splitter: LineSplitter(limit: self.settings.maxLine))
    }

    /// Opens the file; if it is followed, waits until it exists.
    private func open() async throws -> FileInput? {
        if self.stream == "-" { return FileInput() }
        var isReported = false
        while !self.isStopped {
            do throws(FileInput.Failure) {
                return try FileInput(path: self.stream)
            } catch {
                guard self.settings.follow else { throw error }
                if !isReported { self.logger.warning("waiting for the file", metadata: ["error": "\(error)"]) }
                isReported = true
                self.update { $0.status.lastError = "\(error)" }
            }
            await self.pause()
        }
        return nil
    }

    /// Reads one file to its end; returns the file that follows it, or `nil` if reading has ended.
    private func read(
        _ reading: consuming Reading, _ deliver: nonisolated(nonsending) (EventBatch) async throws -> Void
    ) async throws -> Reading? {
        var reading = reading
        let batch = EventBatch()
        batch.stream = self.stream
        var lines: [(LineSplitter.Line, Int)] = []
        var looks = 0
        while !self.isStopped {
            switch try reading.input.read() {
            case .bytes(let bytes):
                looks = 0
                reading.splitter.take(bytes) { lines.append(($0, $1)) }
                self.update { $0.status.isCaughtUp = $0.status.isCaughtUp && lines.isEmpty }
                try await self.deliver(lines, batch, &reading.position, deliver)
                lines.removeAll(keepingCapacity: true)
            case .nothingYet:
                self.reachedEnd()
                await self.pause()
            case .end:
                let next = try await self.follow(reading)
                if next.isRotated, looks < Self.looksAfterRotation {
                    looks += 1
                    await self.pause()
                    continue
                }
                if !self.settings.follow || next.isRotated {
                    let before = reading.position
                    let rest = reading.splitter.pendingBytes
                    if let line = reading.splitter.finish() {
                        try await self.deliver([(line, rest)], batch, &reading.position, deliver)
                        // Without its end, the line may be incomplete: a resumed run reads it again.
                        if !self.settings.follow { self.update { $0.position = before } }
                    }
                }
                if !next.isRotated, !next.isShorter { self.reachedEnd() }
                if !self.settings.follow { return nil }
                if next.isRotated {
                    return try await self.reopen(line: reading.position.line)
                }
                if next.isShorter {
                    try await self.startOver("the file was cut")
                    return try await self.reopen(line: reading.position.line)
                }
                await self.pause()
            }
        }
        return nil
    }

    /// What has become of a followed file whose end is reached.
    private func follow(_ reading: borrowing Reading) async throws -> (isRotated: Bool, isShorter: Bool) {
        guard self.settings.follow, reading.input.isRegular else { return (false, false) }
        if let now = FileInput.identity(of: self.stream), now != reading.input.identity { return (true, false) }
        let read = reading.position.offset + UInt64(reading.splitter.pendingBytes)
        return (false, (reading.input.length ?? read) < read)
    }

    private func reopen(line: UInt64) async throws -> Reading? {
        guard let input = try await self.open() else { return nil }
        let position = FilePosition(input.identity, line: line)
        self.update { $0.position = position }
        return Reading(input: input, position: position, splitter: LineSplitter(limit: self.settings.maxLine))
    }

    /// Delivers lines in batches and moves the position behind each of them. Empty lines are counted and not delivered.
    private func deliver(
        _ lines: [(line: LineSplitter.Line, length: Int)], _ batch: EventBatch, _ position: inout FilePosition,
        _ deliver: nonisolated(nonsending) (EventBatch) async throws -> Void
    ) async throws {
        var start = 0
        while start < lines.count, !self.isStopped {
            let part = lines[start...].prefix(self.settings.readCount)
            batch.removeAll()
            for (line, length) in part {
                position.line += 1
                position.offset += UInt64(length)
                self.add(line, Self.id(of: position.line), to: batch)
            }
            batch.takeOriginals()
            if !batch.isEmpty { try await deliver(batch) }
            self.update { [position] state in
                state.position = position
                state.status.cursor = Self.id(of: position.line)
            }
            start += part.count
        }
    }

    private func add(_ line: LineSplitter.Line, _ id: EntryID, to batch: EventBatch) {
        let name = Array(self.settings.field.utf8)
        switch line {
        case .text(let bytes):
            if bytes.allSatisfy({ $0 == UInt8(ascii: "\r") }) { return }
            batch.append(id: id, fields: [(name, bytes)])
        case .tooLong(let count):
            batch.append(id: id, fields: [])
            batch.refuse(
                StageFailure(
                    "file: line \(id.milliseconds) has \(count) bytes, more than max_line (\(self.settings.maxLine))",
                    reason: "line_too_long"))
        }
    }

    /// Records that everything up to now has been read.
    private func reachedEnd() {
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
    private func startOver(_ detail: String) async throws {
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

    private func pause() async {
        try? await Task.sleep(for: Self.lookInterval)
    }

    private func update(_ change: (inout State) -> Void) {
        self.state.withLock { state in
            state.status.pulses &+= 1
            change(&state)
        }
    }

    private static func id(of line: UInt64) -> EntryID { EntryID(milliseconds: line, sequence: 0) }
}
