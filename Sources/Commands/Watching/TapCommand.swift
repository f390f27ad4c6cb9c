import ArgumentParser
import CommandSupport
import Foundation
import StageKit

/// `sluice tap`: prints the events of a running worker as they get their outcomes.
struct TapCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tap", abstract: "Print events of a running worker as they get their outcomes.",
        discussion: """
            Events that are not read fast enough, or exceed 1,024 per second, are counted and omitted: the worker \
            never \
            waits. Stop with Ctrl-C.
            """)

    /// The output format.
    enum Format: String, ExpressibleByArgument, CaseIterable {
        /// Text for people.
        case text
        /// The worker's JSON lines, with the fields.
        case json
    }

    @Option(help: "Only events that failed at or were finished by this stage.")
    var stage: String?

    @Option(help: "Only events with this outcome: \(Outcome.allCases.map(\.name).joined(separator: ", ")).")
    var outcome: String?

    @Option(help: "Only events with this key.")
    var key: String?

    @Option(help: "Output format: text or json.")
    var format = Format.text

    @Option(help: "Stop after this number of events.")
    var limit: Int?

    @Option(help: "Stop after this duration, such as 10s.", transform: Self.duration)
    var duration: Duration?

    @OptionGroup var worker: WorkerOptions

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit: \(limit) is out of range: the minimum is 1") }
        if let outcome, !Outcome.allCases.contains(where: { $0.name == outcome }) {
            let hint = Nearest.hint(for: outcome, among: Outcome.allCases.map(\.name))
            throw ValidationError("--outcome: unknown outcome \"\(outcome)\"\(hint)")
        }
    }

    /// Thrown to end the stream when the requested number of events is reached.
    private struct Enough: Error {}

    func run() async throws {
        try await CommandErrors.reported {
            let client = try self.worker.client()
            do {
                try await Deadline.run(self.duration) { try await self.watch(client) }
            } catch is Enough {
                // The requested number of events is reached.
            }
        }
    }

    private func watch(_ client: AdminClient) async throws {
        var left = self.limit ?? Int.max
        try await client.events("/v1/tap\(self.query)") { event in
            switch event.name {
            case "event":
                guard Terminal.write(Array((try self.line(event.data) + "\n").utf8)) else { throw Enough() }
                left -= 1
                if left == 0 { throw Enough() }
            case "missed":
                Terminal.report("sluice: some events were omitted: \(PlainText.of(event.data))")
            default: break
            }
        }
        throw AdminClient.Failure(description: "the worker closed the stream")
    }

    private func line(_ data: String) throws -> String {
        switch self.format {
        case .json: data
        case .text: try JSONDecoder().decode(WatchedEvent.self, from: Data(data.utf8)).line
        }
    }

    private var query: String {
        let parts = [("stage", self.stage), ("outcome", self.outcome), ("key", self.key)].compactMap { name, value in
            value.map { "\(name)=\(AdminClient.encoded($0))" }
        }
        return parts.isEmpty ? "" : "?\(parts.joined(separator: "&"))"
    }

    private static func duration(_ text: String) throws -> Duration {
        guard let duration = SettingUnits.duration(text), duration > .zero else {
            throw ValidationError("\(text): expected a duration such as 10s or 2m")
        }
        return duration
    }
}

/// A time limit for endless work.
enum Deadline {
    /// Runs `body`, and ends it after `duration` if one is given; errors after that are ignored.
    static func run(_ duration: Duration?, _ body: @escaping @Sendable () async throws -> Void) async throws {
        guard let duration else { return try await body() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await body() }
            group.addTask { try await Task.sleep(for: duration) }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}
