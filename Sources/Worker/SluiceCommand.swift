public import ArgumentParser
import CommandSupport
import Commands
public import ComponentKit
import DeadLetters
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
        version: ProgramVersion.text,
        subcommands: [RunCommand.self] + Subcommands.pipelines + [DLQCommand.self, DemoCommand.self]
            + Subcommands.packages)

    /// Creates the command.
    public init() {}

    /// Runs the command line of this process and exits: the complete main function of a worker.
    ///
    /// - Parameter catalogue: The types that pipeline files may name; add your own types to `Catalogue.standard`.
    public static func main(catalogue: Catalogue) async {
        do throws(OpenFileLimit.TooLow) {
            try OpenFileLimit.ensure()
        } catch {
            Terminal.report("sluice: \(error)")
            Self.exit(withError: ExitStatus.failure)
        }
        await AvailableTypes.$catalogue.withValue(catalogue) { await Self.main(nil) }
    }

    /// Runs the command line with everything that ships with Sluice, and exits.
    public static func main() async {
        await Self.main(catalogue: .standard)
    }

    /// Runs the command line with everything that ships with Sluice and your own stage types, and exits.
    ///
    /// A stage type with the same name as a standard one replaces it.
    public static func main(adding stage: any Stage.Type, _ others: any Stage.Type...) async {
        var catalogue = Catalogue.standard
        for stage in [stage] + others { catalogue.add(stage) }
        await Self.main(catalogue: catalogue)
    }

    /// Runs the command line with everything that ships with Sluice and your own types, and exits.
    ///
    /// A type with the same kind and name as a standard one replaces it.
    public static func main(adding types: ComponentTypes) async {
        var catalogue = Catalogue.standard
        catalogue.add(types)
        await Self.main(catalogue: catalogue)
    }
}
