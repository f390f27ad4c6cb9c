package import ArgumentParser

/// The subcommands of this module, in the order of the help.
package enum Subcommands {
    /// Those for pipeline files and for running workers.
    package static let pipelines: [any ParsableCommand.Type] = [
        ValidateCommand.self, CheckCommand.self, HealthCommand.self, TestCommand.self, GraphCommand.self,
        StagesCommand.self, SchemaCommand.self, LookupCommand.self, ExportCommand.self, ExplainCommand.self,
        TapCommand.self, TopCommand.self, EvalCommand.self,
    ]
    /// Those that create packages and plugins.
    package static let packages: [any ParsableCommand.Type] = [InitCommand.self, PluginCommand.self]
}
