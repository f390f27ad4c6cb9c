public import ArgumentParser
import Glibc
public import PipelineEngine
public import StageKit

/// The worker's command line: every subcommand, for the types of a catalogue.
public struct SluiceCommand: AsyncParsableCommand {
    /// The subcommands.
    public static let configuration = CommandConfiguration(
        commandName: "sluice",
        abstract: "Pass the entries of a Redis stream through stages declared in YAML.",
        discussion: """
            Exit status: 0 done, 1 failed while running, 64 wrong usage, 78 wrong configuration.
            """,
        version: "0.1.0",
        subcommands: [
            RunCommand.self,
            ValidateCommand.self,
            CheckCommand.self,
            HealthCommand.self,
            TestCommand.self,
            GraphCommand.self,
            StagesCommand.self,
            SchemaCommand.self,
            LookupCommand.self,
            ExportCommand.self,
            ExplainCommand.self,
            TapCommand.self,
            TopCommand.self,
            DLQCommand.self,
            DemoCommand.self,
            InitCommand.self,
            PluginCommand.self,
        ])

    /// The types that pipeline files may name in this process's commands.
    @TaskLocal static var catalogue = Catalogue.standard

    /// Creates the command.
    public init() {}

    /// Runs the command line of this process and exits: the complete main function of a worker.
    ///
    /// - Parameter catalogue: The types that pipeline files may name; add your own stage types to `Catalogue.standard`.
    public static func main(catalogue: Catalogue) async {
        do throws(OpenFileLimit.TooLow) {
            try OpenFileLimit.ensure()
        } catch {
            Terminal.report("sluice: \(error)")
            Self.exit(withError: ExitStatus.failure)
        }
        await Self.$catalogue.withValue(catalogue) { await Self.main() }
    }

    /// Runs the command line with everything that ships with Sluice and your own stage types, and exits.
    ///
    /// A stage type with the same name as a standard one replaces it.
    public static func main(adding stage: any Stage.Type, _ others: any Stage.Type...) async {
        var catalogue = Catalogue.standard
        for stage in [stage] + others { catalogue.add(stage) }
        await Self.main(catalogue: catalogue)
    }
}

/// Exit statuses other than success, after sysexits.h.
enum ExitStatus {
    /// The command failed while running.
    static let failure = ExitCode(1)
    /// The configuration is wrong (EX_CONFIG).
    static let configuration = ExitCode(78)
}

/// The output of commands: results go to standard output, everything else to standard error.
enum Terminal {
    /// Writes a line to standard error.
    static func report(_ line: String) {
        self.write(Array((line + "\n").utf8), to: STDERR_FILENO)
    }

    /// Writes a line to standard output; throws if that fails, except if the reader has closed the pipe.
    static func result(_ line: String) throws {
        if self.write(Array((line + "\n").utf8)) || errno == EPIPE { return }
        self.report("sluice: standard output: \(unsafe String(cString: strerror(errno)))")
        throw ExitStatus.failure
    }

    /// Writes bytes, by default to standard output; returns false if writing fails.
    @discardableResult
    static func write(_ bytes: [UInt8], to descriptor: Int32 = STDOUT_FILENO) -> Bool {
        var bytes = bytes[...]
        while !bytes.isEmpty {
            let count = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress!, $0.count) }
            if count < 0, errno == EINTR { continue }
            if count < 0 { return false }
            bytes = bytes.dropFirst(count)
        }
        return true
    }

    /// Whether standard output is a terminal.
    static var isInteractive: Bool { isatty(STDOUT_FILENO) == 1 }
}
