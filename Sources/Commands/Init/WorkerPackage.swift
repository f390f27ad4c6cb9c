import Foundation

/// The files of a user's package: a worker with a custom stage, which builds and passes its tests.
struct WorkerPackage {
    /// The package's name.
    let name: WorkerName
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
        let module = self.name.module
        return [
            ("Package.swift", self.manifest),
            ("Sources/\(self.name.text)/Main.swift", self.main),
            ("Sources/\(module)/GreetStage.swift", Self.stage),
            ("Tests/\(module)Tests/GreetStageTests.swift", self.tests),
            ("pipeline.yaml", self.pipeline),
            ("README.md", self.readme),
            ("Makefile", self.makefile),
            (".gitignore", ".build/\n"),
        ]
    }

    private var manifest: String {
        let kit = ".product(name: \"StageKit\", package: \"\(self.sluice.package)\")"
        return """
            // swift-tools-version: 6.3
            import PackageDescription

            let package = Package(
                name: "\(self.name.text)",
                dependencies: [
                    \(self.sluice.manifestText)
                ],
                targets: [
                    // Your stage types: a library, so that tests can import it.
                    .target(
                        name: "\(self.name.module)",
                        dependencies: [\(kit)]),
                    .testTarget(
                        name: "\(self.name.module)Tests",
                        dependencies: [
                            "\(self.name.module)", \(kit),
                            .product(name: "StageTestKit", package: "\(self.sluice.package)"),
                        ]),
                    // The worker, with every subcommand of sluice. Exporting its symbols lets it load plugins as well.
                    .executableTarget(
                        name: "\(self.name.text)",
                        dependencies: [
                            "\(self.name.module)", .product(name: "Sluice", package: "\(self.sluice.package)"),
                        ],
                        linkerSettings: [.unsafeFlags(["-Xlinker", "--export-dynamic"])]),
                ]
            )

            """
    }

    private var main: String {
        """
        import \(self.name.module)
        import Worker

        @main enum Main {
            static func main() async { await SluiceCommand.main(adding: GreetStage.self) }
        }

        """
    }

    /// The stage of a new package; also the one that the articles of StageKit explain.
    static let stage = #"""
        public import StageKit

        /// Sets a field to "Hello, " and the value of another field.
        public final class GreetStage: Stage {
            /// The settings under `greet` in the pipeline file.
            public struct Settings: Sendable {
                /// The field with the name.
                var name = MarkedName.unread
                /// Field for the greeting.
                var into = "greeting"
                /// Text before the name.
                var words = "Hello, "
            }

            /// Name, settings and documentation, for all subcommands.
            public static let declaration = StageDeclaration(
                name: "greet",
                summary: "Adds a greeting with the value of a field.",
                settings: .object(
                    SettingsSchema(
                        Settings(),
                        [
                            .required("name", \.name, .name, "The field with the name."),
                            .optional(
                                "into", \.into, .nonBlankText, default: "greeting", "Field for the greeting."),
                            .optional("words", \.words, .text, default: "Hello, ", "Text before the name."),
                        ])),
                example: "greet: { name: user_id }",
                failureReason: "nobody_to_greet",
                isPure: true)

            private let name: FieldID
            private let greeting: FieldID
            private let words: [UInt8]

            /// Resolves the fields once; an unknown field is reported with its position in the file.
            public init(_ settings: Settings, _ setup: StageSetup) {
                self.name = setup.input(settings.name)
                self.greeting = setup.output(settings.into)
                self.words = Array(settings.words.utf8)
            }

            /// Called for every event, in stream order. An error that it throws fails only this event.
            public func process(_ event: inout Event) throws -> Verdict {
                let greeting = event.withValue(of: self.name) { name -> [UInt8]? in
                    guard let name else { return nil }
                    return self.words + name.indices.map { name[$0] }
                }
                guard let greeting else { throw StageFailure("greet: the name is missing") }
                event.set(self.greeting, copying: greeting)
                return .next
            }
        }

        """#

    private var tests: String {
        """
        import \(self.name.module)
        import StageKit
        import StageTestKit
        import Testing

        @Suite struct GreetStageTests {
            private let fixture = StageFixture(fields: ["user_id"])

            @Test func `Greet keeps the contract of stages`() async {
                let violations = await StageConformance.check(
                    GreetStage.self, ["name": "user_id"],
                    entries: [SampleEntry(["user_id": "ann"]), SampleEntry([:])], in: self.fixture)
                #expect(violations == [])
            }

            @Test func `The greeting consists of the words and the name`() async throws {
                let stage = try StageHarness(
                    GreetStage.self, ["name": "user_id", "words": "Welcome, "], in: self.fixture)
                let reports = try await stage.feed(SampleEntry(["user_id": "ann"]))
                #expect(reports[0].text("greeting") == "Welcome, ann")
            }

            @Test func `An event without a name fails`() async throws {
                let stage = try StageHarness(GreetStage.self, ["name": "user_id"], in: self.fixture)
                let reports = try await stage.feed(SampleEntry([:]))
                #expect(reports[0].failureMessage == "greet: the name is missing")
            }
        }

        """
    }

    private var pipeline: String {
        """
        # Greets the users of a Redis stream, and keeps the greetings in a store.
        pipeline: \(self.name.pipeline)

        redis:
          address: ${REDIS_ADDRESS:-127.0.0.1:6379}

        source:
          redis_stream:
            stream: ${REDIS_STREAM:-users}
            start: beginning

        stores:
          greetings:
            memory: { key: user_id }

        stages:
          - decode:
              fields:
                user_id: { type: string, required: true, blank: reject }
          - greet: { name: user_id }
          - upsert: { store: greetings }

        admin:
          listen: ${SLUICE_LISTEN:-127.0.0.1:9191}

        """
    }

    private var readme: String {
        """
        # \(self.name.text)

        A worker that runs pipelines of [Sluice](\(self.sluiceLink)) with its own stage types.

        ```sh
        make build      # .build/release/\(self.name.text): all subcommands of sluice, with your stages
        make test       # the contract of stages, and the behaviour of your stages
        make validate   # checks pipeline.yaml without connecting to anything
        make run        # runs it on the Redis at REDIS_ADDRESS (127.0.0.1:6379)
        ```

        Try it: `redis-cli XADD users '*' user_id ann`, then
        `.build/release/\(self.name.text) lookup ann --store greetings`.

        | path | content |
        | --- | --- |
        | `Sources/\(self.name.module)` | your stage types; begin with `GreetStage.swift` |
        | `Sources/\(self.name.text)/Main.swift` | the worker: list new stage types here |
        | `Tests/\(self.name.module)Tests` | a stage's tests begin with `StageConformance` |
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
