import Foundation

/// The length of tests with random input.
enum RandomRounds {
    /// Set by `make rounds`.
    private static let isLong = ProcessInfo.processInfo.environment["SLUICE_ROUNDS"] != nil

    /// Returns the number of rounds: ten times `count` for `make rounds`.
    static func count(_ count: Int) -> Int { self.isLong ? 10 * count : count }
}
