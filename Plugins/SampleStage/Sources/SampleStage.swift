public import StageKit

/// Keeps one event in N, always the same ones: a hash decides, so the stage has no state.
public final class SampleStage: Stage {
    /// The settings under `sample`.
    public struct Settings: Sendable {
        /// N: one in this many events continues.
        public var oneIn = 1
        /// The fields whose values are hashed, so that events with equal values are kept or skipped together. If empty,
        /// the entry's id is hashed.
        public var by: [MarkedName] = []

        /// The largest N.
        static let oneInLimit = 1_000_000_000

        /// The settings' names and types in the file.
        static let schema = SettingsSchema(
            Settings(),
            [
                .required(
                    "one_in", \.oneIn, .integer(1...Settings.oneInLimit), "N: one in this many events continues."),
                .optional(
                    "by", \.by, .list(of: .name, orSingle: true), default: "[]",
                    "Fields whose values are sampled as a whole; without it, entries are sampled."
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
    private let fields: [FieldID]
    private let reason: ReasonID

    /// Creates the stage; it reads the fields of `by`.
    public init(_ settings: Settings, _ setup: StageSetup) {
        self.oneIn = UInt64(settings.oneIn)
        setup.issues.context += ": by"
        self.fields = settings.by.map { setup.input($0) }
        self.reason = setup.reason("not_sampled")
    }

    /// Skips an event that is not in the sample.
    public func process(_ event: inout Event) throws -> Verdict {
        self.hash(of: event) % self.oneIn == 0 ? .next : .finish(.skipped, self.reason)
    }

    private func hash(of event: borrowing Event) -> UInt64 {
        var hash = StableHash()
        if self.fields.isEmpty {
            hash.combine(event.orderID.milliseconds)
            hash.combine(event.orderID.sequence)
        }
        for index in self.fields.indices {
            if let range = event.range(of: self.fields[index]) {
                hash.combine(unsafe event.unsafeBytes(range).span)
            } else {
                // No value has this length.
                hash.combine(UInt64.max)
            }
        }
        return hash.value
    }
}
