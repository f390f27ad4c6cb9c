import Foundation
import PipelineEngine
import StageKit
import Testing
import Worker

@testable import PipelineTesting

/// A stage that breaks its contract: what it does depends on how many events came in one batch.
private final class BatchCountStage: Stage {
    static let declaration = StageDeclaration<Bool>(
        name: "batch_count", summary: "Fails on the second event of a batch.",
        settings: .object(SettingsSchema(true, [])), example: "batch_count: {}", failureReason: "second")

    private var count = 0

    init(_ settings: Bool, _ setup: StageSetup) {}

    func process(_ event: inout Event) throws -> Verdict {
        self.count += 1
        if self.count == 2 { throw StageFailure("the second one") }
        return .next
    }

    func endBatch() async throws {
        self.count = 0
    }
}

/// A stage that is through with an event at the third time.
private final class ThirdTimeStage: Stage {
    static let declaration = StageDeclaration<Bool>(
        name: "third_time", summary: "Fails twice on each event.",
        settings: .object(SettingsSchema(true, [])), example: "third_time: {}", failureReason: "not_yet")

    private var attempts: [EntryID: Int] = [:]

    init(_ settings: Bool, _ setup: StageSetup) {}

    func process(_ event: inout Event) throws -> Verdict {
        self.attempts[event.id, default: 0] += 1
        if self.attempts[event.id, default: 0] < 3 { throw StageFailure("not yet") }
        return .next
    }
}

/// A stage whose batches cannot be ended.
private final class BrokenStage: Stage {
    struct NoDisk: Error, CustomStringConvertible {
        let description = "no space left on the device"
    }

    static let declaration = StageDeclaration<Bool>(
        name: "broken", summary: "Cannot end a batch.", settings: .object(SettingsSchema(true, [])),
        example: "broken: {}", failureReason: "broken")

    init(_ settings: Bool, _ setup: StageSetup) {}

    func process(_ event: inout Event) throws -> Verdict { .next }

    func endBatch() async throws { throw NoDisk() }
}

@Suite struct TestFileTests {
    private static let folder = Bundle.module.url(forResource: "Fixtures", withExtension: nil)?
        .appendingPathComponent("cases")

    /// Every test file below `Fixtures/cases`, by its name without the extension.
    static let files: [String] = {
        let names = folder.flatMap { try? FileManager.default.contentsOfDirectory(atPath: $0.path) } ?? []
        return names.filter { $0.hasSuffix(".test.yaml") }.map { String($0.dropLast(".test.yaml".count)) }.sorted()
    }()

    private func report(
        _ path: String, catalogue: Catalogue = .standard, filter: String? = nil
    ) async throws -> TestFileReport {
        var report = TestFileReport(path: path)
        do {
            // Hundreds of tests share two threads for a minute: what waits there is late, and not stuck.
            let run = TestRun(path: path, catalogue: catalogue, filter: filter, timeLimit: .seconds(600))
            report.results = try await run.run()
        } catch let error as TestMistakes {
            report.mistakes = error.lines
        }
        return report
    }

    @Test(
        "A test file has the expected report: its errors with positions, or its cases with the differences",
        arguments: files)
    func fixture(name: String) async throws {
        let folder = try #require(Self.folder)
        let expected = try String(contentsOf: folder.appendingPathComponent("\(name).txt"), encoding: .utf8)
        let report = try await self.report(folder.appendingPathComponent("\(name).test.yaml").path)
        let lines = (report.mistakes + report.lines).map { "\($0)\n" }.joined()
        #expect(lines.replacing("\(folder.path)/", with: "") == expected)
    }

    @Test("The shipped pipeline passes its test file")
    func shipped() async throws {
        let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let report = try await self.report(tests.appendingPathComponent("pipeline.test.yaml").path)
        #expect(report.mistakes == [])
        #expect(report.results.count >= 12)
        #expect(report.failedCount == 0, "\(report.lines.joined(separator: "\n"))")
    }

    /// Writes a pipeline with these stages and cases for it, and runs them.
    private func report(
        stages: String, cases: String, catalogue: Catalogue, filter: String? = nil
    ) async throws -> TestFileReport {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let pipeline = """
            pipeline: p
            redis: { address: "127.0.0.1:1" }
            source: { redis_stream: { stream: s } }
            stages: \(stages)
            """
        try Data(pipeline.utf8).write(to: folder.appendingPathComponent("p.yaml"))
        let file = folder.appendingPathComponent("p.test.yaml")
        try Data("pipeline: p.yaml\ncases:\n\(cases)".utf8).write(to: file)
        return try await self.report(file.path, catalogue: catalogue, filter: filter)
    }

