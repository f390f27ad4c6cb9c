import StageKit

/// A rule for a value.
enum Rule {
    /// The field must have a value if the condition holds; `text` is the condition's text.
    case requiredIf(Condition, text: String)
    /// The value must be exactly one of these.
    case oneOf(WordList)
    /// The value must match a pattern.
    case pattern(Pattern)
    /// The value must have a length in this range.
    case length(ValidateStage.LengthRule)
    /// The value must be a number in this range.
    case range(ValidateStage.RangeRule)
    /// The value must be a time that is at most this number of milliseconds in the future.
    case notInFuture(Int64, text: String)

    /// Returns the rules of a field, in the order in which they are checked.
    static func rules(_ rules: ValidateStage.Rules, _ setup: StageSetup) -> [Rule] {
        [
            rules.requiredIf.map { .requiredIf($0.resolve(setup), text: $0.text) },
            rules.oneOf.map { .oneOf(WordList($0)) },
            rules.pattern.map { .pattern($0) },
            rules.length.map { .length($0) },
            rules.range.map { .range($0) },
            rules.notInFuture.map {
                .notInFuture($0.microseconds / 1000, text: $0 == .zero ? "0s" : SettingUnits.text($0))
            },
        ].compactMap(\.self)
    }

    /// Whether the rule reads the clock.
    var needsClock: Bool {
        if case .notInFuture = self { true } else { false }
    }
}

/// The allowed values of a field. A class, so that reading the rule does not copy them.
final class WordList {
    /// The values as shown in messages.
    let text: String
    /// The values as bytes, so that no conversion is needed per event.
    private let words: [[UInt8]]

    /// Creates a list of values.
    init(_ words: [String]) {
        self.words = words.map { Array($0.utf8) }
        self.text = words.joined(separator: ", ")
    }

    /// Returns whether a value is in the list.
    func contain(_ value: Span<UInt8>) -> Bool {
        for index in self.words.indices where value.hasSameBytes(as: self.words[index]) { return true }
        return false
    }
}

/// One rule of one field, with the rules after it.
///
/// A class, because a struct would be copied with its contents for each event. A chain instead of an array, because
/// following constant class references needs no reference counting.
final class Check {
    private let name: String
    private let field: FieldID
    /// The allowed values, if the rule has a list.
    private let words: WordList?
    private let isSecret: Bool
    private let rule: Rule
    private let next: Check?

    /// Creates a check of a rule for the field `name`, followed by another check.
    ///
    /// - Parameter isSecret: Whether messages must not show the field's value.
    init(name: String, field: FieldID, isSecret: Bool, rule: Rule, before next: Check?) {
        self.name = name
        self.field = field
        self.isSecret = isSecret
        self.rule = rule
        self.next = next
        self.words = if case .oneOf(let words) = rule { words } else { nil }
    }

    /// Whether this rule or a later one reads the clock.
    var needsClock: Bool { self.rule.needsClock || self.next?.needsClock ?? false }

    /// Returns the first rule, starting with this one, that the event breaks. `now` is in milliseconds since the epoch.
    func firstFailing(_ event: borrowing Event, now: Int64) -> Check? {
        if !self.passes(event, now: now) { return self }
        return self.next?.firstFailing(event, now: now)
    }

