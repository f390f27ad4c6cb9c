import ArgumentParser
import CommandSupport
import Documentation
import Logging
import PipelineEngine
import StageKit

/// `sluice validate`: checks pipeline files without connecting to anything.
struct ValidateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate", abstract: "Check pipeline files without connecting to anything; report all errors.")

    @Argument(help: "The pipeline files.")
    var files: [String]

    @OptionGroup var pipeline: PipelineOptions

    @Option(help: "Output format: text, or json for one document on standard output.")
    var format = OutputFormat.text

    func run() async throws {
        let overrides = try self.pipeline.overrides()
        let catalogue = try self.pipeline.catalogue()
        let verdicts = self.files.map {
            FileVerdict($0, environment: self.pipeline.environment, overrides: overrides, catalogue: catalogue)
        }
        let isGood = verdicts.allSatisfy(\.isGood)
        switch self.format {
        case .text:
            for verdict in verdicts {
                if let good = verdict.goodLine { try Terminal.result(good) }
                for line in verdict.warningLines { Terminal.report(line) }
                for line in verdict.badLines { Terminal.report(line) }
            }
        case .json:
            let document = JSONValue.members([
                "valid": .boolean(isGood), "files": .array(verdicts.map(\.json)),
            ])
            try Terminal.result(document.pretty)
        }
        if !isGood { throw ExitStatus.configuration }
    }
}

/// The result of checking a pipeline file.
struct FileVerdict {
    /// The kinds of results.
    private enum Outcome {
        case good(name: String, stages: Int, warnings: [SettingIssue])
        case unreadable(String)
        case bad(ConfigurationError)
    }

    private let file: String
    private let outcome: Outcome

    /// Reads and checks a file; opens no other file that it names.
    init(_ file: String, environment: [String: String], overrides: [Override], catalogue: Catalogue) {
        self.file = file
        let silent = Logger(label: "sluice", factory: { _ in SwiftLogNoOpLogHandler() })
        do {
            let pipeline = try Pipeline(
                contentsOf: file, environment: environment, overrides: overrides, catalogue: catalogue,
                services: PipelineServices(logger: silent))
            self.outcome = .good(
                name: pipeline.name, stages: pipeline.statistics.stages.count, warnings: pipeline.warnings)
        } catch let error as ConfigurationError {
            self.outcome = .bad(error)
        } catch {
            self.outcome = .unreadable("\(error)")
        }
    }

    /// Whether the file is valid.
    var isGood: Bool { self.goodLine != nil }

    /// The line for a valid file.
    var goodLine: String? {
        guard case .good(let name, let stages, _) = self.outcome else { return nil }
        return "\(self.file): valid: \(name), \(stages) stages"
    }

    /// The warnings for a valid file.
    var warningLines: [String] {
        guard case .good(_, _, let warnings) = self.outcome else { return [] }
        return warnings.map { "\(self.file):\($0.position.line):\($0.position.column): warning: \($0.message)" }
    }

    /// The lines for an invalid file, one per error.
    var badLines: [String] {
        switch self.outcome {
        case .good: []
        case .unreadable(let text): [text]
        case .bad(let error): error.lines
        }
    }

    /// The result for programs.
    var json: JSONValue {
        switch self.outcome {
        case .good(let name, let stages, let warnings):
            .members([
                "file": .string(self.file), "valid": true, "pipeline": .string(name), "stages": .integer(stages),
                "issues": [], "warnings": .array(warnings.map { Self.json($0) }),
            ])
        case .unreadable(let text):
            .members([
                "file": .string(self.file), "valid": false,
                "issues": [
                    .members([
                        "line": .null, "column": .null, "context": "",
                        "message": .string(text.replacing("\(self.file): ", with: "", maxReplacements: 1)),
                    ])
                ],
            ])
        case .bad(let error):
            .members([
                "file": .string(self.file), "valid": false,
                "issues": .array(error.issues.map { Self.json($0) }),
            ])
        }
    }

    private static func json(_ issue: SettingIssue) -> JSONValue {
        .members([
            "line": .integer(issue.position.line), "column": .integer(issue.position.column),
            "context": .string(issue.context), "message": .string(issue.message),
        ])
    }
}
