import ArgumentParser
import CommandSupport
import Foundation
import PipelineEngine
import PipelineTesting

/// `sluice test`: runs the cases of YAML files through a pipeline, without connecting to anything.
struct TestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Run the cases of test files through their pipelines without connecting to anything.",
        discussion: """
            Each case runs twice: all entries in one batch, and one by one; a difference is a failure. Exit status 1 \
            if a case fails, 78 if a test file or its pipeline is wrong.
            """)

    @Argument(help: "The test files.")
    var files: [String]

    @Option(help: ArgumentHelp("File for the results as JUnit XML.", valueName: "file"))
    var junit: String?

    @Option(help: ArgumentHelp("Run only cases with this text in their name.", valueName: "text"))
    var filter: String?

    @OptionGroup var plugins: PluginOptions

    func run() async throws {
        let catalogue = try self.plugins.catalogue()
        var report = TestReport(files: [])
        for file in self.files {
            var one = TestFileReport(path: file)
            do {
                one.results = try await TestRun(path: file, catalogue: catalogue, filter: self.filter).run()
            } catch let error as TestMistakes {
                one.mistakes = error.lines
                for line in error.lines { Terminal.report(line) }
            }
            for line in one.lines { try Terminal.result(line) }
            report.files.append(one)
        }
        if let junit = self.junit { try self.write(JUnitReport.document(report), to: junit) }
        try Terminal.result(report.summary)
        if report.wrongFileCount > 0 { throw ExitStatus.configuration }
        if report.failedCount > 0 { throw ExitStatus.failure }
        if let filter, report.caseCount == 0 {
            Terminal.report("sluice: --filter: no case with \"\(filter)\" in its name")
            throw ExitStatus.failure
        }
    }

    private func write(_ text: String, to path: String) throws {
        do {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        } catch {
            Terminal.report("sluice: --junit: cannot write \(path): \(error.localizedDescription)")
            throw ExitStatus.failure
        }
    }
}
