import Foundation

/// The picture of `sluice top`: lines of text, from two documents about a second apart.
struct TopPicture {
    /// The maximum number of failed events shown, and of revocations with evictions.
    private static let listLimit = 8

    /// The current document.
    let view: LiveView
    /// The previous document, or `nil` for none.
    let before: LiveView?

    /// One line with the most important values, for output that is not a terminal.
    var line: String {
        let words = self.view.freshness.map { "\($0.store) \(Self.whole($0.entries))" }
        let parts = [
            ClockText.time(self.view.now), self.view.isReady ? "ready" : "not ready", "\(Self.rate(self.readRate))/s",
            "read \(Self.whole(self.view.read))", "lag \(self.view.lag.entries.map { Self.whole($0) } ?? "unknown")",
            "failed \(Self.whole(self.failed(self.view)))", "revoked \(Self.whole(self.view.revocations.total))",
        ]
        let advice = self.view.advice.first { $0.level != "good" }.map { "  (\($0.title))" } ?? ""
        return PlainText.of((parts + words).joined(separator: "  ") + advice)
    }

    /// Returns the picture for a terminal of this size; lists are cut to the available rows.
    func lines(columns: Int, rows: Int) -> [String] {
        var lines = self.head(columns)
        lines += self.advice(columns)
        lines += self.figures + [""]
        lines += self.stages + [""]
        lines += self.outcomes + [""]
        let room = max(0, rows - lines.count - 5)
        let drops = self.view.drops.prefix(min(Self.listLimit, (room + 1) / 2))
        if !drops.isEmpty { lines += ["\u{1B}[1mfailed, most recent first\u{1B}[0m"] + drops.map(\.line) + [""] }
        let revocations = self.view.revocations.recent.prefix(min(Self.listLimit, room / 2))
        if !revocations.isEmpty {
            lines += ["\u{1B}[1mrevoked or evicted, most recent first\u{1B}[0m"]
            lines += revocations.map { PlainText.of($0.text) }
        }
        return lines.prefix(max(1, rows - 1)).map { Self.cut($0, columns) }
    }

    private func head(_ columns: Int) -> [String] {
        let left = PlainText.of(
            "\(self.view.graph.pipeline)   \(self.view.graph.source.type) \(self.view.graph.source.stream)")
        let state = self.view.isReady ? "ready" : "not ready"
        let right = "\(state)  \(ClockText.time(self.view.now))"
        let gap = max(2, columns - left.count - right.count)
        let colour = self.view.isReady ? "\u{1B}[32m" : "\u{1B}[31m"
        return ["\u{1B}[1m\(left)\u{1B}[0m\(String(repeating: " ", count: gap))\(colour)\(right)\u{1B}[0m", ""]
    }

    private func advice(_ columns: Int) -> [String] {
        self.view.advice.filter { $0.level != "good" }.flatMap { advice in
            let colour = advice.level == "bad" ? "\u{1B}[1;31m" : "\u{1B}[1;33m"
            return ["\(colour)\(PlainText.of(advice.title))\u{1B}[0m"]
                + Self.wrapped(PlainText.of(advice.text), columns) + [""]
        }
    }

    private var figures: [String] {
        let source = self.view.source
        let lag = [
            self.view.lag.entries.map { "\(Self.whole($0)) entries" },
            self.view.lag.seconds.map { "\(Self.rate($0)) s" },
        ].compactMap(\.self)
        let behind =
            source.isCaughtUp ? "caught up" : lag.isEmpty ? "unknown" : lag.joined(separator: ", ")
        var lines = [
            "events per second \(Self.padded(Self.rate(self.readRate), 12))   read       \(Self.whole(self.view.read))",
            "failed            \(Self.padded(Self.whole(self.failed(self.view)), 12))   revoked    "
                + Self.whole(self.view.revocations.total),
            "source            \(Self.padded(source.state, 12))   behind     \(behind)",
        ]
        for store in self.view.freshness {
            let news = store.why ?? store.age.map { "confirmed \(Self.rate($0)) s ago" } ?? ""
            let entries = Self.padded(Self.whole(store.entries), 12)
            lines.append(PlainText.of("held              \(entries)   \(store.store)   \(news)"))
        }
        return lines
    }

