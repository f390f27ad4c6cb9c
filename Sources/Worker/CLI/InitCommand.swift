import ArgumentParser
import Foundation

/// `sluice init`: writes a package with a worker and a stage of the user's own.
struct InitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Writes a Swift package with a worker that has a stage of its own.",
        discussion: "The folder must not be there yet. In it: make test, make validate, make run.")

    @Argument(help: "The package's name, or the path of its folder, whose last part is the name.")
    var path: String

    @Option(
        help: ArgumentHelp(
            "Where Sluice's sources are; the checkout that this program was built in if left out.",
            valueName: "path or url"))
    var sluice: String?

    func run() async throws {
        try await CommandErrors.reported {
            let folder = URL(fileURLWithPath: self.path).standardizedFileURL
            let name = try WorkerName(folder.lastPathComponent)
            let executable = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
            let sluice = try SluiceDependency(
                self.sluice, version: SluiceCommand.configuration.version, executable: executable)
            let package = WorkerPackage(name: name, sluice: sluice)
            try package.write(to: folder)
            for file in package.files { try Terminal.result("\(self.path)/\(file.path)") }
        }
    }
}
