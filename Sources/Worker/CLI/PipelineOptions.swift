public import ArgumentParser
import Foundation
public import Logging
import PipelineEngine

/// Options of the verbs that read a pipeline file.
struct PipelineOptions: ParsableArguments {
    @Option(name: .customLong("set"), help: ArgumentHelp("Puts a value beside the file.", valueName: "path=value"))
    var settings: [String] = []

    /// The overrides; a usage error where one has no path.
    func overrides() throws -> [Override] {
        try self.settings.map { text in
            guard let override = Override(text) else {
                throw ValidationError(
                    "--set \(text.prefix { $0 != "=" }): write a path and a value, such as redis.database=3")
            }
            return override
        }
    }

    /// The environment that `${NAME}` in files stands for.
    var environment: [String: String] { ProcessInfo.processInfo.environment }
}

/// Options of the verbs that log.
struct LogOptions: ParsableArguments {
    @Option(help: "How log lines look: text or json.")
    var logFormat: LogFormat = .text

    @Option(help: "The least level that is logged: trace, debug, info, notice, warning, error or critical.")
    var logLevel: Logger.Level = .info

    /// A logger that writes to standard error in the form asked for.
    func logger(label: String) -> Logger {
        let output = LogOutput.standardError()
        let (format, level) = (self.logFormat, self.logLevel)
        return Logger(label: label) { label in format.handler(label: label, level: level, output: output) }
    }
}

extension LogFormat: ExpressibleByArgument {}
extension Logger.Level: @retroactive ExpressibleByArgument {}
