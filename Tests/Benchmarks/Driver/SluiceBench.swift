import ArgumentParser

/// The bench: Sluice beside what it is measured against.
@main
struct SluiceBench: AsyncParsableCommand {
    /// How the command line shows it.
    static let configuration = CommandConfiguration(
        commandName: "SluiceBench", abstract: "Measures Sluice beside its yardsticks.",
        subcommands: [RunCommand.self, ProfileCommand.self, ChildCommand.self], defaultSubcommand: RunCommand.self)
}

/// What runs in a process of its own, so that memory and CPU are those of the thing measured alone.
struct ChildCommand: AsyncParsableCommand {
    /// How the command line shows it.
    static let configuration = CommandConfiguration(
        commandName: "child", abstract: "One measurement, in this process; prints JSON.",
        subcommands: [
            DrainChild.self, LatencyChild.self, LookupsChild.self, MemoryChild.self, OverheadChild.self,
        ])
}
