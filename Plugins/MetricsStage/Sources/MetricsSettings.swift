public import StageKit

extension MetricsStage {
    /// What the YAML under `metrics` says.
    public struct Settings: Sendable {
        /// A counter's name; nil where another kind is meant.
        public var counter: String?
        /// A gauge's name; nil where another kind is meant.
        public var gauge: String?
        /// A histogram's name; nil where another kind is meant.
        public var histogram: String?
        /// The field whose number is measured; nil to count events.
        public var value: MarkedName?
        /// Fields or built-in names, whose values are the labels.
        public var labels: [MarkedName] = []

        /// What is kept, and its name.
        var measure: (kind: Kind, name: String) {
            if let gauge = self.gauge { return (.gauge, gauge) }
            if let histogram = self.histogram { return (.histogram, histogram) }
            return (.counter, self.counter ?? "")
        }

        /// How the file spells them.
        static let type = SettingType.object(Settings.schema).map { (settings) throws(SettingRefusal) in
            let names = [settings.counter, settings.gauge, settings.histogram].compactMap(\.self)
            guard names.count == 1 else { throw SettingRefusal("expected one of counter, gauge and histogram") }
            if settings.counter == nil, settings.value == nil {
                throw SettingRefusal("missing setting \"value\": the field whose number is measured")
            }
            return settings
        }

        private static let schema = SettingsSchema(
            Settings(),
            [
                .optional(
                    "counter", \.counter, .optional(Settings.name(of: "counter")),
                    "The name of a counter, as Prometheus spells names: it counts events, or adds up numbers."),
                .optional(
                    "gauge", \.gauge, .optional(Settings.name(of: "gauge")),
                    "The name of a gauge: it holds the number that came last."),
                .optional(
                    "histogram", \.histogram, .optional(Settings.name(of: "histogram")),
                    "The name of a histogram: it counts numbers by their size."),
                .optional(
                    "value", \.value, .optional(.name),
                    "The field whose whole number is measured; only a counter does without, and counts events."),
                .optional(
                    "labels", \.labels, .list(of: Settings.labelName), default: "[]",
                    "Labels: names of fields, or component, reason and stage (of the failure)."),
            ])

        /// How the metrics begin that a worker has whatever its pipeline: another of such a name would be added to one of
        /// them, or stand twice in what Prometheus reads.
        private static let reservedPrefixes = ["sluice_", "process_"]

        /// `[a-zA-Z_:][a-zA-Z0-9_:]*` (Prometheus, "Metric names and labels").
        private static func name(of kind: String) -> SettingType<String> {
            SettingType<String>.text.map { (text) throws(SettingRefusal) in
                if let prefix = Self.reservedPrefixes.first(where: text.hasPrefix) {
                    throw SettingRefusal(
                        "\"\(text)\" cannot be a \(kind)'s name: names that begin with \(prefix) are the worker's own")
                }
                if Settings.isName(text, also: ":") { return text }
                throw SettingRefusal(
                    "\"\(text)\" is no \(kind)'s name: letters, digits, _ and : only, and no digit at the beginning")
            }
        }

        /// `[a-zA-Z_][a-zA-Z0-9_]*`, without the two underscores that Prometheus keeps for itself.
        private static let labelName = SettingType<MarkedName>.name.map { (name) throws(SettingRefusal) in
            if Settings.isName(name.text, also: ""), !name.text.hasPrefix("__") { return name }
            throw SettingRefusal(
                "\"\(name.text)\" cannot be a label: letters, digits and _ only, and no digit or __ at the beginning")
        }

        private static func isName(_ text: String, also extra: String) -> Bool {
            let isDigit = text.utf8.first.map { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ?? true
            return !isDigit
                && text.unicodeScalars.allSatisfy { scalar in
                    scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)) || scalar == "_"
                        || extra.unicodeScalars.contains(scalar)
                }
        }
    }

    /// What is kept of the events.
    enum Kind: BitwiseCopyable {
        /// A sum that only grows.
        case counter
        /// The last number.
        case gauge
        /// Numbers by size.
        case histogram
    }
}
