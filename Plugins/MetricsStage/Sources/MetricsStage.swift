import CoreMetrics
public import StageKit

/// Counts events, told apart by labels. The counter stands where the metrics system keeps it, up to date at each batch's
/// end.
public final class MetricsStage: Stage {
    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "metrics",
        summary: "Counts events, told apart by the values of fields.",
        settings: .object(Settings.schema),
        example: """
            metrics: { counter: orders, labels: [status] }
            """,
        failureReason: "metrics_failure")

    private let counter: String
    private let labels: [String]
    private let pipeline: String
    private let metrics: any MetricsFactory
    private let key: LabelKey
    private let sets: LabelSets

    /// Makes the stage; it reads the fields that are labels.
    public init(_ settings: Settings, _ setup: StageSetup) {
        var seen: Set<String> = []
        let labels = settings.labels.map { name -> LabelKey.Label in
            if !seen.insert(name.text).inserted {
                setup.issues.add("the label \"\(name.text)\" is given twice", at: name.mark)
            }
            return switch name.text {
            case "component": .component
            case "reason": .reason
            case "stage": .stage
            default: .field(setup.input(name))
            }
        }
        self.counter = settings.counter
        self.labels = settings.labels.map(\.text)
        self.pipeline = setup.pipeline
        self.metrics = setup.metrics
        self.key = LabelKey(labels: labels)
        self.sets = LabelSets(keyCapacity: self.key.capacity)
    }

    /// Counts the event.
    public func process(_ event: inout Event) throws -> Verdict {
        self.key.read(event)
        self.sets.count(self.key)
        return .next
    }

    /// Hands the batch's counts to the metrics system.
    public func endBatch() async throws {
        self.sets.flush { values in
            let dimensions = zip(self.labels, values).map { label, value in
                (label, label == "component" ? self.pipeline : value)
            }
            return Counter(label: self.counter, dimensions: dimensions, factory: self.metrics)
        }
    }
}
