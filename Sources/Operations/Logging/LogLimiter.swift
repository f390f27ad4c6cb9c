package import Logging

/// The properties that similar log lines share; a few such lines and their number replace the rest.
package struct LogKind: Hashable, Sendable {
    /// Maximum bytes of a message or a reason that are compared, so that the table of kinds stays small.
    static let textLimit = 256
    /// Counts lines whose kind would exceed the limit of kinds.
    static let others = LogKind(level: .warning, message: "other messages", reason: nil)

    /// The level of the lines.
    package var level: Logger.Level
    /// The message of the lines.
    package var message: String
    /// The `reason` of the lines, if they have one: a flood with one reason must not hide another.
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
    /// reads the log soon sees the number.
    package static let span: Duration = .seconds(10)
    /// The default number of lines of one kind per span: enough to recognise the pattern.
    package static let standardRepeats = 20
    /// Maximum number of kinds counted separately: a worker has a few dozen, and a message that contains a value must
    /// not grow the table.
    package static let kindLimit = 64

    /// Lines of one kind that were held back in one span.
    package struct HeldBack: Equatable, Sendable {
        /// The kind of the lines.
        package var kind: LogKind
        /// The number of lines.
        package var count: Int
    }

    private struct Span {
        var start: Duration
        var written = 0
        var heldBack = 0
    }

    private let repeats: Int
    private var spans: [LogKind: Span] = [:]
    /// No span ends before this time, so most lines skip the check.
    private var nextEnd: Duration?

    /// Creates a limiter that admits `repeats` lines of a kind per span.
    package init(repeats: Int) {
        self.repeats = repeats
    }

    /// Whether a line of this kind is written now; `ended` must be called first.
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

    /// Ends all spans and returns the held-back lines; nothing is logged after this.
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
