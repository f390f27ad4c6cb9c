public import ArgumentParser
import Foundation
public import Logging
import PipelineEngine
import StageKit

/// Options of the verbs that read a pipeline file.
struct PipelineOptions: ParsableArguments {
    @Option(name: .customLong("set"), help: ArgumentHelp("Puts a value beside the file.", valueName: "path=value"))
    var settings: [String] = []

    @OptionGroup var plugins: PluginOptions

    /// What the files may name; reports what is wrong with the plugins and throws the status to end with.
    func catalogue() throws -> Catalogue { try self.plugins.catalogue() }

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

/// Options of the verbs that know stage types.
struct PluginOptions: ParsableArguments {
    @Option(
        name: .customLong("plugin"),
        help: ArgumentHelp("Loads stage types from a shared library.", valueName: "path"))
    var plugins: [String] = []

    /// What the files may name: this program's types and those of the plugins given.
    ///
    /// Reports all that is wrong with the plugins and throws the status to end with.
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

/// Options of the verbs that log.
struct LogOptions: ParsableArguments {
    @Option(help: "How log lines look: text or json.")
    var logFormat: LogFormat = .text

    @Option(help: "The least level that is logged: trace, debug, info, notice, warning, error or critical.")
    var logLevel: Logger.Level = .info

    @Option(
        help: ArgumentHelp(
            "How many warnings or errors of one kind are logged in 10 s; more are counted only. 0 logs all.",
            valueName: "count"))
    var logRepeats = LogLimiter.standardRepeats

    func validate() throws {
        guard self.logRepeats >= 0 else { throw ValidationError("--log-repeats: must not be negative") }
    }

    /// A logger that writes to standard error in the form asked for, and what keeps it from flooding it.
    func logger(label: String) -> (Logger, LogGate) {
        LogGate.logger(
            label: label, self.logFormat, level: self.logLevel, repeats: self.logRepeats == 0 ? .max : self.logRepeats)
    }
}

extension LogFormat: ExpressibleByArgument {}
extension Logger.Level: @retroactive ExpressibleByArgument {}
