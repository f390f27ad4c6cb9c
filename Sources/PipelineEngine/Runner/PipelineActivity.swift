import StageKit

/// The progress of a run and how long it may be silent, for deciding whether it waits or hangs.
public struct PipelineActivity: Sendable, Equatable {
    /// Everything that changes with a step of the run.
    public struct Steps: Sendable, Equatable {
        /// When the batch in flight was taken, or `nil` if there is none.
        package var batch: ContinuousClock.Instant?
        /// The steps that were reported.
        package var pulses: UInt64
        /// The steps of the source, or `nil` while a batch is in flight: readers of other streams continue while a
        /// stage hangs and must not hide it.
        package var source: UInt64?

        package init(batch: ContinuousClock.Instant?, pulses: UInt64, source: UInt64?) {
            self.batch = batch
            self.pulses = pulses
            self.source = source
        }
    }

    /// Changes with each step.
    public var steps: Steps
    /// The end of the longest wait that was declared, or `nil` if there is none.
    public var silentUntil: ContinuousClock.Instant?
    /// How long the run may be silent after a step, without a declared wait: the source's own waits while no batch is
    /// in flight.
    public var patience: Duration

    package init(steps: Steps, silentUntil: ContinuousClock.Instant? = nil, patience: Duration = .zero) {
        self.steps = steps
        self.silentUntil = silentUntil
        self.patience = patience
    }
}

/// Measures how long a run has been silent although it should not have been, between calls. Pure.
public struct SilenceWatch: Sendable {
    private var last: (steps: PipelineActivity.Steps, since: ContinuousClock.Instant)?

    /// Creates a watch without observations.
    public init() {}

    /// Observes the activity.
    ///
    /// - Returns: The time since the run should have made a step, or zero if it has made one since the last call or may
    ///   still be silent.
    public mutating func silence(_ activity: PipelineActivity, now: ContinuousClock.Instant) -> Duration {
        guard let last = self.last, last.steps == activity.steps else {
            self.last = (activity.steps, now)
            return .zero
        }
        let due = max(last.since + activity.patience, activity.silentUntil ?? last.since)
        return max(.zero, now - due)
    }
}
