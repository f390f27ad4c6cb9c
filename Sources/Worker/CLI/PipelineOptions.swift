public import ArgumentParser
import Foundation
public import Logging
import PipelineEngine
import StageKit

/// Options of the subcommands that read a pipeline file.
struct PipelineOptions: ParsableArguments {
    @Option(name: .customLong("set"), help: ArgumentHelp("Override a value of the file.", valueName: "path=value"))
    var settings: [String] = []

    @OptionGroup var plugins: PluginOptions

    /// Returns the available types; reports problems with the plugins and throws the exit status.
    func catalogue() throws -> Catalogue { try self.plugins.catalogue() }

    /// Returns the overrides; throws a usage error if one has no path.
    func overrides() throws -> [Override] {
        try self.settings.map { text in
            guard let override = Override(text) else {
                throw ValidationError(
                    "--set \(text.prefix { $0 != "=" }): write a path and a value, such as redis.database=3")
            }
            return override
        }
    }

    /// The environment for `${NAME}` in files.
    var environment: [String: String] { ProcessInfo.processInfo.environment }
}

/// Options of the subcommands that use stage types.
struct PluginOptions: ParsableArguments {
    @Option(
        name: .customLong("plugin"),
        help: ArgumentHelp("Shared library with stage types.", valueName: "path"))
    var plugins: [String] = []

    /// Returns the available types: those of this program and of the given plugins.
    ///
    /// Reports all problems with the plugins and throws the exit status.
    func catalogue() throws -> Catalogue {
        var catalogue = SluiceCommand.catalogue
        var isGood = true
        for path in self.plugins {
            do throws(SettingRefusal) {
                try catalogue.addPlugin(path)
            } catch {
                Terminal.report("--plugin \(error.message)")
                isGood = false
            }
        }
        if !isGood { throw ExitStatus.configuration }
        return catalogue
    }
}

/// Options of the subcommands that log.
struct LogOptions: ParsableArguments {
    @Option(help: "Log format: text or json.")
    var logFormat: LogFormat = .text

    @Option(help: "Minimum log level: trace, debug, info, notice, warning, error or critical.")
    var logLevel: Logger.Level = .info

    @Option(
        help: ArgumentHelp(
            "Warnings or errors of one kind that are logged per 10 s; the excess is counted. 0: no limit.",
            valueName: "count"))
    var logRepeats = LogLimiter.standardRepeats

    func validate() throws {
        guard self.logRepeats >= 0 else { throw ValidationError("--log-repeats: must not be negative") }
    }

    /// Creates a logger that writes to standard error in the requested format, and its gate, which limits repeated
    /// lines.
    func logger(label: String) -> (Logger, LogGate) {
        LogGate.logger(
            label: label, self.logFormat, level: self.logLevel, repeats: self.logRepeats == 0 ? .max : self.logRepeats)
    }
}

extension LogFormat: ExpressibleByArgument {}
extension Logger.Level: @retroactive ExpressibleByArgument {}
