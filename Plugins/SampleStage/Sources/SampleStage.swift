public import StageKit

/// Keeps one event in N, always the same ones: a hash decides, so the stage has no state.
public final class SampleStage: Stage {
    /// The settings under `sample`.
    public struct Settings: Sendable {
        /// N: one in this many events continues.
        public var oneIn = 1
        /// The fields and expressions whose values are hashed, so that events with equal values are kept or skipped
        /// together. If empty, the entry's id is hashed.
        public var by: [KeyPart] = []

        /// The largest N.
        static let oneInLimit = 1_000_000_000

        /// The settings' names and types in the file.
        static let schema = SettingsSchema(
            Settings(),
            [
                .required(
                    "one_in", \.oneIn, .integer(1...Settings.oneInLimit), "N: one in this many events continues."),
                .optional(
                    "by", \.by, .list(of: .keyPart, orSingle: true), default: "[]",
                    "Fields or expressions whose values are sampled as a whole; without it, entries are sampled."
                ),
            ])
    }

    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "sample",
        summary: "Keeps one event in N deterministically and skips the others.",
        settings: .object(Settings.schema),
        example: """
            sample: { one_in: 10, by: order_id }
            """,
        failureReason: "sample_failure")

    private let oneIn: UInt64
    private let key: EventKeyParts
    private let reason: ReasonID

    /// Creates the stage; it reads the fields and expressions of `by`.
    public init(_ settings: Settings, _ setup: StageSetup) {
        self.oneIn = UInt64(settings.oneIn)
        setup.issues.context += ": by"
        self.key = EventKeyParts(settings.by, setup)
        self.reason = setup.reason("not_sampled")
    }

    /// Skips an event that is not in the sample.
    ///
    /// - Throws: The error of an expression.
    public func process(_ event: inout Event) throws -> Verdict {
        try self.hash(of: event) % self.oneIn == 0 ? .next : .finish(.skipped, self.reason)
    }

    private func hash(of event: borrowing Event) throws(StageFailure) -> UInt64 {
        var hash = StableHash()
        if self.key.isEmpty {
            hash.combine(event.orderID.milliseconds)
            hash.combine(event.orderID.sequence)
        }
        try self.key.forEachValue(of: event) { value in
            if let value {
                hash.combine(value)
            } else {
                // No value has this length.
                hash.combine(UInt64.max)
            }
        }
        return hash.value
    }
}
