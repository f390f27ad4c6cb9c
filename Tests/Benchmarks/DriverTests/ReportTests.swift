import Foundation
import Testing

@testable import SluiceBench

@Suite struct ReportTests {
    private static let machine = BenchReport.Machine(
        date: "2026-01-01T00:00:00Z", processor: "A <fast> one", cores: 2, kernel: "6", server: "Redis", loadBefore: 0.1
    )

    private static func row(
        _ experiment: String, _ setting: String, _ subject: String, _ metrics: [(String, [Double])]
    ) -> BenchReport.Row {
        Bench.row(experiment, setting, subject, metrics)
    }

    private static func drain(_ own: [Double], _ limit: [Double], cpu: Double) -> BenchReport {
        BenchReport(
            machine: machine,
            rows: [
                row(Names.drain, "COUNT 128", Names.serverLimit, [(Names.rate, limit)]),
                row(Names.drain, "COUNT 128", Names.sluice, [(Names.rate, own), (Names.cpu, [cpu])]),
            ])
    }

    @Test("The drain's budgets compare medians with the server's limit in the same setting")
    func drainBudget() {
        let met = Budgets.verdicts(Self.drain([95, 1, 99], [100, 100, 90], cpu: 0.7))
        #expect(met.map(\.measured) == [0.95, 0.7])
        #expect(met.map(\.isMet) == [true, true])
        let missed = Budgets.verdicts(Self.drain([80], [100], cpu: 0.71))
        #expect(missed.map(\.isMet) == [false, false])
    }

    @Test("Latency is compared with the plain C loop at the median and at p99")
    func latencyBudget() {
        let report = BenchReport(
            machine: Self.machine,
            rows: [
                Self.row(Names.latency, "1000/s", Names.sluice, [(Names.p50, [110]), (Names.p99, [300])]),
                Self.row(Names.latency, "1000/s", Names.plainC, [(Names.p50, [100]), (Names.p99, [200])]),
            ])
        #expect(Budgets.verdicts(report).map(\.isMet) == [true, false])
    }

    @Test(
        "Other budgets are upper bounds",
        arguments: [
            (Names.lookups, Names.oneReader, Names.lookup, 250.0),
            (Names.lookups, Names.oneReaderAndWriter, Names.lookup, 350),
            (Names.memory, "memory store", Names.liveBytes, 150), (Names.overhead, "idle stages", Names.stageCost, 10),
        ] as [(String, String, String, Double)])
    func bounds(experiment: String, subject: String, metric: String, limit: Double) {
        for (value, isMet) in [(limit, true), (limit * 1.01, false)] {
            let report = BenchReport(
                machine: Self.machine, rows: [Self.row(experiment, "any", subject, [(metric, [value])])])
            #expect(Budgets.verdicts(report).map(\.isMet) == [isMet])
        }
    }

    @Test("An expression is compared with the map form, and arithmetic has a bound")
    func expressionBudgets() {
        func report(_ expression: Double, _ arithmetic: Double) -> BenchReport {
            let rows = [
                (Names.mapForm, 10), (Names.expression, expression), (Names.integerArithmetic, arithmetic),
                (Names.doubleArithmetic, arithmetic),
            ].map { subject, value in
                Self.row(Names.expressions, Names.conditions, subject, [(Names.conditionCost, [value])])
            }
            return BenchReport(machine: Self.machine, rows: rows)
        }
        #expect(Budgets.verdicts(report(11, 60)).map(\.isMet) == [true, true, true])
        #expect(Budgets.verdicts(report(11.2, 61)).map(\.isMet) == [false, false, false])
    }

    @Test("Shared memory is compared with lookups in the worker, and nginx with the check with nginx without it")
    func sharedBudgets() {
        func lookup(_ setting: String, _ subject: String, _ value: Double) -> BenchReport.Row {
            Self.row(Names.shared, setting, subject, [(Names.lookup, [value])])
        }
        func requests(_ subject: String, _ value: Double) -> BenchReport.Row {
            Self.row(SharedMemoryBench.nginx, GatewayBench.setting, subject, [(GatewayBench.rate, [value])])
        }
        let report = BenchReport(
            machine: Self.machine,
            rows: [
                lookup("10 sessions", SharedMemoryBench.inProcess, 100),
                lookup("10 sessions", SharedMemoryBench.library, 120),
                lookup("10 sessions", SharedMemoryBench.luaJIT, 151),
                lookup("20 sessions", SharedMemoryBench.inProcess, 200),
                lookup("20 sessions", SharedMemoryBench.library, 241),
                requests(SharedMemoryBench.nothing, 100), requests(SharedMemoryBench.check, 95),
            ])
        #expect(Budgets.verdicts(report).map(\.isMet) == [true, false, false, true])
        #expect(Budgets.verdicts(report).map(\.measured) == [1.2, 1.51, 1.205, 0.95])
    }

