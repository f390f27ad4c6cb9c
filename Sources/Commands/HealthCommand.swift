import ArgumentParser
import CommandSupport

/// `sluice health`: tells whether a running worker is ready, or only alive; for the health checks of container engines.
struct HealthCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health", abstract: "Check that a running worker is ready, or with --live that it is alive.",
        discussion: """
            Prints the worker's answer to /readyz, or to /livez. Exit status 1 if the answer is not 200, or if there is \
            none. Needs no token.
            """)

    @Flag(help: "Check that the worker is alive and makes progress, even if it is not ready.")
    var live = false

    @OptionGroup var worker: WorkerOptions

    func run() async throws {
        try await CommandErrors.reported {
            let client = try self.worker.client()
            let (status, answer) = try await client.answer(self.live ? "/livez" : "/readyz")
            guard status == 200 else { throw AdminClient.Failure(description: AdminClient.refusal(answer)) }
            try Terminal.result(AdminClient.line(answer))
        }
    }
}
