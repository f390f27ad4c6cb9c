import ArgumentParser
import CommandSupport
import StageKit
import UnixSignals

/// `sluice top`: shows a running worker on the terminal.
struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top", abstract: "Show a running worker in the terminal, updated once per second; q quits.",
        discussion: "Prints one line per second if standard output is not a terminal.")

    /// The interval between two attempts to reach a worker.
    private static let retryInterval: Duration = .seconds(1)

    @OptionGroup var worker: WorkerOptions

    func run() async throws {
        try await CommandErrors.reported {
            let client = try self.worker.client()
            guard let terminal = RawTerminal() else { return try await Self.printLines(client) }
            defer { terminal.restore() }
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await Self.draw(client, on: terminal) }
                group.addTask { await terminal.untilQuit() }
                group.addTask { for await _ in await UnixSignalsSequence(trapping: .sigterm, .sighup) { break } }
                await group.next()
                group.cancelAll()
            }
        }
    }

    private static func printLines(_ client: AdminClient) async throws {
        var before: LiveView?
        try await client.events("/v1/live") { event in
            guard event.name == "state" else { return }
            let view = try LiveView(event.data)
            guard Terminal.write(Array((TopPicture(view: view, before: before).line + "\n").utf8)) else {
                throw ExitStatus.failure
            }
            before = view
        }
        throw AdminClient.Failure(description: "the worker closed the stream")
    }

    /// Draws until it is cancelled; reports an unreachable worker and waits for it.
    private static func draw(_ client: AdminClient, on terminal: RawTerminal) async {
        var before: LiveView?
        while !Task.isCancelled {
            do {
                try await client.events("/v1/live") { event in
                    guard event.name == "state" else { return }
                    let view = try LiveView(event.data)
                    let (columns, rows) = terminal.size
                    var lines = TopPicture(view: view, before: before).lines(columns: columns, rows: rows)
                    if lines.count < rows - 1 { lines += [""] }
                    terminal.draw(lines + ["\u{1B}[2mq quits\u{1B}[0m"])
                    before = view
                }
                throw AdminClient.Failure(description: "the worker closed the stream")
            } catch {
                if Task.isCancelled { return }
                let (columns, _) = terminal.size
                terminal.draw(
                    TopPicture.wrapped(PlainText.of("\(error)"), columns)
                        + ["", "Retrying every second.", "", "\u{1B}[2mq quits\u{1B}[0m"])
                before = nil
                try? await Task.sleep(for: self.retryInterval)
            }
        }
    }
}
