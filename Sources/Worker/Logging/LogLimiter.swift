package import Logging

/// What makes log lines alike, so that many of them say little more than a few and their number.
package struct LogKind: Hashable, Sendable {
    /// Bytes of a message or a reason that are compared: the table of kinds stays small whatever is logged.
    static let textLimit = 256
    /// Where lines count whose kind would be one too many.
    static let others = LogKind(level: .warning, message: "other messages", reason: nil)

    /// Their level.
    package var level: Logger.Level
    /// Their words.
    package var message: String
    /// Their `reason`, if they have one: a flood of one reason must not hide another.
    package var reason: String?

    /// Creates a kind.
    package init(level: Logger.Level, message: String, reason: String?) {
        self.level = level
        self.message = Self.cut(message)
        self.reason = reason.map(Self.cut)
    }

    private static func cut(_ text: String) -> String {
        text.utf8.count <= Self.textLimit ? text : String(decoding: text.utf8.prefix(Self.textLimit), as: UTF8.self)
    }
}

/// Decides which lines of a kind are written: a number of lines per span, then none until it is over.
///
/// A span begins with a kind's first line; when it is over, the number of held-back lines is reported once, and the
/// next line begins a new span. Pure: the time is given, and only increases.
package struct LogLimiter: Sendable {
    /// The length of a span: long enough that a flood is a few lines per second, short enough that an operator who
    /// reads the log sees the number in time.
    package static let span: Duration = .seconds(10)
    /// The default number of lines of one kind per span: enough to see what they have in common.
    package static let standardRepeats = 20
    /// Kinds counted apart: a worker has a few dozen, and a message that holds a value must not grow the table.
    package static let kindLimit = 64

    /// Lines of one kind that were held back in one span.
    package struct HeldBack: Equatable, Sendable {
        /// Their kind.
        package var kind: LogKind
        /// The number.
        package var count: Int
    }

    private struct Span {
        var start: Duration
        var written = 0
        var heldBack = 0
    }

    private let repeats: Int
    private var spans: [LogKind: Span] = [:]
    /// No span is over before: nearly all lines need not look.
    private var nextEnd: Duration?

    /// Creates a limiter that admits `repeats` lines of a kind per span.
    package init(repeats: Int) {
        self.repeats = repeats
    }

    /// Whether a line of this kind is written now; `ended` has to be asked first.
    package mutating func admits(_ kind: LogKind, at now: Duration) -> Bool {
        let isKnown = self.spans[kind] != nil
        let kind = isKnown || self.spans.count < Self.kindLimit - 1 ? kind : .others
        var span = self.spans[kind] ?? Span(start: now)
        let isAdmitted = span.written < self.repeats
        if isAdmitted { span.written += 1 } else { span.heldBack += 1 }
        self.spans[kind] = span
        self.nextEnd = min(self.nextEnd ?? span.start + Self.span, span.start + Self.span)
        return isAdmitted
    }

    /// Ends the spans that are over, and returns the held-back lines, in an order that depends on the kinds only.
    package mutating func ended(at now: Duration) -> [HeldBack] {
        guard let nextEnd = self.nextEnd, nextEnd <= now else { return [] }
        return self.end { $0.start + Self.span <= now }
    }

    /// Ends all spans: nothing is logged after this.
    package mutating func endAll() -> [HeldBack] {
        self.end { _ in true }
    }

    private mutating func end(_ isOver: (Span) -> Bool) -> [HeldBack] {
        let over = self.spans.filter { isOver($0.value) }
        for kind in over.keys { self.spans[kind] = nil }
        self.nextEnd = self.spans.values.map { $0.start + Self.span }.min()
        return over.filter { $0.value.heldBack > 0 }.map { HeldBack(kind: $0.key, count: $0.value.heldBack) }
            .sorted { ($0.kind.message, $0.kind.reason ?? "") < ($1.kind.message, $1.kind.reason ?? "") }
    }
}
