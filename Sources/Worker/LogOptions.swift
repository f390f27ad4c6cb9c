public import ArgumentParser
public import Logging
import Operations

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
