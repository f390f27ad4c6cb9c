import ArgumentParser
import CommandSupport
import ComponentKit
import Foundation

/// `sluice init`: writes a package with a worker and a custom stage, source or store.
struct InitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Create a Swift package with a worker that has its own stage, source or store type.",
        discussion: "The directory must not exist. Its commands: make test, make validate, make run.")

    @Argument(help: "Name of the package, or path of its directory.")
    var path: String

    @Option(help: "Kind of the type: stage, source or store.")
    var kind = PackageKind.stage

    @Option(
        help: ArgumentHelp(
            "Sources of Sluice; default: the checkout in which this program was built.",
            valueName: "path or url"))
    var sluice: String?

    func run() async throws {
        try await CommandErrors.reported {
            let folder = URL(fileURLWithPath: self.path).standardizedFileURL
            let name = try WorkerName(folder.lastPathComponent)
            let executable = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
            let sluice = try SluiceDependency(
                self.sluice, version: ProgramVersion.text, executable: executable)
            let package = WorkerPackage(name: name, kind: self.kind, sluice: sluice)
            try package.write(to: folder)
            for file in package.files { try Terminal.result("\(self.path)/\(file.path)") }
        }
    }
}
