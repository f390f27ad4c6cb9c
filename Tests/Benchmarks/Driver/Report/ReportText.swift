/// A report as text for a terminal.
struct ReportText {
    /// What to show.
    let report: BenchReport

    /// Everything: the machine, a table for each experiment, the budgets, the notes.
    var text: String {
        var parts = [self.head]
        var seen: [String] = []
        for row in self.report.rows where !seen.contains(row.experiment) {
            seen.append(row.experiment)
            parts.append(self.table(of: row.experiment))
        }
        if !self.report.verdicts.isEmpty { parts.append(self.budgets) }
        if !self.report.notes.isEmpty { parts.append(self.report.notes.map { "note: \($0)" }.joined(separator: "\n")) }
        return parts.joined(separator: "\n\n")
    }

    private var head: String {
        let machine = self.report.machine
        let load = Figures.fixed(machine.loadBefore, digits: 2)
        let after = machine.loadAfter.map { ", after \(Figures.fixed($0, digits: 2))" } ?? ""
        return "\(machine.date)  \(machine.processor), \(machine.cores) cores, Linux \(machine.kernel)\n"
            + "\(machine.server)\nload average before \(load)\(after); medians, in brackets minimum and maximum"
    }

    /// The rows of one experiment; the columns are all metrics that any of its rows has.
    func table(of experiment: String) -> String {
        let rows = self.report.rows.filter { $0.experiment == experiment }
        var names: [String] = []
        for metric in rows.flatMap(\.metrics) where !names.contains(metric.name) { names.append(metric.name) }
        var table = TextTable(header: ["setting", "subject"] + names, leading: 2)
        var last = ""
        for row in rows {
            let cells = names.map { name in row.samples(name).map(Self.cell) ?? "" }
            table.add([row.setting == last ? "" : row.setting, row.subject] + cells)
            last = row.setting
        }
        return "\(experiment)\n\(table.text)"
    }

    private static func cell(_ samples: Samples) -> String {
        guard samples.values.count > 1 else { return Figures.text(samples.median) }
        return
            "\(Figures.text(samples.median)) [\(Figures.text(samples.minimum)) \(Figures.text(samples.maximum))]"
    }

    private var budgets: String {
        var table = TextTable(header: ["budget", "measured", "bound", ""], leading: 1)
        for verdict in self.report.verdicts {
            table.add([
                verdict.budget, Figures.text(verdict.measured),
                (verdict.isUpperBound ? "<= " : ">= ") + Figures.text(verdict.limit), verdict.isMet ? "met" : "MISSED",
            ])
        }
        return "budgets\n\(table.text)"
    }
}
