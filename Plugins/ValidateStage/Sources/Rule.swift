import StageKit

/// What a value must keep to, ready to be asked.
enum Rule {
    /// The field must have a value where the condition holds; the text is the condition's.
    case requiredIf(Condition, text: String)
    /// It is exactly one of these.
    case oneOf(WordList)
    /// It has a pattern.
    case pattern(Pattern)
    /// It is so long.
    case length(ValidateStage.LengthRule)
    /// It is a number between these.
    case range(ValidateStage.RangeRule)
    /// It is a time that is at most so many milliseconds ahead.
    case notInFuture(Int64, text: String)

    /// The rules that a field has, in the order they are checked.
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

    /// Whether it asks what time it is.
    var needsClock: Bool {
        if case .notInFuture = self { true } else { false }
    }
}

/// The words that a value may be; of a class, so that to look at the rule copies none of them.
final class WordList {
    /// What they are in a message.
    let text: String
    /// As bytes, so that nothing is converted for each event.
    private let words: [[UInt8]]

    /// Lists words.
    init(_ words: [String]) {
        self.words = words.map { Array($0.utf8) }
        self.text = words.joined(separator: ", ")
    }

    /// Whether a value is one of them.
    func contain(_ value: Span<UInt8>) -> Bool {
        for index in self.words.indices where value.hasSameBytes(as: self.words[index]) { return true }
        return false
    }
}

/// One rule of one field, and those that are asked behind it.
///
/// Of a class, because a struct would be copied with all that it holds for each event; and a chain of them rather than an
/// array, because to go along constants of classes counts no references.
final class Check {
    private let name: String
    private let field: FieldID
    /// The words of a rule that has some.
    private let words: WordList?
    private let rule: Rule
    private let next: Check?

    /// Makes a check of a rule for the field called `name`, which comes before another.
    init(name: String, field: FieldID, rule: Rule, before next: Check?) {
        self.name = name
        self.field = field
        self.rule = rule
        self.next = next
        self.words = if case .oneOf(let words) = rule { words } else { nil }
    }

    /// Whether this or any behind it asks what time it is.
    var needsClock: Bool { self.rule.needsClock || self.next?.needsClock ?? false }

    /// The first, from this on, that an event does not pass; `now` is in milliseconds since the epoch.
    func firstFailing(_ event: borrowing Event, now: Int64) -> Check? {
        if !self.passes(event, now: now) { return self }
        return self.next?.firstFailing(event, now: now)
    }

    private func passes(_ event: borrowing Event, now: Int64) -> Bool {
        guard let range = event.range(of: self.field) else {
            if case .requiredIf(let condition, _) = self.rule { return !condition.holds(for: event) }
            return true
        }
        // Apart, because a rule that is looked at is copied first.
        if let words = self.words { return event.withBytes(range) { words.contain($0) } }
        switch self.rule {
        case .requiredIf: return true
        case .oneOf(let words): return event.withBytes(range) { words.contain($0) }
        case .pattern(let pattern): return event.withBytes(range) { pattern.matches($0) }
        case .length(let rule):
            let count = Check.length(event, range, rule.unit)
            return count >= rule.min ?? 0 && count <= rule.max ?? .max
        case .range(let rule):
            guard let number = self.number(event, range) else { return false }
            return number >= rule.min ?? .min && number <= rule.max ?? .max
        case .notInFuture(let allowed, _):
            guard let time = self.number(event, range) else { return false }
            let (latest, overflow) = now.addingReportingOverflow(allowed)
            return overflow || time <= latest
        }
    }

    /// The value as a number: as it was decoded, or its text read as one.
    private func number(_ event: borrowing Event, _ range: ByteRange) -> Int64? {
        if let integer = event.integer(of: self.field) { return integer }
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

    /// What to tell of an event that does not pass: what was found and what is allowed.
    func failure(_ event: borrowing Event, now: Int64) -> StageFailure {
        StageFailure("validate: \(self.name): \(self.problem(event, now))")
    }

    private func problem(_ event: borrowing Event, _ now: Int64) -> String {
        guard let range = event.range(of: self.field) else {
            if case .requiredIf(_, let text) = self.rule { return "missing (required where \(text))" }
            return "missing"
        }
        let value = event.withBytes(range) { QuotedText.quote($0) }
        switch self.rule {
        case .requiredIf: return "unsupported value \(value)"
        case .oneOf(let words): return "unsupported value \(value) (one of \(words.text))"
        case .pattern(let pattern): return "\(value) does not have the pattern \(pattern)"
        case .length(let rule):
            let count = Check.length(event, range, rule.unit)
            let unit = count == 1 ? String(rule.unit.rawValue.dropLast()) : rule.unit.rawValue
            return "\(value) has \(count) \(unit) (\(Limits.describe(rule.min, rule.max)))"
        case .range(let rule):
            let allowed = Limits.describe(rule.min, rule.max)
            guard let number = self.number(event, range) else { return "\(value) is not a whole number (\(allowed))" }
            return "\(number) is out of range (\(allowed))"
        case .notInFuture(_, let text):
            guard let time = self.number(event, range) else {
                return "\(value) is not a time in milliseconds since 1970"
            }
            return
                "\(time) is \(time.subtractingReportingOverflow(now).partialValue) ms in the future (at most \(text))"
        }
    }
}
