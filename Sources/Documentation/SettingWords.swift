import StageKit

/// The allowed values of a setting, in words.
enum SettingWords {
    /// Describes the kind of value: `a whole number, 1 to 100000`.
    static func kind(_ shape: SettingShape) -> String {
        switch shape {
        case .text: "text"
        case .nonBlankText: "text, not blank"
        case .secret: "secret text, never shown"
        case .integer(let range): "a whole number" + self.range(range).map { ", \($0)" }.joined()
        case .boolean: "true or false"
        case .duration(let minimum):
            "a duration such as 250ms, 5s or 2m" + (minimum > .zero ? ", at least \(SettingUnits.text(minimum))" : "")
        case .byteSize(let range):
            "a size such as 64KiB, "
                + "\(SettingUnits.text(bytes: range.lowerBound)) to \(SettingUnits.text(bytes: range.upperBound))"
        case .choice(let words): words.joined(separator: " | ")
        case .list(let element, let orSingle, let minimum):
            (orSingle ? "one, or a list" : "a list") + self.atLeast(minimum) + ", of: \(self.kind(element))"
        case .map(let element, let minimum, _):
            "a mapping of names of your choice\(self.atLeast(minimum)), each: \(self.kind(element))"
        case .object: "settings"
        case .oneName(let names, _): "one of \(names.map(\.name).joined(separator: ", "))"
        case .reference(let name): "a \(name)"
        case .form(let words, _): words
        case .either(let shapes): shapes.map { self.kind($0) }.joined(separator: "; or ")
        case .nullable(let shape): self.kind(shape)
        }
    }

    /// Returns the name of a kind of value in JSON output: `integer`, `list`.
    static func typeName(_ shape: SettingShape) -> String {
        switch shape {
        case .text, .nonBlankText: "text"
        case .secret: "secret"
        case .integer: "integer"
        case .boolean: "boolean"
        case .duration: "duration"
        case .byteSize: "size"
        case .choice: "choice"
        case .list: "list"
        case .map: "map"
        case .object: "object"
        case .oneName: "one_name"
        case .reference(let name): name
        case .form: "form"
        case .either: "either"
        case .nullable(let shape): self.typeName(shape)
        }
    }

    /// Returns sentences about limits that are not part of the kind of value.
    static func limits(_ shape: SettingShape) -> [String] {
        switch shape {
        case .nonBlankText: ["Not blank."]
        case .integer(let range): self.range(range).map { "\($0.prefix(1).uppercased())\($0.dropFirst())." }
        case .duration(let minimum) where minimum > .zero: ["At least \(SettingUnits.text(minimum))."]
        case .byteSize(let range):
            ["\(SettingUnits.text(bytes: range.lowerBound)) to \(SettingUnits.text(bytes: range.upperBound))."]
        case .form(let words, _): ["Form: \(words)."]
        case .list(_, _, let minimum) where minimum > 0: ["At least \(minimum)."]
        case .map(_, let minimum, _) where minimum > 0: ["At least \(minimum)."]
        case .nullable(let shape): self.limits(shape)
        default: []
        }
    }

    private static func atLeast(_ minimum: Int) -> String { minimum > 0 ? ", at least \(minimum)" : "" }

    private static func range(_ range: ClosedRange<Int>) -> [String] {
        switch (range.lowerBound, range.upperBound) {
        case (Int.min, Int.max): []
        case (let low, Int.max): ["at least \(low)"]
        case (Int.min, let high): ["at most \(high)"]
        case (let low, let high): ["\(low) to \(high)"]
        }
    }
}
