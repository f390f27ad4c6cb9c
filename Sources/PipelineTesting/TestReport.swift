import StageKit

/// The results of a test file.
package struct TestFileReport: Sendable {
    /// The file's name, as given.
    package var path: String
    /// The results of the cases that were run.
    package var results: [CaseResult]
    /// Errors in the file, empty if it was run.
    package var mistakes: [String]

    /// Creates a report.
    package init(path: String, results: [CaseResult] = [], mistakes: [String] = []) {
        self.path = path
        self.results = results
        self.mistakes = mistakes
    }

    /// The lines for people: one per case, with the expected and the actual values of each difference.
    package var lines: [String] {
        guard !self.results.isEmpty else { return [] }
        return [self.path] + self.results.flatMap { self.lines(of: $0) }
    }

    private func lines(of result: CaseResult) -> [String] {
        guard !result.failures.isEmpty else { return ["  ok      \(Self.line(result.name))"] }
        return ["  FAILED  \(Self.line(result.name))"]
            + result.failures.flatMap { failure in
                self.lines(of: failure).map { "          \($0)" }
            }
    }

    /// A failure's lines: its position and subject, the expected value, the actual value.
    func lines(of failure: CaseFailure) -> [String] {
        [
            "\(self.path):\(failure.position.line):\(failure.position.column): \(Self.line(failure.what))",
            "  expected: \(Self.line(failure.expected))",
            "  found:    \(Self.line(failure.found))",
        ]
    }

    /// Returns text on one line, with line breaks escaped.
    static func line(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { return text }
        return QuotedText.quote(text)
    }
}

/// The results of all files of a run.
package struct TestReport: Sendable {
    /// The files, in the given order.
    package var files: [TestFileReport]

    /// Creates a report.
    package init(files: [TestFileReport]) {
        self.files = files
    }

    /// The cases that were run.
    package var caseCount: Int { self.files.reduce(0) { $0 + $1.results.count } }
    /// The number of cases that failed.
    package var failedCount: Int { self.files.reduce(0) { $0 + $1.failedCount } }
    /// The number of files that could not be run.
    package var wrongFileCount: Int { self.files.count { !$0.mistakes.isEmpty } }

    /// The last line: `12 cases: 11 passed, 1 failed`.
    package var summary: String {
        let cases = "\(self.caseCount) \(self.caseCount == 1 ? "case" : "cases")"
        let failed = self.failedCount == 0 ? "" : ", \(self.failedCount) failed"
        let wrong = self.wrongFileCount
        let files = wrong == 0 ? "" : "; \(wrong) \(wrong == 1 ? "file is" : "files are") wrong and not run"
        return "\(cases): \(self.caseCount - self.failedCount) passed\(failed)\(files)"
    }
}

extension TestFileReport {
    /// The number of cases that failed.
    package var failedCount: Int { self.results.count { !$0.failures.isEmpty } }
}
