import CoreMetrics
public import StageKit

/// Counts events or measures their numbers by labels. The metrics system receives the values at the end of each batch.
public final class MetricsStage: Stage {
    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "metrics",
        summary: "Counts events or measures their numbers, with the values of fields as labels.",
        settings: Settings.type,
        example: """
            metrics: { histogram: order_amount, value: amount, labels: [status] }
            """,
        failureReason: "metrics_failure")

    private let kind: Kind
    private let name: String
    /// The field whose number is measured, or `nil` if events are counted.
    private let value: FieldID?
    private let labels: [String]
    private let pipeline: String
    private let metrics: any MetricsFactory
    private let key: LabelKey
    private let sets: LabelSets
    private var measurements = Measurements()

    /// Creates the stage; it reads the measured field and the labels' fields.
    public init(_ settings: Settings, _ setup: StageSetup) {
        var seen: Set<String> = []
        let labels = settings.labels.map { name -> LabelKey.Label in
            if !seen.insert(name.text).inserted {
                setup.issues.add("the label \"\(name.text)\" is listed twice", at: name.position)
            }
            return switch name.text {
            case "component": .component
            case "reason": .reason
            case "stage": .stage
            default: MetricsStage.label(name, setup)
            }
        }
        (self.kind, self.name) = settings.measure
        self.value = settings.value.map { MetricsStage.measured($0, setup) }
        self.labels = settings.labels.map(\.text)
        self.pipeline = setup.pipeline
        self.metrics = setup.metrics
        self.key = LabelKey(labels: labels)
        self.sets = LabelSets(keyCapacity: self.key.capacity)
    }

    /// Returns the label for a field's value, or for the fixed text that replaces secret values.
    private static func label(_ name: LocatedName, _ setup: StageSetup) -> LabelKey.Label {
        let field = setup.input(name)
        return setup.isSecret(name.text) ? .secret : .field(field)
    }

    /// Returns the field whose number is measured. A metric shows the number, so a secret cannot be measured.
    private static func measured(_ name: LocatedName, _ setup: StageSetup) -> FieldID {
        if setup.isSecret(name.text) {
            setup.issues.add(
                "value: the field \"\(name.text)\" is secret, but a metric would reveal its numbers: measure "
                    + "another field",
                at: name.position)
        }
        return setup.input(name)
    }

    /// Counts or measures the event; an event without the measured number continues unchanged.
    public func process(_ event: inout Event) throws -> Verdict {
        if let value = self.value {
            self.measure(event, value)
        } else {
            self.key.read(event)
            self.sets.count(self.key)
        }
        return .next
    }

    /// Passes counters and gauges to the metrics system.
    public func endBatchAtOnce() -> Bool {
        self.sets.flush { values in
            Counter(label: self.name, dimensions: self.dimensions(values), factory: self.metrics)
        }
        guard self.value != nil else { return true }
        self.measurements.flush({ self.recorder($0) }) { index in
            FloatingPointCounter(
                label: self.name, dimensions: self.dimensions(self.sets[index]), factory: self.metrics)
        }
        return true
    }

    /// Measures the field's number; text is converted as in `decode`.
    private func measure(_ event: borrowing Event, _ value: FieldID) {
        if let typed = event.typedValue(of: value) {
            guard let number = typed.number, number.isFinite, self.kind != .counter || number >= 0 else { return }
            self.key.read(event)
            let index = self.sets.index(of: self.key)
            if self.kind == .counter { return self.measurements.add(number, at: index) }
            return self.record(number, at: index)
        }
        guard let number = event.integer(of: value) ?? MetricsStage.number(event, value) else { return }
        if self.kind == .counter, number < 0 { return }
        self.key.read(event)
        if self.kind == .counter { return self.sets.add(number, self.key) }
        self.record(Double(number), at: self.sets.index(of: self.key))
    }

    private func record(_ number: Double, at index: Int) {
        if self.kind == .gauge {
            self.measurements.set(number, at: index)
        } else {
            self.measurements.record(number, at: index) { self.recorder($0) }
        }
    }

    private static func number(_ event: borrowing Event, _ value: FieldID) -> Int64? {
        guard let range = event.range(of: value) else { return nil }
        return event.withBytes(range) { bytes in
            try? DecimalInteger.parse(bytes.extracting(Blank.trimmed(bytes)))
        }
    }

    private func recorder(_ index: Int) -> Recorder {
        Recorder(
            label: self.name, dimensions: self.dimensions(self.sets[index]), aggregate: self.kind == .histogram,
            factory: self.metrics)
    }

    private func dimensions(_ values: [String]) -> [(String, String)] {
        zip(self.labels, values).map { label, value in (label, label == "component" ? self.pipeline : value) }
    }
}