    @Test("A program's own stage types can be tested, and dependence on the batch size is detected")
    func batchSize() async throws {
        var catalogue = Catalogue.standard
        catalogue.add(BatchCountStage.self)
        let report = try await self.report(
            stages: "[batch_count]",
            cases: """
                  - name: one
                    entries: [ { fields: {} } ]
                    outcomes: [applied]
                  - name: two
                    entries: [ { fields: {} }, { fields: {} } ]
                    outcomes: [applied, { outcome: dropped, reason: second }]
                """, catalogue: catalogue)
        #expect(report.mistakes == [])
        #expect(report.results.map(\.failures.isEmpty) == [true, false])
        let failures = report.results.last?.failures ?? []
        #expect(
            failures.first
                == CaseFailure(
                    position: SettingPosition(line: 6, column: 11),
                    what: "outcome of entry 2 (2-0) differs with the batch size",
                    expected: "one by one: applied, no effects",
                    found:
                        "as one batch: dropped, reason second, stage batch_count, no effects, error \"the second one\"")
        )
        #expect(failures.map(\.what).contains("metrics differs with the batch size"))
    }

    @Test("Attempts, and the order of lines of different entries after a waiting stage or in lanes, do not matter")
    func logOrder() async throws {
        let entries = "[ { fields: { id: a } }, { fields: { id: b } }, { fields: { id: c } } ]"
        let decode = "{ decode: { event: e, fields: { id: { required: true } } } }"
        func log(_ words: String) -> String { "{ log: { message: \(words), fields: [id] } }" }
        var catalogue = Catalogue.standard
        catalogue.add(ThirdTimeStage.self)
        for (stages, set) in [
            ("[\(decode), \(log("before")), { webhook: { url: \"http://127.0.0.1:1/\" } }, \(log("behind"))]", ""),
            ("[\(decode), { third_time: {}, on_failure: { retry: { attempts: 3, backoff: 1ms } } }]", ""),
            ("[\(decode), \(log("lane"))]", "set: { lanes.count: 2, lanes.key: id }"),
        ] {
            let cases = """
                  - name: three
                    entries: \(entries)
                    outcomes: [applied, applied, applied]
                    \(set)

                """
            let report = try await self.report(stages: stages, cases: cases, catalogue: catalogue)
            #expect(report.mistakes == [])
            #expect(report.results.map(\.failures) == [[]], "\(stages)")
        }
    }

    @Test("An error that ends the run is a failure, unless the case expects it")
    func brokenRun() async throws {
        var catalogue = Catalogue.standard
        catalogue.add(BrokenStage.self)
        let report = try await self.report(
            stages: "[broken]",
            cases: """
                  - name: expected
                    entries: [ { fields: {} } ]
                    fails: no space left
                  - name: another one expected
                    entries: [ { fields: {} } ]
                    fails: no network
                  - name: not expected
                    entries: [ { fields: {} } ]
                    outcomes: [applied]
                """, catalogue: catalogue)
        #expect(
            report.results.map { $0.failures.map(\.found) } == [
                [], ["ended by \"no space left on the device\""],
                ["ended by an error: no space left on the device"],
            ])
    }

    @Test("A filter runs the cases whose names contain its text")
    func filter() async throws {
        let cases = ["apple", "pear", "pineapple"].map {
            "  - { name: \($0), entries: [ { fields: { a: b } } ], outcomes: [applied] }\n"
        }
        let report = try await self.report(
            stages: "[{ log: {} }]", cases: cases.joined(), catalogue: .standard, filter: "apple")
        #expect(report.results.map(\.name) == ["apple", "pineapple"])
    }

    @Test("Cases, entries and bytes have limits, each reported with the position where it is exceeded")
    func limits() async throws {
        let one = "  - { name: a, entries: [ { fields: { a: b } } ], outcomes: [applied] }\n"
        let many = String(repeating: one, count: TestFile.caseLimit + 1)
        let cases = try await self.report(stages: "[{ log: {} }]", cases: many, catalogue: .standard)
        #expect(
            cases.mistakes.map { String($0.drop { $0 != ":" }) } == [
                ":1003:5: cases: too many cases: 1001, the maximum is 1000"
            ])
        let entries =
            "  - name: a\n    outcomes: []\n    entries:\n"
            + String(repeating: "    - { fields: { a: b } }\n", count: TestFile.entryLimit + 1)
        let long = try await self.report(stages: "[{ log: {} }]", cases: entries, catalogue: .standard)
        #expect(
            long.mistakes.map { String($0.drop { $0 != ":" }) } == [
                ":10006:7: cases: entries: too many entries: 10001, the maximum is 10000"
            ])
        let value = "{ text: x, times: \(TestBytes.byteLimit) }"
        let fields = (0..<5).map { "f\($0): \(value)" }.joined(separator: ", ")
        let large = "  - { name: a, outcomes: [applied], entries: [ { fields: { \(fields) } } ] }\n"
        let heavy = try await self.report(stages: "[{ log: {} }]", cases: large, catalogue: .standard)
        #expect(
            heavy.mistakes.map { String($0.drop { $0 != ":" }) } == [
                ":3:13: entries have too many bytes: 83886090, the maximum is 67108864"
            ])
    }

    @Test(
        "A selector names all series that have its labels",
        arguments: [
            ("a_total", 7), ("a_total{x=1}", 3), ("a_total{x=\"1\"}", 3), ("a_total{ x=1,y=2}", 1), ("b", 0),
            ("a_total{}", nil), ("a b", nil), ("", nil), ("a{x=1", nil), ("a{x}", nil), ("{x=1}", nil),
        ] as [(String, Double?)])
    func selector(text: String, sum: Double?) {
        func series(_ labels: [(String, String)], _ value: Double) -> ObservedSeries {
            ObservedSeries(
                name: "a_total", labels: labels.map { ObservedSeries.Label(name: $0.0, value: $0.1) }, value: value)
        }
        let all = [series([("x", "1"), ("y", "2")], 1), series([("x", "1")], 2), series([("x", "2")], 4)]
        #expect(MetricSelector(text)?.sum(of: all) == sum)
    }

    @Test("JUnit XML escapes special characters, and spells out characters that XML cannot represent")
    func junit() {
        let failure = CaseFailure(
            position: SettingPosition(line: 3, column: 5), what: "a <b> & \"c\"", expected: "tab\t",
            found: "bell\u{7} \u{FFFE}ü"
        )
        let report = TestReport(files: [
            TestFileReport(
                path: "a.test.yaml",
                results: [
                    CaseResult(
                        name: "good", position: SettingPosition(line: 2, column: 5), failures: [],
                        duration: .milliseconds(1500)),
                    CaseResult(
                        name: "b\u{0}ad", position: SettingPosition(line: 9, column: 5), failures: [failure],
                        duration: .microseconds(2)),
                ]),
            TestFileReport(path: "b.test.yaml", mistakes: ["b.test.yaml:1:1: no"]),
        ])
        let expected = """
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuites name="sluice test" tests="3" failures="1" errors="1" time="1.500002">
              <testsuite name="a.test.yaml" tests="2" failures="1" errors="0" skipped="0" time="1.500002">
                <testcase classname="a.test.yaml" name="good" file="a.test.yaml" line="2" time="1.500000"/>
                <testcase classname="a.test.yaml" name="b\\u{0}ad" file="a.test.yaml" line="9" time="0.000002">
                  <failure message="a &lt;b&gt; &amp; &quot;c&quot;" type="difference">\
            a.test.yaml:3:5: a &lt;b&gt; &amp; &quot;c&quot;&#10;  expected: &quot;tab\\t&quot;&#10;\
              found:    &quot;bell\\a \\ufffeü&quot;</failure>
                </testcase>
              </testsuite>
              <testsuite name="b.test.yaml" tests="1" failures="0" errors="1" skipped="0" time="0.000000">
                <testcase classname="b.test.yaml" name="the file is valid" time="0">
                  <error message="b.test.yaml:1:1: no" type="configuration">b.test.yaml:1:1: no</error>
                </testcase>
              </testsuite>
            </testsuites>

            """
        #expect(JUnitReport.document(report) == expected)
        #expect(JUnitReport.escape("\u{1B}\u{85}\r") == "\\u{1b}\\u{85}&#13;")
    }
}
