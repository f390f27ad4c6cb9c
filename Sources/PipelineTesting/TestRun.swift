package import PipelineEngine
import StageKit

/// Runs a test file's cases.
package struct TestRun {
    /// The file's name, as given.
    package let path: String
    /// The types that the pipeline file may name.
    package let catalogue: Catalogue
    /// Only cases whose names contain this text are run; `nil` runs all.
    package let filter: String?
    /// The maximum duration of each run of a case before it is cancelled: entries in memory take milliseconds, so a run
    /// that takes this long waits for something that never happens.
    private let timeLimit: Duration

    /// A case with both of its runs, prepared.
    private struct Prepared {
        var one: TestCase
        var whole: CaseRun
        var single: CaseRun
    }

    /// Creates a run.
    package init(path: String, catalogue: Catalogue, filter: String?, timeLimit: Duration = .seconds(30)) {
        self.path = path
        self.catalogue = catalogue
        self.filter = filter
        self.timeLimit = timeLimit
    }

    /// Runs every case that the filter admits, in the order of the file.
    ///
    /// - Throws: `TestMistakes` with all errors in the test file and its pipeline; in this case, nothing has run.
    package func run() async throws -> [CaseResult] {
        var results: [CaseResult] = []
        for prepared in try self.prepare() {
            let clock = ContinuousClock()
            let start = clock.now
            let whole = await prepared.whole.observe()
            let single = await prepared.single.observe()
            let failures =
                CaseCheck(expected: prepared.one, found: whole, messages: single.messages).failures()
                + BatchingCheck(whole: whole, single: single, position: prepared.one.name.position).failures()
            results.append(
                CaseResult(
                    name: prepared.one.name.value, position: prepared.one.name.position, failures: failures,
                    duration: clock.now - start))
        }
        return results
    }

    private func prepare() throws -> [Prepared] {
        let file: TestFile
        do {
            file = try TestFileCheck.read(PipelineFile.read(self.path), file: self.path)
        } catch let error as ConfigurationError {
            throw TestMistakes(lines: error.lines)
        } catch let error as PipelineFile.Unreadable {
            throw TestMistakes(lines: [error.description])
        }
        let pipelinePath = Self.path(file.pipeline.value, beside: self.path)
        let text: [UInt8]
        do {
            text = try PipelineFile.read(pipelinePath)
        } catch {
            let issue = SettingIssue("pipeline: \(error)", at: file.pipeline.position)
            throw TestMistakes(lines: ConfigurationError(file: self.path, issues: [issue]).lines)
        }
        var mistakes = TestMistakes(lines: [])
        var issues: [SettingIssue] = []
        var prepared: [Prepared] = []
        for one in file.cases {
            do {
                let run = { (batchSize: Int) throws(ConfigurationError) in
                    try CaseRun(
                        one, of: file, pipeline: text, named: pipelinePath, catalogue: self.catalogue,
                        batchSize: batchSize, timeLimit: self.timeLimit)
                }
                let next = Prepared(one: one, whole: try run(one.entries.count), single: try run(1))
                issues += TestFileCheck.issues(of: one, in: next.whole.pipeline)
                if self.filter.map({ one.name.value.contains($0) }) ?? true { prepared.append(next) }
            } catch {
                mistakes.add(error.lines)
            }
        }
        mistakes.add(ConfigurationError(file: self.path, issues: issues).lines)
        guard mistakes.lines.isEmpty else { throw mistakes }
        return prepared
    }

    /// Returns a path relative to the directory of a file.
    private static func path(_ path: String, beside file: String) -> String {
        guard !path.hasPrefix("/"), let slash = file.lastIndex(of: "/") else { return path }
        return "\(file[...slash])\(path)"
    }
}

/// All errors in a test file and its pipeline, each line once and with its position.
package struct TestMistakes: Error {
    /// The lines.
    package private(set) var lines: [String]

    /// Creates an error from lines.
    init(lines: [String]) {
        self.lines = lines
    }

    /// Adds the lines that are not included yet.
    package mutating func add(_ lines: [String]) {
        for line in lines where !self.lines.contains(line) { self.lines.append(line) }
    }
}
