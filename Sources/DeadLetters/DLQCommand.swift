package import ArgumentParser
import CommandSupport
import StageKit

/// `sluice dlq`: manages the entries that a `dead_letter` stage has written.
package struct DLQCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "dlq", abstract: "List, show, replay and remove dead-letter entries.",
        subcommands: [DLQListCommand.self, DLQShowCommand.self, DLQReplayCommand.self, DLQPurgeCommand.self])

    /// Creates the command.
    package init() {}
}

/// `sluice dlq list`: prints a page of dead-letter entries.
struct DLQListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List dead-letter entries, oldest first.")

    /// The allowed number of entries in a list; they are kept in memory until they are printed.
    static let limits = 1...1000

    @Option(help: "Maximum number of entries, 1 to 1000.")
    var limit = 50

    @Option(help: "Start after this id.")
    var after: DeadLetterID?

    @OptionGroup var options: DLQOptions

    func validate() throws {
        guard Self.limits.contains(self.limit) else { throw ValidationError("--limit must be from 1 to 1000") }
    }

    func run() async throws {
        try await self.options.withDeadLetters { box in
            let now = try await box.now()
            // One more than requested, to detect whether more entries follow.
            let found = try await self.entries(in: box, count: self.limit + 1)
            let shown = found.prefix(self.limit)
            switch self.options.format {
            case .json: for entry in shown { try Terminal.result(entry.json(now: now, withFields: false)) }
            case .text:
                let head = ["ENTRY", "ORIGINAL", "STAGE", "REASON", "AGE", "ERROR"]
                if shown.isEmpty { return Terminal.report("no dead-letter entries in \(box.stream)") }
                for line in DeadLetterText.table([head] + shown.map { $0.cells(now: now) }) {
                    try Terminal.result(line)
                }
            }
            if let last = shown.last, found.count > shown.count {
                Terminal.report("more entries: --after \(last.id)")
            }
        }
    }

    private func entries(in box: DeadLetterStream, count: Int) async throws -> [DeadLetterEntry] {
        var found: [DeadLetterEntry] = []
        var first: EntryID? = self.after.map(\.id.successor) ?? .zero
        while let start = first, found.count < count {
            let page = try await box.entries(from: start, count: count - found.count)
            found += page
            first = page.last?.id.successor
        }
        return found
    }
}

/// `sluice dlq show`: prints a dead-letter entry with the original's fields.
struct DLQShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show a dead-letter entry with the fields of the original entry.",
        discussion: "Exit status 1 if there is no such entry.")

    @Argument(help: "Id of the dead-letter entry.")
    var id: DeadLetterID

    @OptionGroup var options: DLQOptions

    func run() async throws {
        try await self.options.withDeadLetters { box in
            guard let entry = try await box.entries(from: self.id.id, to: self.id.id, count: 1).first else {
                Terminal.report("sluice: no dead-letter entry \(self.id.id) in \(box.stream)")
                throw ExitStatus.failure
            }
            let now = try await box.now()
            let shown = entry.hiding(box.secrets)
            switch self.options.format {
            case .json: try Terminal.result(shown.json(now: now, withFields: true))
            case .text: for line in shown.lines(now: now) { try Terminal.result(line) }
            }
        }
    }
}