    @Test("Two readers have no budgets")
    func noBudget() {
        let report = BenchReport(
            machine: Self.machine, rows: [Self.row(Names.lookups, "any", "2 readers", [(Names.lookup, [900])])])
        #expect(Budgets.verdicts(report).isEmpty)
    }

    @Test("The table is aligned, shows the spread, and has empty cells for missing values")
    func table() {
        let report = Self.drain([95, 1, 99], [100], cpu: 0.7)
        let lines = ReportText(report: report).table(of: Names.drain).split(separator: "\n").map(String.init)
        #expect(
            lines == [
                "drain", "setting    subject               events/s  CPU us/event",
                "COUNT 128  server limit               100",
                "           sluice        95.0 [1.00 99.0]         0.700",
            ])
    }

    @Test("The report lists missed budgets and notes")
    func text() {
        var report = Self.drain([80], [100], cpu: 0.1)
        report.verdicts = Budgets.verdicts(report)
        report.notes = ["no peer"]
        let text = ReportText(report: report).text
        #expect(text.contains("MISSED"))
        #expect(text.contains("met"))
        #expect(text.contains("note: no peer"))
    }

    @Test("The chart is well-formed, escapes text and has a bar for each subject")
    func chart() throws {
        let chart = Chart(
            report: Self.drain([95, 1, 99], [100], cpu: 0.7), experiment: Names.drain, metric: Names.rate,
            title: "a < b")
        let svg = try #require(chart.svg)
        #expect(XMLCheck.isBalanced(svg))
        #expect(svg.components(separatedBy: "<rect").count == 3)
        #expect(svg.contains("a &lt; b"))
        #expect(svg.contains("A &lt;fast&gt; one"))
        #expect(svg.contains("prefers-color-scheme: dark"))
    }

    @Test("Without data there is no chart")
    func noChart() {
        let chart = Chart(
            report: BenchReport(machine: Self.machine), experiment: Names.drain, metric: Names.rate, title: "x")
        #expect(chart.svg == nil)
    }

    @Test("A report survives being written and read")
    func json() throws {
        var report = Self.drain([80, 90], [100], cpu: 0.1)
        report.verdicts = Budgets.verdicts(report)
        let data = try JSONEncoder().encode(report)
        #expect(try JSONDecoder().decode(BenchReport.self, from: data) == report)
    }

    @Test("A count above its bound is reported with both numbers")
    func thresholds() {
        let threshold = Threshold(countable: "allocations", readCount: 128, limit: 0.1)
        #expect(threshold.complaint(0.1) == nil)
        #expect(threshold.complaint(0.2) == "allocations an event at COUNT 128: 0.200, more than the bound of 0.100")
    }

    @Test("Every bound in the file belongs to a counter")
    func thresholdFile() throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("thresholds.json")
        let thresholds = try JSONDecoder().decode([Threshold].self, from: Data(contentsOf: file))
        #expect(Set(thresholds.map(\.countable)) == Set(Countable.allCases.map(\.rawValue)))
    }

    @Test("The callgrind total covers the whole file")
    func callgrindTotal() throws {
        #expect(try Callgrind.total(of: "events: Ir\nsummary: 12\n\nfn=(1)\n1 12\n\ntotals: 120\n") == 120)
        #expect(throws: ToolFailure.self) { try Callgrind.total(of: "events: Ir\n") }
    }
}

/// Whether every element that begins also ends: all that a hand-written document needs checked.
enum XMLCheck {
    static func isBalanced(_ text: String) -> Bool {
        var open: [Substring] = []
        for piece in text.split(separator: "<").dropFirst(text.hasPrefix("<") ? 0 : 1) {
            guard let end = piece.firstIndex(of: ">") else { return false }
            let tag = piece[..<end]
            if tag.hasSuffix("/") { continue }
            let name = tag.prefix { $0 != " " }
            if name.hasPrefix("/") {
                guard open.popLast() == name.dropFirst() else { return false }
            } else {
                open.append(name)
            }
        }
        return open.isEmpty
    }
}
