import ComponentKit
import Logging
import StageKit

// Reading the file, and following it when it is rotated or cut.
extension FileSource {
    /// A file that is being read.
    struct Reading: ~Copyable {
        /// The file.
        var input: FileInput
        /// The position behind the last delivered line.
        var position: FilePosition
        /// Splits the bytes behind it.
        var splitter: LineSplitter
    }

    /// What has become of a followed file whose end is reached.
    private enum FileChange {
        case none
        /// Another file has taken its place.
        case rotated
        /// It has lost lines.
        case shorter
    }

    /// Opens the file and moves to the place where reading begins; returns `nil` if the source is stopped before.
    func begin(after saved: FilePosition?) async throws -> Reading? {
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
    func read(
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
                let change = self.change(of: reading)
                if change == .rotated, looks < Self.looksAfterRotation {
                    looks += 1
                    await self.pause()
                    continue
                }
                if !self.settings.follow || change == .rotated {
                    try await self.deliverRest(of: &reading, batch, deliver)
                }
                if change == .none { self.reachedEnd() }
                if !self.settings.follow { return nil }
                if change == .shorter { try await self.startOver("the file was cut") }
                if change != .none { return try await self.reopen(line: reading.position.line) }
                await self.pause()
            }
        }
        return nil
    }

    /// Delivers the bytes behind the last end of a line.
    private func deliverRest(
        of reading: inout Reading, _ batch: EventBatch,
        _ deliver: nonisolated(nonsending) (EventBatch) async throws -> Void
    ) async throws {
        let before = reading.position
        let rest = reading.splitter.pendingBytes
        guard let line = reading.splitter.finish() else { return }
        try await self.deliver([(line, rest)], batch, &reading.position, deliver)
        // Without its end, the line may be incomplete: a resumed run reads it again.
        if !self.settings.follow { self.update { $0.position = before } }
    }

    /// Returns what has become of the file; always `none` if it is not followed.
    private func change(of reading: borrowing Reading) -> FileChange {
        guard self.settings.follow, reading.input.isRegular else { return .none }
        if let now = FileInput.identity(of: self.stream), now != reading.input.identity { return .rotated }
        let read = reading.position.offset + UInt64(reading.splitter.pendingBytes)
        return (reading.input.length ?? read) < read ? .shorter : .none
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
}
