import ArgumentParser
import Dispatch
import Synchronization

/// Lives of a worker under seeded troubles: every one must keep every promise.
@main
struct SluiceSimulator: ParsableCommand {
    /// How the command line shows it.
    static let configuration = CommandConfiguration(
        commandName: "SluiceSimulator", abstract: "Lives workers against a modelled server, under seeded troubles.")

    /// How many lives.
    @Option(help: "How many lives.") var lives = 1_000_000
    /// The first seed.
    @Option(help: "The first life's seed; the others follow it.") var first: UInt64 = 1
    /// One life only.
    @Option(help: "Live this life alone, and tell what happens in it.") var seed: UInt64?
    /// A bug.
    @Option(help: "Plant a bug; \"all\" plants one after the other and wants each to be found.") var bug: String?
    /// How many lives at once.
    @Option(help: "How many lives at once.") var jobs = 2

    /// So many lives that break a promise are enough to look at.
    private static let enough = 20

    /// Lives.
    func run() throws {
        let failure = Mutex<(any Error)?>(nil)
        let done = DispatchSemaphore(value: 0)
        let command = self
        // The one unstructured task: it ends before this call returns.
        Task.detached {
            do { try await command.live() } catch { failure.withLock { $0 = error } }
            done.signal()
        }
        done.wait()
        if let error = failure.withLock({ $0 }) { throw error }
    }

    private func live() async throws {
        if self.bug == "all" { return try await self.findAll() }
        let planted = try self.bug.map { name in
            guard let bug = PlantedBug(rawValue: name) else {
                throw ValidationError(
                    "no bug \(name): there are \(PlantedBug.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            return bug
        }
        if let seed {
            let life = Life(seed: seed, bug: planted, trace: true)
            print("life \(seed): \(try await life.run())")
            return
        }
        let tally = try await Simulation.run(
            lives: self.lives, from: self.first, jobs: self.jobs, bug: planted, limit: Self.enough
        ) { print("\($0) lives ...") }
        print(tally)
        for (seed, violation) in tally.broken.sorted(by: { $0.key < $1.key }) {
            print("make simulate SEED=\(seed)  breaks a promise: \(violation)")
        }
        if !tally.broken.isEmpty { throw ExitCode.failure }
    }

    private func findAll() async throws {
        for bug in PlantedBug.allCases {
            let tally = try await Simulation.run(lives: self.lives, from: self.first, jobs: 1, bug: bug)
            guard let (seed, violation) = tally.broken.first else {
                print("\(bug.rawValue): not found in \(self.lives) lives")
                throw ExitCode.failure
            }
            print("\(bug.rawValue): found in life \(seed): \(violation)")
        }
    }
}