    private func passes(_ event: borrowing Event, now: Int64) -> Bool {
        guard let range = event.range(of: self.field) else {
            if case .requiredIf(let condition, _) = self.rule {
                // The error of an expression breaks the rule; the failure's message is then that of the error.
                return (try? condition.holds(for: event)).map { !$0 } ?? false
            }
            return true
        }
        // Checked separately, because switching over a rule copies it.
        if let words = self.words { return event.withBytes(range) { words.contain($0) } }
        switch self.rule {
        case .requiredIf: return true
        case .oneOf(let words): return event.withBytes(range) { words.contain($0) }
        case .pattern(let pattern): return event.withBytes(range) { pattern.matches($0) }
        case .length(let rule):
            let count = Check.length(event, range, rule.unit)
            return count >= rule.min ?? 0 && count <= rule.max ?? .max
        case .range(let rule):
            guard let number = self.number(event, range) else {
                guard let number = event.typedValue(of: self.field)?.number else { return false }
                return number >= Double(rule.min ?? .min) && number <= Double(rule.max ?? .max)
            }
            return number >= rule.min ?? .min && number <= rule.max ?? .max
        case .notInFuture(let allowed, _):
            guard let time = self.number(event, range) else { return false }
            let (latest, overflow) = now.addingReportingOverflow(allowed)
            return overflow || time <= latest
        }
    }

    /// Returns the value as a whole number, decoded or converted from its text; a timestamp in milliseconds.
    private func number(_ event: borrowing Event, _ range: ByteRange) -> Int64? {
        if let integer = event.integer(of: self.field) { return integer }
        if case .timestamp(let seconds, let nanoseconds)? = event.typedValue(of: self.field) {
            return seconds * 1000 + Int64(nanoseconds / 1_000_000)
        }
        return event.withBytes(range) { bytes in
            try? DecimalInteger.parse(bytes.extracting(Blank.trimmed(bytes)))
        }
    }

    private static func length(
        _ event: borrowing Event, _ range: ByteRange, _ unit: ValidateStage.LengthRule.Unit
    ) -> Int {
        switch unit {
        case .bytes: Int(range.length)
        case .characters:
            event.withBytes(range) { bytes in
                var count = 0
                for index in bytes.indices where bytes[index] & 0xC0 != 0x80 { count += 1 }
                return count
            }
        }
    }

    /// Returns the failure of an event that breaks the rule, with the value found and the values allowed.
    func failure(_ event: borrowing Event, now: Int64) -> StageFailure {
        if case .requiredIf(let condition, _) = self.rule {
            do throws(StageFailure) {
                _ = try condition.holds(for: event)
            } catch {
                return error
            }
        }
        return StageFailure("validate: \(self.name): \(self.problem(event, now))")
    }

    private func problem(_ event: borrowing Event, _ now: Int64) -> String {
        guard let range = event.range(of: self.field) else {
            if case .requiredIf(_, let text) = self.rule { return "missing (required if \(text))" }
            return "missing"
        }
        let value = FieldTable.shown(event.withBytes(range) { QuotedText.quote($0) }, isSecret: self.isSecret)
        switch self.rule {
        case .requiredIf: return "unsupported value \(value)"
        case .oneOf(let words): return "unsupported value \(value) (one of \(words.text))"
        case .pattern(let pattern): return "\(value) does not match the pattern \(pattern)"
        case .length(let rule):
            let allowed = Limits.describe(rule.min, rule.max)
            // The length of a secret reveals something about it.
            if self.isSecret { return "\(value) is too short or too long (\(rule.unit.rawValue): \(allowed))" }
            let count = Check.length(event, range, rule.unit)
            let unit = count == 1 ? String(rule.unit.rawValue.dropLast()) : rule.unit.rawValue
            return "\(value) has \(count) \(unit) (\(allowed))"
        case .range(let rule):
            let allowed = Limits.describe(rule.min, rule.max)
            guard let number = self.number(event, range) else {
                let isNumber = event.typedValue(of: self.field)?.number != nil
                return "\(value) is \(isNumber ? "out of range" : "not a whole number") (\(allowed))"
            }
            return "\(FieldTable.shown("\(number)", isSecret: self.isSecret)) is out of range (\(allowed))"
        case .notInFuture(_, let text):
            guard let time = self.number(event, range) else {
                return "\(value) is not a time in milliseconds since 1970"
            }
            if self.isSecret { return "\(value) is in the future (at most \(text))" }
            return
                "\(time) is \(time.subtractingReportingOverflow(now).partialValue) ms in the future (at most \(text))"
        }
    }
}