    private var stages: [String] {
        let width = max(5, self.view.stages.map(\.name.count).max() ?? 0)
        let head = "stage".padding(toLength: width, withPad: " ", startingAt: 0)
        let names = ["passed/s", "finished/s", "failed/s", "skipped/s", "passed", "failed"]
        let columns = names.map { Self.padded($0, 11) }
        return ["\u{1B}[1m\(head)\(columns.joined())\u{1B}[0m"]
            + self.view.stages.map { stage in
                let old = self.before?.stages.first { $0.name == stage.name }
                let cells = [
                    self.rate(stage.passed, old?.passed), self.rate(stage.finished, old?.finished),
                    self.rate(stage.failed, old?.failed), self.rate(stage.skipped, old?.skipped),
                    Self.whole(stage.passed), Self.whole(stage.failed),
                ]
                let name = stage.name.padding(toLength: width, withPad: " ", startingAt: 0)
                return PlainText.of(name + cells.map { Self.padded($0, 11) }.joined())
            }
    }

    private var outcomes: [String] {
        let head = "outcome        reason                    per second          total"
        return ["\u{1B}[1m\(head)\u{1B}[0m"]
            + self.view.outcomes.map { outcome in
                let old = self.before?.outcomes.first {
                    $0.outcome == outcome.outcome && $0.reason == outcome.reason
                }
                let name = outcome.outcome.padding(toLength: 15, withPad: " ", startingAt: 0)
                let reason = outcome.reason.padding(toLength: 24, withPad: " ", startingAt: 0)
                let rate = self.rate(outcome.count, old?.count ?? 0)
                return PlainText.of(name + reason + Self.padded(rate, 12) + Self.padded(Self.whole(outcome.count), 15))
            }
    }

    private func failed(_ view: LiveView) -> Double {
        let failures = view.outcomes.filter { ["dropped", "evicted", "dead_lettered"].contains($0.outcome) }
        return failures.reduce(0) { $0 + $1.count }
    }

    private var readRate: Double? { self.perSecond(self.view.read, self.before?.read) }

    private func rate(_ now: Double, _ old: Double?) -> String { Self.rate(self.perSecond(now, old)) }

    private func perSecond(_ now: Double, _ old: Double?) -> Double? {
        guard let before = self.before, let old, self.view.now > before.now else { return nil }
        return max(0, now - old) * 1000 / (self.view.now - before.now)
    }

    /// Formats a rate, with one decimal below ten.
    static func rate(_ value: Double?) -> String {
        guard let value else { return "-" }
        if value == 0 || value >= 10 { return self.whole(value.rounded()) }
        return String(format: "%.1f", value)
    }

    /// Formats a whole number with a comma before each group of three digits.
    static func whole(_ value: Double) -> String {
        var digits = "\(Int64(value))"
        var place = digits.count - 3
        while place > 0 {
            digits.insert(",", at: digits.index(digits.startIndex, offsetBy: place))
            place -= 3
        }
        return digits
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    /// Wraps text to lines of a width.
    static func wrapped(_ text: String, _ width: Int) -> [String] {
        var lines = [""]
        for word in text.split(separator: " ") {
            let line = lines[lines.count - 1]
            if !line.isEmpty, line.count + 1 + word.count > width {
                lines.append(String(word))
            } else {
                lines[lines.count - 1] = line.isEmpty ? String(word) : "\(line) \(word)"
            }
        }
        return lines
    }

    /// Cuts a line to a width; colour sequences take no width.
    static func cut(_ line: String, _ width: Int) -> String {
        var left = width
        var isEscape = false
        var result = ""
        for character in line {
            if character == "\u{1B}" { isEscape = true }
            if isEscape {
                result.append(character)
                if character.isLetter { isEscape = false }
            } else if left > 0 {
                result.append(character)
                left -= 1
            }
        }
        return result
    }
}
