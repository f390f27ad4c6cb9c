/// A bar chart of one metric in one experiment, as SVG that reads well on light and on dark pages.
///
/// One group of bars for each setting, one bar for each subject: its length is the median, the thin line over its end
/// spans minimum to maximum.
struct Chart {
    /// Where the figures are.
    let report: BenchReport
    /// Which experiment.
    let experiment: String
    /// Which metric.
    let metric: String
    /// What stands above.
    let title: String

    private static let width = 760
    private static let labelWidth = 130
    private static let valueWidth = 170
    private static let barHeight = 16
    private static let barStep = 22
    private static let groupGap = 34

    /// The SVG document; nil where the report has nothing to show.
    var svg: String? {
        let rows = self.report.rows.filter { $0.experiment == self.experiment && $0.samples(self.metric) != nil }
        guard let longest = rows.compactMap({ $0.samples(self.metric)?.maximum }).max(), longest > 0 else { return nil }
        let scale = Double(Self.width - Self.labelWidth - Self.valueWidth) / longest
        var body = ""
        var y = 30
        var setting: String?
        for row in rows {
            guard let samples = row.samples(self.metric) else { continue }
            if row.setting != setting {
                setting = row.setting
                y += Self.groupGap
                body += "<text class=\"group\" x=\"0\" y=\"\(y - 8)\">\(Self.escaped(row.setting))</text>\n"
            }
            body += self.bar(row.subject, samples, y, scale)
            y += Self.barStep
        }
        let height = y + 30
        let load = Figures.fixed(self.report.machine.loadBefore, digits: 2)
        let machine = self.report.machine
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Self.width) \(height)" role="img">
            <title>\(Self.escaped(self.title))</title>
            <style>
            text { font: 13px system-ui, sans-serif; fill: #1f2328; }
            .head { font-size: 16px; font-weight: 600; }
            .group { font-weight: 600; }
            .foot { font-size: 11px; fill: #59636e; }
            .bar { fill: #8c959f; }
            .own { fill: #f05138; }
            .spread { stroke: #1f2328; stroke-width: 1.5; }
            @media (prefers-color-scheme: dark) {
            text { fill: #f0f6fc; }
            .foot { fill: #9198a1; }
            .bar { fill: #656c76; }
            .spread { stroke: #f0f6fc; }
            }
            </style>
            <text class="head" x="0" y="18">\(Self.escaped(self.title))</text>
            \(body)<text class="foot" x="0" y="\(height - 8)">\
            \(Self.escaped("\(machine.processor), \(machine.cores) cores, \(machine.date), load \(load); median, line: minimum to maximum"))</text>
            </svg>

            """
    }

    private func bar(_ subject: String, _ samples: Samples, _ y: Int, _ scale: Double) -> String {
        let length = Int((samples.median * scale).rounded())
        let low = Self.labelWidth + Int((samples.minimum * scale).rounded())
        let high = Self.labelWidth + Int((samples.maximum * scale).rounded())
        let middle = y + Self.barHeight / 2
        let kind = subject == Names.sluice ? "bar own" : "bar"
        let value = "\(Figures.text(samples.median)) \(self.metric)"
        return """
            <text x="8" y="\(y + 12)">\(Self.escaped(subject))</text>
            <rect class="\(kind)" x="\(Self.labelWidth)" y="\(y)" width="\(length)" height="\(Self.barHeight)" rx="2"/>
            <line class="spread" x1="\(low)" y1="\(middle)" x2="\(high)" y2="\(middle)"/>
            <text x="\(max(high, Self.labelWidth + length) + 8)" y="\(y + 12)">\(Self.escaped(value))</text>

            """
    }

    /// Text as it may stand in SVG.
    static func escaped(_ text: String) -> String {
        var out = ""
        for character in text {
            switch character {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "\"": out += "&quot;"
            default: out.append(character)
            }
        }
        return out
    }
}
