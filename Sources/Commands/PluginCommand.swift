import ArgumentParser
import CommandSupport
import Foundation

/// `sluice plugin`: stage, source and store types in shared libraries.
struct PluginCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plugin", abstract: "Build shared libraries with stage, source and store types.",
        subcommands: [PluginBuildCommand.self])
}

/// `sluice plugin build`: compiles a directory of sources to a shared library.
struct PluginBuildCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "build", abstract: "Build a shared library from the types in a directory.",
        discussion: """
            The sources list the types of the library: let plugin = [StageType(MyStage.self)], or \
            let plugin = ComponentTypes(sources: [MySource.type], stores: [MyStore.type]). \
            Name the library under plugins: in a pipeline file, or with --plugin.
            """)

    @Argument(help: "Directory with Swift sources, or a package with one target.")
    var folder: String

    @Option(name: [.short, .long], help: "Path of the library; default: <name>.so in the directory.")
    var output: String?

    @Option(help: "Swift module name, unique among the plugins of a worker; default: that of the directory.")
    var name: String?

    @Option(help: "Directory with the worker's Swift modules; default: next to the worker.")
    var modules: String?

    @Option(help: "Compiler, which must be the one that built the worker; default: swiftc in PATH.")
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
