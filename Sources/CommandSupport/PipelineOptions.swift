package import ArgumentParser
import Foundation
import Logging
package import PipelineEngine
import StageKit

/// Options of the subcommands that read a pipeline file.
package struct PipelineOptions: ParsableArguments {
    @Option(name: .customLong("set"), help: ArgumentHelp("Override a value of the file.", valueName: "path=value"))
    package var settings: [String] = []

    @OptionGroup package var plugins: PluginOptions

    /// Creates the options with their defaults.
    package init() {}

    /// Returns the available types; reports problems with the plugins and throws the exit status.
    package func catalogue() throws -> Catalogue { try self.plugins.catalogue() }

    /// Returns the overrides; throws a usage error if one has no path.
    package func overrides() throws -> [Override] {
        try self.settings.map { text in
            guard let override = Override(text) else {
                throw ValidationError(
                    "--set \(text.prefix { $0 != "=" }): expected a path and a value, such as redis.database=3")
            }
            return override
        }
    }

    /// Reads and checks a pipeline file without a logger, for a command that runs no pipeline.
    package func pipeline(_ file: String) throws -> Pipeline {
        let silent = Logger(label: "sluice", factory: { _ in SwiftLogNoOpLogHandler() })
        return try Pipeline(
            contentsOf: file, environment: self.environment, overrides: try self.overrides(),
            catalogue: try self.catalogue(), services: PipelineServices(logger: silent))
    }

    /// The environment for `${NAME}` in files.
    package var environment: [String: String] { ProcessInfo.processInfo.environment }
}

/// Options of the subcommands that use the types of a catalogue.
package struct PluginOptions: ParsableArguments {
    @Option(
        name: .customLong("plugin"),
        help: ArgumentHelp("Shared library with stage, source or store types.", valueName: "path"))
    package var plugins: [String] = []

    /// Creates the options with their defaults.
    package init() {}

    /// Returns the available types: those of this program and of the given plugins.
    ///
    /// Reports all problems with the plugins and throws the exit status.
    package func catalogue() throws -> Catalogue {
        var catalogue = AvailableTypes.catalogue
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

/// The types that pipeline files can name in the commands of this process, without those of `--plugin`.
package enum AvailableTypes {
    /// The types; the program's main function sets them.
    @TaskLocal package static var catalogue = Catalogue()
}
