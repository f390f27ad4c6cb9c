import Testing

@testable import SluiceSimulator

@Suite struct SimulatorTests {
    /// One or two seconds in a debug build; `make simulate` runs a million in release mode.
    private static let lives = 400
    /// The number of runs in which each planted bug is found, from any seed.
    private static let enough = 5000
    /// The first seed for bugs that only rare combinations of faults show: shortly before a run that shows the bug.
    /// If a change of the simulator moves that run, the search only takes longer.
    private static let starts: [PlantedBug: UInt64] = [
        .checkpointAcrossGap: 1300, .evictionForgotten: 50, .finishedTooFar: 1100, .heldCountsAsFinished: 65,
        .olderOverwrites: 50, .tailAfterScan: 95,
    ]

    @Test("Hundreds of simulated runs with all faults break no guarantee")
    func promises() async throws {
        let tally = try await Simulation.run(lives: Self.lives, from: 1, jobs: 2)
        #expect(tally.broken.isEmpty, "by SEED: \(tally.broken)")
        #expect(tally.lives == Self.lives && tally.right > Self.lives / 2)
        #expect(tally.untellable < Self.lives / 50)
    }

    @Test("Each planted bug is found", arguments: PlantedBug.allCases)
    func bugs(bug: PlantedBug) async throws {
        let tally = try await Simulation.run(lives: Self.enough, from: Self.starts[bug] ?? 1, jobs: 1, bug: bug)
        #expect(!tally.broken.isEmpty)
    }

    @Test(
        "Simulated runs that once broke a guarantee keep it",
        arguments: [
            20332, 96911, 105_695, 136_559, 148_547, 204_951, 248_521, 256_236, 261_947, 332_676, 354_546, 496_315,
            538_789, 588_057, 606_504, 621_889, 630_423, 736_268, 763_345, 767_496, 1_017_660,
            4731, 74537, 142_777, 190_453, 191_882, 206_954, 259_117, 276_826, 282_837,
        ] as [UInt64])
    func mended(seed: UInt64) async throws {
        _ = try await Life(seed: seed).run()
    }

    @Test("A simulated run is deterministic")
    func replay() async throws {
        for seed in UInt64(1)...20 {
            let (one, two) = (Life(seed: seed), Life(seed: seed))
            _ = try await one.run()
            _ = try await two.run()
            #expect(one.time == two.time && one.handedOn == two.handedOn && one.gaps == two.gaps)
        }
    }
}
