package import ComponentKit
package import Documentation

extension CheckStep.Verdict {
    /// The sign at the start of the line.
    var sign: String {
        switch self {
        case .good: "✓"
        case .warning: "!"
        case .bad: "✗"
        case .unknown: "?"
        }
    }
}

/// All results of `sluice check` for a file.
package struct CheckReport: Equatable {
    /// The file.
    package var file: String
    /// The steps, in order.
    package var steps: [CheckStep]

    /// Creates a report.
    package init(file: String, steps: [CheckStep]) {
        self.file = file
        self.steps = steps
    }

    /// Whether the worker would run.
    package var isGood: Bool { !self.steps.contains { $0.verdict == .bad } }

    /// The report for a terminal.
    package var text: String {
        let width = self.steps.map(\.name.count).max() ?? 0
        let indent = String(repeating: " ", count: width + 4)
        let lines = self.steps.flatMap { step -> [String] in
            let finding = TextWrap.lines(step.finding, indent: indent)
            let head = "\(step.verdict.sign) \(step.name.padding(to: width))  "
            let first = head + (finding.first?.dropFirst(indent.count) ?? "")
            let advice = step.advice.map { TextWrap.lines("→ \($0)", indent: indent) } ?? []
            return [first] + finding.dropFirst() + advice
        }
        return lines.joined(separator: "\n")
    }

    /// The report for programs.
    package var json: JSONValue {
        .members([
            "file": .string(self.file),
            "good": .boolean(self.isGood),
            "steps": .array(
                self.steps.map { step in
                    .members([
                        "step": .string(step.name), "verdict": .string(step.verdict.rawValue),
                        "finding": .string(step.finding), "advice": step.advice.map { .string($0) },
                    ])
                }),
        ])
    }
}
