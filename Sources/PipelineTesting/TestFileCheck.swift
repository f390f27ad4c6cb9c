import PipelineEngine
import StageKit

/// Reads a test file and checks it before anything runs.
enum TestFileCheck {
    /// Returns the parsed file.
    ///
    /// - Throws: `ConfigurationError` with all errors that do not depend on the pipeline.
    static func read(_ text: [UInt8], file: String) throws(ConfigurationError) -> TestFile {
        let root = try SettingDocument.read(text, file: file)
        var issues = SettingIssues()
        let read = TestFile.type.decode(root, &issues)
        if let read { self.check(read, &issues) }
        guard let read, issues.all.isEmpty else { throw ConfigurationError(file: file, issues: issues.all) }
        return read
    }

    private static func check(_ file: TestFile, _ issues: inout SettingIssues) {
        var names: Set<String> = []
        self.checkOverrides(file.overrides, &issues)
        for one in file.cases {
            if !names.insert(one.name.value).inserted {
                issues.add("the name \"\(one.name.value)\" is already used", at: one.name.position)
            }
            if !one.expectsSomething {
                issues.add(
                    "\(one.name.value): expects nothing: add outcomes, stores, revocations, evictions, messages, "
                        + "metrics, log or fails",
                    at: one.name.position)
            }
            // A stage may add events: whether there is one is known with the pipeline.
            if let outcomes = one.outcomes, outcomes.value.count < one.entries.count {
                self.checkCount(one, &issues)
            }
            let bytes = one.entries.reduce(0) { $0 + $1.byteCount }
            if bytes > TestFile.entryBytes {
                issues.add(
                    "entries have too many bytes: \(bytes), the maximum is \(TestFile.entryBytes)",
                    at: one.name.position)
            }
            for metric in one.metrics where MetricSelector(metric.name) == nil {
                issues.add(
                    "metrics: expected a name as in /metrics, such as events_total{status=active}, found "
                        + "\"\(metric.name)\"", at: metric.position)
            }
            self.checkOverrides(one.overrides, &issues)
        }
    }

    private static func checkCount(_ one: TestCase, _ issues: inout SettingIssues) {
        guard let outcomes = one.outcomes, one.failure == nil, outcomes.value.count != one.entries.count else { return }
        issues.add(
            "outcomes: expected one for each entry: entries \(one.entries.count), outcomes "
                + "\(outcomes.value.count)", at: outcomes.position)
    }

    private static func checkOverrides(_ overrides: [NamedSetting<String>], _ issues: inout SettingIssues) {
        for one in overrides where Override("\(one.name)=\(one.value)")?.value != one.value {
            issues.add("set: expected a path such as redis.database, found \"\(one.name)\"", at: one.position)
        }
    }

    /// Returns an error for each name in a case that its pipeline does not have.
    static func issues(of one: TestCase, in pipeline: Pipeline) -> [SettingIssue] {
        var issues = SettingIssues()
        if !pipeline.addsEvents { self.checkCount(one, &issues) }
        for store in one.stores where pipeline.stores[store.name] == nil {
            let hint = Nearest.hint(for: store.name, among: pipeline.stores.keys.sorted())
            issues.add("stores: the pipeline has no store \"\(store.name)\"\(hint)", at: store.position)
        }
        let stages = pipeline.statistics.stages.map(\.name)
        for stage in one.outcomes?.value.flatMap(\.stages) ?? [] where !stages.contains(stage.text) {
            let hint = Nearest.hint(for: stage.text, among: stages)
            issues.add("outcomes: the pipeline has no stage \"\(stage.text)\"\(hint)", at: stage.position)
        }
        return issues.all
    }
}

extension TestEntry {
    /// The bytes of its names and values.
    var byteCount: Int { self.fields.reduce(0) { $0 + $1.name.count + $1.value.count } }
}
