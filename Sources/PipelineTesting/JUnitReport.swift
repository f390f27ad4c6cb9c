import StageKit

/// A test run in the JUnit XML format for CI systems.
///
/// Source: the JUnit XML schema as Jenkins and GitLab read it (`testsuites`, `testsuite`, `testcase`, `failure`,
/// `error`).
package enum JUnitReport {
    /// Returns the document in UTF-8.
    package static func document(_ report: TestReport) -> String {
        let seconds = report.files.reduce(0) { $0 + $1.seconds }
        var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        text += "<testsuites name=\"sluice test\" tests=\"\(report.caseCount + report.wrongFileCount)\""
        text +=
            " failures=\"\(report.failedCount)\" errors=\"\(report.wrongFileCount)\" time=\"\(self.time(seconds))\">\n"
        for file in report.files { text += self.suite(file) }
        return text + "</testsuites>\n"
    }

    private static func suite(_ file: TestFileReport) -> String {
        let errors = file.mistakes.isEmpty ? 0 : 1
        var text = "  <testsuite name=\"\(self.escape(file.path))\" tests=\"\(file.results.count + errors)\""
        text += " failures=\"\(file.failedCount)\" errors=\"\(errors)\" skipped=\"0\""
        text += " time=\"\(self.time(file.seconds))\">\n"
        for result in file.results { text += self.testCase(result, of: file) }
        if !file.mistakes.isEmpty {
            text += "    <testcase classname=\"\(self.escape(file.path))\" name=\"the file is valid\" time=\"0\">\n"
            text += "      <error message=\"\(self.escape(file.mistakes[0]))\" type=\"configuration\">"
            text += "\(self.escape(file.mistakes.joined(separator: "\n")))</error>\n    </testcase>\n"
        }
        return text + "  </testsuite>\n"
    }

    private static func testCase(_ result: CaseResult, of file: TestFileReport) -> String {
        var text = "    <testcase classname=\"\(self.escape(file.path))\" name=\"\(self.escape(result.name))\""
        text += " file=\"\(self.escape(file.path))\" line=\"\(result.position.line)\""
        text += " time=\"\(self.time(result.duration.seconds))\""
        guard !result.failures.isEmpty else { return text + "/>\n" }
        text += ">\n"
        for failure in result.failures {
            let lines = file.lines(of: failure).joined(separator: "\n")
            text += "      <failure message=\"\(self.escape(failure.what))\" type=\"difference\">"
            text += "\(self.escape(lines))</failure>\n"
        }
        return text + "    </testcase>\n"
    }

    /// Formats seconds with six decimals, never with an exponent.
    private static func time(_ seconds: Double) -> String {
        let microseconds = Int((seconds * 1_000_000).rounded())
        let fraction = String(microseconds % 1_000_000)
        return "\(microseconds / 1_000_000).\(String(repeating: "0", count: 6 - fraction.count))\(fraction)"
    }

    /// Escapes text for an element or an attribute. Characters that XML 1.0 does not allow (section 2.2, Char) are
    /// written as `\u{1b}`.
    static func escape(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x26: escaped += "&amp;"
            case 0x3C: escaped += "&lt;"
            case 0x3E: escaped += "&gt;"
            case 0x22: escaped += "&quot;"
            // Written as references, because a reader replaces them with spaces in attributes (section 3.3.3).
            case 0x09, 0x0A, 0x0D: escaped += "&#\(scalar.value);"
            case 0..<0x20, 0x7F..<0xA0, 0xFFFE, 0xFFFF: escaped += "\\u{\(String(scalar.value, radix: 16))}"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}

extension TestFileReport {
    /// The duration of its cases, in seconds.
    fileprivate var seconds: Double { self.results.reduce(0) { $0 + $1.duration.seconds } }
}
