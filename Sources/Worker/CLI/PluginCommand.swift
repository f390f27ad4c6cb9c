import ArgumentParser
import Foundation

/// `sluice plugin`: stage types in shared libraries.
struct PluginCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plugin", abstract: "Makes shared libraries with stage types.",
        subcommands: [PluginBuildCommand.self])
}

/// `sluice plugin build`: compiles a folder of sources to a shared library.
struct PluginBuildCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "build", abstract: "Makes a shared library of the stage types in a folder.",
        discussion: """
            The sources import StageKit and say what the library holds: let plugin = [StageType(MyStage.self)]. \
            Name the library under plugins: in a pipeline file, or with --plugin.
            """)

    @Argument(help: "A folder with Swift sources, or a package with one target.")
    var folder: String

    @Option(name: [.short, .long], help: "Where the library goes; <name>.so in the folder if left out.")
    var output: String?

    @Option(help: "The Swift module's name; the folder's if left out. Each plugin of a worker has another.")
    var name: String?

    @Option(help: "The folder with the worker's Swift modules; found beside the worker if left out.")
    var modules: String?

    @Option(help: "The compiler, which must be the one that made the worker; the one in PATH if left out.")
    var swiftc: String?

    func run() async throws {
        try await CommandErrors.reported {
            let folder = URL(fileURLWithPath: self.folder)
            let sources = try PluginSources(in: folder)
            let executable = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
            let modules = try PluginBuild.findModules(self.modules, executable: executable)
            let toolchain = try PluginToolchain(
                swiftc: self.swiftc, environment: ProcessInfo.processInfo.environment)
            let module = self.name ?? sources.moduleName
            let output = self.output.map { URL(fileURLWithPath: $0) } ?? folder.appendingPathComponent("\(module).so")
            let build = PluginBuild(
                sources: sources, module: module, modules: modules, toolchain: toolchain, output: output)
            try build.run()
            try Terminal.result(output.path)
        }
    }
}
