import ArgumentParser

/// The kind of type that a new package begins with.
enum PackageKind: String, CaseIterable, Sendable, ExpressibleByArgument {
    /// A stage.
    case stage
    /// A source.
    case source
    /// A store.
    case store

    /// The name of the Swift type.
    var type: String {
        switch self {
        case .stage: "GreetStage"
        case .source: "TickSource"
        case .store: "DictionaryStore"
        }
    }

    /// The source of the type.
    var text: String {
        switch self {
        case .stage: Self.stageText
        case .source: Self.sourceText
        case .store: Self.storeText
        }
    }

    /// The ending of the name of the library with the types.
    var moduleEnding: String { self.rawValue.prefix(1).uppercased() + self.rawValue.dropFirst() + "s" }

    /// The modules that the type imports.
    var kits: [String] { self == .stage ? ["StageKit"] : ["ComponentKit", "StageKit"] }

    /// The argument with which the worker adds the type to those that ship with Sluice.
    var added: String {
        switch self {
        case .stage: "GreetStage.self"
        case .source: "ComponentTypes(sources: [TickSource.type])"
        case .store: "ComponentTypes(stores: [DictionaryStore.type])"
        }
    }

    /// The check of the type's contract.
    var conformance: String {
        switch self {
        case .stage: "StageConformance"
        case .source: "SourceConformance"
        case .store: "StoreConformance"
        }
    }

    /// Commands that show the running worker's effect, for the README.
    func trial(worker: String) -> String {
        switch self {
        case .stage: "`redis-cli XADD users '*' user_id ann`, then\n`\(worker) lookup ann --store greetings`."
        case .source: "`\(worker) lookup 1 --store ticks`."
        case .store: "`redis-cli XADD users '*' user_id ann`, then\n`\(worker) lookup ann --store users`."
        }
    }

    /// The tests of the type in a module.
    func tests(module: String) -> String {
        switch self {
        case .stage: Self.stageTests(module)
        case .source:
            """
            import ComponentKit
            import \(module)
            import StageKit
            import StageTestKit
            import Testing

            @Suite struct TickSourceTests {
                @Test func `Tick keeps the contract of sources`() async {
                    #expect(await SourceConformance.check(TickSource.type, ["interval": "1ms"]) == [])
                }
            }

            """
        case .store:
            """
            import ComponentKit
            import \(module)
            import StageKit
            import StageTestKit
            import Testing

            @Suite struct DictionaryStoreTests {
                @Test func `Dictionary keeps the contract of stores`() async {
                    #expect(await StoreConformance.check(DictionaryStore.type, ["key": "id"]) == [])
                }
            }

            """
        }
    }

    private static func stageTests(_ module: String) -> String {
        """
        import \(module)
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

    /// The pipeline file.
    func pipeline(name: String) -> String {
        switch self {
        case .stage: Self.stagePipeline(name)
        case .source: Self.sourcePipeline(name)
        case .store: Self.storePipeline(name)
        }
    }

    private static func stagePipeline(_ name: String) -> String {
        """
        # Greets the users of a Redis stream, and keeps the greetings in a store.
        pipeline: \(name)

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

    private static func sourcePipeline(_ name: String) -> String {
        """
        # Keeps numbered ticks in a store.
        pipeline: \(name)

        source:
          tick: { interval: 1s }

        stores:
          ticks:
            memory: { key: number }

        stages:
          - decode:
              fields:
                number: { type: string, required: true, blank: reject }
          - upsert: { store: ticks }

        admin:
          listen: ${SLUICE_LISTEN:-127.0.0.1:9191}

        """
    }

    private static func storePipeline(_ name: String) -> String {
        """
        # Keeps the users of a Redis stream in a store.
        pipeline: \(name)

        redis:
          address: ${REDIS_ADDRESS:-127.0.0.1:6379}

        source:
          redis_stream:
            stream: ${REDIS_STREAM:-users}
            start: beginning

        stores:
          users:
            dictionary: { key: user_id }

        stages:
          - decode:
              fields:
                user_id: { type: string, required: true, blank: reject }
          - upsert: { store: users }

        admin:
          listen: ${SLUICE_LISTEN:-127.0.0.1:9191}

        """
    }
}
