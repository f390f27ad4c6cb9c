public import StageKit

extension MetricsStage {
    /// What the YAML under `metrics` says.
    public struct Settings: Sendable {
        /// The counter's name.
        public var counter = ""
        /// Fields or built-in names, whose values are the counter's labels.
        public var labels: [MarkedName] = []

        /// How the file spells them.
        static let schema = SettingsSchema(
            Settings(),
            [
                .required(
                    "counter", \.counter, Settings.counterName, "The counter's name, as Prometheus spells names."),
                .optional(
                    "labels", \.labels, .list(of: Settings.labelName), default: "[]",
                    "Labels: names of fields, or component, reason and stage (of the failure)."),
            ])

        /// `[a-zA-Z_:][a-zA-Z0-9_:]*` (Prometheus, "Metric names and labels").
        private static let counterName = SettingType<String>.text.map { (text) throws(SettingRefusal) in
            if Settings.isName(text, also: ":") { return text }
            throw SettingRefusal(
                "\"\(text)\" is no counter's name: letters, digits, _ and : only, and no digit at the beginning")
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
}
