import Glibc
import LocalFiles
public import StageKit

/// Appends every event to a file, or writes it to standard output, as one JSON object per line.
public final class WriteStage: Stage {
    /// How long to wait for the reader of a pipe: a reader that is slower than the stream slows the stream down, and one
    /// that has stopped fails the events.
    public static let patience = Duration.seconds(10)
    /// The number of bytes that are collected before they are written.
    static let chunk = 1 << 20

    /// The settings under `write`.
    public struct Settings: Sendable {
        /// The file, or `-` for standard output.
        public var path = LocatedName.unread
        /// The fields to write.
        public var fields = FieldSelection.all

        /// The settings' names and types in the file.
        static let schema = SettingsSchema(
            Settings(),
            [
                .required("path", \.path, .name, "The file to append to, or - for standard output."),
                .optional(
                    "fields", \.fields, .fieldSelection, default: "all",
                    "The fields to write: all fields that earlier stages provide, those of the entry itself, or a list."
                ),
            ])
    }

    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "write",
        summary: "Appends events to a file or standard output, one JSON object per line.",
        settings: .object(Settings.schema),
        example: """
            write: { path: "-", fields: [order_id, amount] }
            """,
        failureReason: "write_failure", waits: true)

    /// The open file.
    private struct Output: ~Copyable {
        var file: AppendedFile
        /// The identity of the file under the path when it was opened.
        var identity: FileIdentity?
    }

    private let path: String
    private let fields: SelectedFields
    private let effect: EffectID
    private let isRehearsal: Bool
    private let progress: ProgressReporter
    private var output: Output?

    /// Creates the stage; it reads the fields to write.
    public init(_ settings: Settings, _ setup: StageSetup) {
        self.path = settings.path.text
        self.fields = settings.fields.resolve(setup)
        self.effect = setup.effect("write")
        self.isRehearsal = setup.isRehearsal
        self.progress = setup.progress
    }

    /// Lets the event wait to be written.
    public func process(_ event: inout Event) throws -> Verdict { .wait }

    /// Writes the lines of all waiting events. If writing fails, the events fail whose lines may be incomplete.
    public func complete(_ events: WaitingEvents) async throws {
        var lines: [UInt8] = []
        var first = 0
        for position in 0..<events.count {
            events.withEvent(at: position) { event in
                JSONText.append(self.fields.values(of: event), to: &lines)
            }
            lines.append(UInt8(ascii: "\n"))
            guard lines.count >= Self.chunk || position == events.count - 1 else { continue }
            await self.write(lines, of: first...position, events)
            lines.removeAll(keepingCapacity: true)
            first = position + 1
        }
    }

    private func write(_ lines: [UInt8], of positions: ClosedRange<Int>, _ events: WaitingEvents) async {
        var failure: StageFailure?
        if !self.isRehearsal {
            let deadline = ContinuousClock.now + Self.patience
            // The declared wait is longer than the deadline, which is checked between two polls.
            await self.progress.waiting(atMost: Self.patience * 2) {
                do throws(SystemFailure) {
                    try self.append(lines) { Task.isCancelled || ContinuousClock.now >= deadline }
                } catch {
                    failure = StageFailure("write: \(self.path): \(error.reason)")
                }
            }
        }
        for position in positions {
            if let failure {
                events.fail(at: position, failure)
            } else {
                events.withEvent(at: position) { event in event.record(self.effect) }
            }
        }
    }

    /// Appends lines; opens the file first if it is not open, or if another file is under the path since it was rotated.
    private func append(_ lines: [UInt8], _ isStopped: () -> Bool) throws(SystemFailure) {
        if self.path == "-" {
            if self.output == nil {
                self.output = Output(
                    file: AppendedFile(standard: STDOUT_FILENO, name: "standard output"), identity: nil)
            }
        } else if self.output == nil || FileIdentity(path: self.path) != self.output?.identity {
            self.output = Output(file: try AppendedFile(path: self.path), identity: FileIdentity(path: self.path))
        }
        try self.output?.file.append(lines, isStopped: isStopped)
    }

    /// Closes the file.
    public func shutDown() async {
        self.output = nil
    }
}

/// The identity of the file under a path.
private struct FileIdentity: Equatable {
    var device: UInt64
    var inode: UInt64

    /// Reads the identity, or returns `nil` if there is no file.
    init?(path: String) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        self.device = UInt64(status.st_dev)
        self.inode = UInt64(status.st_ino)
    }
}
