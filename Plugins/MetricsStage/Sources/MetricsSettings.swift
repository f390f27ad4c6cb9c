public import StageKit

extension MetricsStage {
    /// The settings under `metrics`.
    public struct Settings: Sendable {
        /// The name of the counter, or `nil` if another kind is declared.
        public var counter: String?
        /// The name of the gauge, or `nil` if another kind is declared.
        public var gauge: String?
        /// The name of the histogram, or `nil` if another kind is declared.
        public var histogram: String?
        /// The field whose number is measured, or `nil` to count events.
        public var value: LocatedName?
        /// Fields or built-in names whose values are the labels.
        public var labels: [LocatedName] = []

        /// The metric's kind and name.
        var measure: (kind: Kind, name: String) {
            if let gauge = self.gauge { return (.gauge, gauge) }
            if let histogram = self.histogram { return (.histogram, histogram) }
            return (.counter, self.counter ?? "")
        }

        /// The settings' names and types in the file.
        static let type = SettingType.object(Settings.schema).map { (settings) throws(SettingRefusal) in
            let names = [settings.counter, settings.gauge, settings.histogram].compactMap(\.self)
            guard names.count == 1 else { throw SettingRefusal("expected one of counter, gauge and histogram") }
            if settings.counter == nil, settings.value == nil {
                throw SettingRefusal("missing setting \"value\": the field to measure")
            }
            return settings
        }

        private static let schema = SettingsSchema(
            Settings(),
            [
                .optional(
                    "counter", \.counter, .optional(Settings.name(of: "counter")),
                    "Name of a counter (Prometheus syntax) that counts events or adds up numbers."),
                .optional(
                    "gauge", \.gauge, .optional(Settings.name(of: "gauge")),
                    "Name of a gauge that holds the last number."),
                .optional(
                    "histogram", \.histogram, .optional(Settings.name(of: "histogram")),
                    "Name of a histogram that counts numbers by size."),
                .optional(
                    "value", \.value, .optional(.name),
                    "Field with the number to measure; optional for a counter, which counts events without it."),
                .optional(
                    "labels", \.labels, .list(of: Settings.labelName), default: "[]",
                    "Labels: field names, or component, reason and stage (of the failure)."),
            ], alternatives: [.exactlyOne("counter", "gauge", "histogram")])

        /// The prefixes of the worker's own metrics. Another metric of the same name would be added to one of them, or
        /// appear twice in the exposition.
        private static let reservedPrefixes = ["sluice_", "process_"]

        /// `[a-zA-Z_:][a-zA-Z0-9_:]*` (Prometheus, "Metric names and labels").
        private static func name(of kind: String) -> SettingType<String> {
            SettingType<String>.text.map { (text) throws(SettingRefusal) in
                if let prefix = Self.reservedPrefixes.first(where: text.hasPrefix) {
                    throw SettingRefusal(
                        "\"\(text)\" cannot be the name of a \(kind): names that begin with \(prefix) are reserved "
                            + "for the worker"
                    )
                }
                if Settings.isName(text, also: ":") { return text }
                throw SettingRefusal(
                    "\"\(text)\" is not a valid name of a \(kind): use only letters, digits, _ and :, and do not "
                        + "begin with a digit"
                )
            }
        }

        /// `[a-zA-Z_][a-zA-Z0-9_]*`, without the prefix `__`, which Prometheus reserves.
        private static let labelName = SettingType<LocatedName>.name.map { (name) throws(SettingRefusal) in
            if Settings.isName(name.text, also: ""), !name.text.hasPrefix("__") { return name }
            throw SettingRefusal(
                "\"\(name.text)\" cannot be a label: use only letters, digits and _, and do not begin with a digit "
                    + "or __"
            )
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

    /// The kind of metric.
    enum Kind: BitwiseCopyable {
        /// A sum that only increases.
        case counter
        /// The last number.
        case gauge
        /// Counts numbers by size.
        case histogram
    }
}
