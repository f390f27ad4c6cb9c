import StageKit

extension SplitMix64 {
    /// True in so many of a hundred cases.
    mutating func percent(_ part: Int) -> Bool { self.below(100) < part }
}
