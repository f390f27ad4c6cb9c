public import StageKit

/// Lets one of so many events through, always the same ones: it decides by a hash and keeps no state.
public final class SampleStage: Stage {
    /// What the YAML under `sample` says.
    public struct Settings: Sendable {
        /// One of how many goes on.
        public var oneIn = 1
        /// The fields whose values stay or go together; empty for the entry's id.
        public var by: [MarkedName] = []

        /// The smallest share: one of a thousand million.
        static let oneInLimit = 1_000_000_000

        /// How the file spells them.
        static let schema = SettingsSchema(
            Settings(),
            [
                .required(
                    "one_in", \.oneIn, .integer(1...Settings.oneInLimit), "One of how many events goes on."),
                .optional(
                    "by", \.by, .list(of: .name, orSingle: true), default: "[]",
                    "Fields whose values are in the sample with all their events or with none; without it, entries are."
                ),
            ])
    }

    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "sample",
        summary: "Lets one of so many events through, always the same ones, and skips the others.",
        settings: .object(Settings.schema),
        example: """
            sample: { one_in: 10, by: order_id }
            """,
        failureReason: "sample_failure")

    private let oneIn: UInt64
    private let fields: [FieldID]
    private let reason: ReasonID

    /// Makes the stage; it reads the fields that decide.
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
            hash.combine(event.id.milliseconds)
            hash.combine(event.id.sequence)
        }
        for index in self.fields.indices {
            if let range = event.range(of: self.fields[index]) {
                hash.combine(unsafe event.unsafeBytes(range).span)
            } else {
                // No value is that long.
                hash.combine(UInt64.max)
            }
        }
        return hash.value
    }
}
