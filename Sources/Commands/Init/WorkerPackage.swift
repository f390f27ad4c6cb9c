import Foundation

/// The files of a user's package: a worker with a custom stage, source or store, which builds and passes its tests.
struct WorkerPackage {
    /// The package's name.
    let name: WorkerName
    /// The kind of its type.
    var kind = PackageKind.stage
    /// The origin of the Sluice dependency.
    let sluice: SluiceDependency

    /// Writes the package to a new directory; an existing one is not changed.
    func write(to folder: URL) throws {
        guard !FileManager.default.fileExists(atPath: folder.path) else {
            throw InitFailure("\(folder.path) already exists: nothing was changed")
        }
        for (path, text) in self.files {
            let file = folder.appendingPathComponent(path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
        }
        try self.sluice.resolved?.write(to: folder.appendingPathComponent("Package.resolved"))
    }

    /// The files' contents by path below the package's directory.
    var files: [(path: String, text: String)] {
        let (module, type) = (self.module, self.kind.type)
        return [
            ("Package.swift", self.manifest),
            ("Sources/\(self.name.text)/Main.swift", self.main),
            ("Sources/\(module)/\(type).swift", self.kind.text),
            ("Tests/\(module)Tests/\(type)Tests.swift", self.kind.tests(module: module)),
            ("pipeline.yaml", self.kind.pipeline(name: self.name.pipeline)),
            ("README.md", self.readme),
            ("Makefile", self.makefile),
            (".gitignore", ".build/\n"),
        ]
    }

    private var module: String { self.name.module(self.kind) }

    private var manifest: String {
        let kits = self.kind.kits.map { ".product(name: \"\($0)\", package: \"\(self.sluice.package)\")" }
        let kit = kits.joined(separator: ", ")
        return """
            // swift-tools-version: 6.3
            import PackageDescription

            let package = Package(
                name: "\(self.name.text)",
                dependencies: [
                    \(self.sluice.manifestText)
                ],
                targets: [
                    // Your \(self.kind.rawValue) types: a library, so that tests can import it.
                    .target(
                        name: "\(self.module)",
                        dependencies: [\(kit)]),
                    .testTarget(
                        name: "\(self.module)Tests",
                        dependencies: [
                            "\(self.module)", \(kit),
                            .product(name: "StageTestKit", package: "\(self.sluice.package)"),
                        ]),
                    // The worker, with every subcommand of sluice. Exporting its symbols lets it load plugins as well.
                    .executableTarget(
                        name: "\(self.name.text)",
                        dependencies: [
                            "\(self.module)", .product(name: "Sluice", package: "\(self.sluice.package)"),
                        ],
                        linkerSettings: [.unsafeFlags(["-Xlinker", "--export-dynamic"])]),
                ]
            )

            """
    }

    private var main: String {
        """
        \(self.kind.kits.contains("ComponentKit") ? "import ComponentKit\n" : "")import \(self.module)
        import Worker

        @main enum Main {
            static func main() async { await SluiceCommand.main(adding: \(self.kind.added)) }
        }

        """
    }

    private var readme: String {
        """
        # \(self.name.text)

        A worker that runs pipelines of [Sluice](\(self.sluiceLink)) with its own \(self.kind.rawValue) types.

        ```sh
        make build      # .build/release/\(self.name.text): all subcommands of sluice, with your \(self.kind.rawValue)s
        make test       # the contract of \(self.kind.rawValue)s, and the behaviour of yours
        make validate   # checks pipeline.yaml without connecting to anything
        make run        # runs it\(self.kind == .source ? "" : " on the Redis at REDIS_ADDRESS (127.0.0.1:6379)")
        ```

        Try it: \(self.kind.trial(worker: ".build/release/\(self.name.text)"))

        | path | content |
        | --- | --- |
        | `Sources/\(self.module)` | your \(self.kind.rawValue) types; begin with `\(self.kind.type).swift` |
        | `Sources/\(self.name.text)/Main.swift` | the worker: list new \(self.kind.rawValue) types here |
        | `Tests/\(self.module)Tests` | a \(self.kind.rawValue)'s tests begin with `\(self.kind.conformance)` |
        | `pipeline.yaml` | the pipeline: source, stores and stages |

        """
    }

    private var sluiceLink: String {
        switch self.sluice {
        case .path(let path): path
        case .url(let url, _): url
        }
    }

    private var makefile: String {
        """
        .PHONY: build test validate run

        build:
        \tswift build -c release --product \(self.name.text)

        test:
        \tswift test

        validate: build
        \t.build/release/\(self.name.text) validate pipeline.yaml

        run: build
        \t.build/release/\(self.name.text) run pipeline.yaml

        """
    }
}
