import StageKit

/// The counts that nearly every event increments, in plain memory: an array would be checked for uniqueness each time,
/// at every stage of every event.
///
/// Used by the runner's thread only. The memory has one element per stage, is allocated once, never grows and is freed
/// with the tally; every index is checked against its size.
@safe
final class EventTally {
    private struct Stage: BitwiseCopyable {
        var passed: UInt64 = 0
        var skipped: UInt64 = 0
    }

    private let stages: UnsafeMutableBufferPointer<Stage>
    private var appliedCount: UInt64 = 0

    /// Creates an empty tally.
    init(stageCount: Int) {
        unsafe self.stages = .allocate(capacity: stageCount)
        unsafe self.stages.initialize(repeating: Stage())
    }

    deinit {
        unsafe self.stages.deallocate()
    }

    /// Counts an event that a stage passed on.
    @inline(__always)
    func passed(_ index: Int) {
        precondition(unsafe index >= 0 && index < self.stages.count, "no stage at this index")
        unsafe self.stages[index].passed &+= 1
    }

    /// Counts an event that did not meet a stage's condition.
    @inline(__always)
    func skipped(_ index: Int) {
        precondition(unsafe index >= 0 && index < self.stages.count, "no stage at this index")
        unsafe self.stages[index].skipped &+= 1
    }

    /// Counts an event that was applied without a reason.
    @inline(__always)
    func applied() {
        self.appliedCount &+= 1
    }

    /// Adds all counts to `counters` and resets them to zero.
    func add(to counters: inout RunnerCounters) {
        for index in unsafe self.stages.indices {
            unsafe counters.stages[index].passed += self.stages[index].passed
            unsafe counters.stages[index].skipped += self.stages[index].skipped
            unsafe self.stages[index] = Stage()
        }
        if self.appliedCount > 0 { counters.count(.applied, .none, times: self.appliedCount) }
        self.appliedCount = 0
    }
}
