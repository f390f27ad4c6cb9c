import ArgumentParser
import CommandSupport
import DeadLetterStage
import StageKit

/// `sluice dlq replay`: adds original entries to their streams again.
struct DLQReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Add the original entries of dead-letter entries to their streams again, each one once.",
        discussion: """
            The server adds the original entry and removes the dead-letter entry in one step. An original that was \
            replayed before is not added again. A replayed entry passes all stages, but stores order it by the id of \
            its original: it never replaces a newer snapshot. If the dead-letter entry is that of an element, only the \
            whole original can be replayed, with all of its elements: --whole-entry permits it. An event that the \
            worker has added, such as that of a window, cannot be replayed: it is not an entry of the stream. \
            Only streams that the pipeline reads are written to. \
            Exit status 1 if an entry does not exist or cannot be replayed; the others are replayed.
            """)

    @Argument(help: "Ids of dead-letter entries.")
    var ids: [DeadLetterID] = []

    @Flag(help: "All current entries; requires --yes.")
    var all = false

    @Flag(help: "Confirm --all.")
    var yes = false

    @Flag(help: "For an element, replay its whole original with all of its elements.")
    var wholeEntry = false

    @OptionGroup var options: DLQOptions

    func validate() throws {
        guard self.all != !self.ids.isEmpty else {
            throw ValidationError("name ids of dead-letter entries, or give --all")
        }
        if self.all, !self.yes { throw ValidationError("--all replays every dead-letter entry: confirm with --yes") }
    }

    func run() async throws {
        try await self.options.withDeadLetters { box in
            var isWhole = true
            let now = try await box.now()
            let total: Int? = if self.all { await box.count() } else { self.ids.count }
            var progress = CommandProgress("processed", unit: "dead-letter entries", total: total)
            defer { progress.end() }
            var done = 0
            func replay(_ entry: DeadLetterEntry) async throws {
                let result = try await box.replay(entry, now: now, wholeEntries: self.wholeEntry)
                done += 1
                progress.update(done)
                if !(try self.report(entry.id, entry.facts[DeadLetter.stream] ?? "", result)) { isWhole = false }
            }
            if self.all, let last = try await box.lastID() {
                try await box.forEachPage(to: last) { page in
                    for entry in page { try await replay(entry) }
                }
            }
            for id in self.ids.map(\.id) {
                if let entry = try await box.entries(from: id, to: id, count: 1).first {
                    try await replay(entry)
                } else if !(try self.report(id, "", .gone)) {
                    isWhole = false
                }
            }
            if !isWhole { throw ExitStatus.failure }
        }
    }

    /// Prints the result for a dead-letter entry; returns whether its original was replayed, now or before.
    private func report(_ entry: EntryID, _ stream: String, _ result: ReplayScript.Result) throws -> Bool {
        let (word, text) = result.words(for: entry, DeadLetterText.shown(Array(stream.utf8)))
        switch self.options.format {
        case .text: try Terminal.result("\(entry): \(text)")
        case .json:
            var bytes = [UInt8(ascii: "{")]
            JSONText.appendMember("letter", entry.description, to: &bytes)
            bytes.append(UInt8(ascii: ","))
            JSONText.appendMember("result", word, to: &bytes)
            if case .added(let id) = result {
                bytes.append(UInt8(ascii: ","))
                JSONText.appendMember("stream", stream, to: &bytes)
                bytes.append(UInt8(ascii: ","))
                JSONText.appendMember("entry", id, to: &bytes)
            }
            if case .refused(let error) = result {
                bytes.append(UInt8(ascii: ","))
                JSONText.appendMember("error", error, to: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
            try Terminal.result(String(decoding: bytes, as: UTF8.self))
        }
        return word == "added" || word == "played_before"
    }
}

/// `sluice dlq purge`: deletes dead-letter entries permanently.
struct DLQPurgeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge", abstract: "Remove dead-letter entries permanently: by id, by age, or all.")

    @Argument(help: "Ids of dead-letter entries.")
    var ids: [DeadLetterID] = []

    @Option(help: ArgumentHelp("Entries older than this, such as 7d.", valueName: "duration"))
    var olderThan: String?

    @Flag(help: "All entries; requires --yes.")
    var all = false

    @Flag(help: "Confirm --all.")
    var yes = false

    @OptionGroup var options: DLQOptions

    func validate() throws {
        let ways = [!self.ids.isEmpty, self.olderThan != nil, self.all].count { $0 }
        guard ways == 1 else {
            throw ValidationError("name ids of dead-letter entries, or give --older-than, or --all")
        }
        if self.all, !self.yes {
            throw ValidationError("--all removes every dead-letter entry permanently: confirm with --yes")
        }
        if let text = self.olderThan, SettingUnits.duration(text).map({ $0 <= .zero }) ?? true {
            throw ValidationError("--older-than \(text): expected a duration such as 12h or 7d")
        }
    }

    func run() async throws {
        try await self.options.withDeadLetters { box in
            var removed = 0
            if self.all {
                removed = try await box.removeAll()
            } else if let age = self.olderThan.flatMap({ SettingUnits.duration($0) }) {
                let limit = try await box.now() - age.microseconds / 1000
                guard limit > 0 else { return try self.report(0) }
                let last = EntryID(milliseconds: UInt64(limit) - 1, sequence: .max)
                var progress = CommandProgress("removed", unit: "dead-letter entries")
                defer { progress.end() }
                try await box.forEachPage(to: last) { page in
                    removed += try await box.remove(page.map(\.id))
                    progress.update(removed)
                }
            } else {
                removed = try await box.remove(self.ids.map(\.id))
            }
            try self.report(removed)
        }
    }

    private func report(_ removed: Int) throws {
        switch self.options.format {
        case .text: try Terminal.result("removed \(removed)")
        case .json: try Terminal.result("{\"removed\":\(removed)}")
        }
    }
}
