import Testing

@testable import SluiceSimulator

@Suite struct SimulatorTests {
    /// A few seconds of a debug build; `make simulate` lives a million.
    private static let lives = 3000
    /// So many lives are enough to find each bug that is planted.
    private static let enough = 5000

    @Test("A few thousand simulated runs with all faults break no guarantee")
    func promises() async throws {
        let tally = try await Simulation.run(lives: Self.lives, from: 1, jobs: 2)
        #expect(tally.broken.isEmpty, "by SEED: \(tally.broken)")
        #expect(tally.lives == Self.lives && tally.right > Self.lives / 2)
        #expect(tally.untellable < Self.lives / 50)
    }

    @Test("Each planted bug is found", arguments: PlantedBug.allCases)
    func bugs(bug: PlantedBug) async throws {
        let tally = try await Simulation.run(lives: Self.enough, from: 1, jobs: 1, bug: bug)
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
