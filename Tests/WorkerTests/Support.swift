import Foundation
import Logging
import PipelineEngine
import StageKit
import Worker

/// The errors of a pipeline file, or its warnings if it has no errors; each with its position.
struct FileFindings: Equatable {
    /// The errors: `p.yaml:1:1: message`.
    var errors: [String] = []
    /// The warnings: `1:1: message`.
    var warnings: [String] = []

    /// Checks a file.
    init(_ text: String, catalogue: Catalogue = .standard) {
        let services = PipelineServices(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        do throws(ConfigurationError) {
            let pipeline = try Pipeline(
                text: Array(text.utf8), file: "p.yaml", catalogue: catalogue, services: services)
            self.warnings = pipeline.warnings.map { "\($0.position.line):\($0.position.column): \($0.message)" }
        } catch {
            self.errors = error.lines
        }
    }
}

/// Runs programs of the system.
enum Tool {
    /// A program that could not be run, or that failed.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Runs a program in a folder to its end and returns what it wrote to standard output.
    ///
    /// Not Foundation's `Process`, which may miss the end of a child while others run beside it.
    static func run(_ arguments: [String], in folder: URL) throws -> String {
        let output = folder.appendingPathComponent("output").path
        let quoted = arguments.map { "'" + $0.replacingOccurrences(of: "'", with: "'\\''") + "'" }
        let command = quoted.joined(separator: " ") + " >'\(output)' 2>'\(output).err'"
        guard system(command) == 0 else {
            let errors = (try? String(contentsOfFile: "\(output).err", encoding: .utf8)) ?? ""
            throw Failure(description: "\(arguments.first ?? "") failed: \(errors)")
        }
        return try String(contentsOfFile: output, encoding: .utf8)
    }
}
