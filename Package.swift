// swift-tools-version: 6.3
import PackageDescription

/// Compiler settings in addition to Swift 6 mode, which is the default of this tools version.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableUpcomingFeature("ImmutableWeakCaptures"),
    .treatAllWarnings(as: .error),
]

let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let coreMetrics = Target.Dependency.product(name: "CoreMetrics", package: "swift-metrics")
let tracing = Target.Dependency.product(name: "Tracing", package: "swift-distributed-tracing")
let inMemoryTracing = Target.Dependency.product(name: "InMemoryTracing", package: "swift-distributed-tracing")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHPACK = Target.Dependency.product(name: "NIOHPACK", package: "swift-nio-http2")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioHTTP2 = Target.Dependency.product(name: "NIOHTTP2", package: "swift-nio-http2")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let nioHTTPTypesHTTP1 = Target.Dependency.product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras")
let nioTLS = Target.Dependency.product(name: "NIOTLS", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")
let httpClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

/// The targets of a stage, source or store type: its library and its tests, both in `Plugins/<name>`.
func plugin(_ name: String, _ extra: [Target.Dependency] = [], tests: [Target.Dependency] = []) -> [Target] {
    [
        .target(name: name, dependencies: ["StageKit"] + extra, path: "Plugins/\(name)/Sources"),
        .testTarget(
            name: "\(name)Tests",
            dependencies: [.target(name: name), "StageKit", "StageTestKit"] + tests,
            path: "Plugins/\(name)/Tests"),
    ]
}

let stageNames = [
    "AggregateStage", "DeadLetterStage", "DecodeStage", "DedupeStage", "EvictStage", "ExplodeStage", "FilterStage",
    "LogStage",
    "LookupStage", "MetricsStage", "PublishStage", "RemoveStage", "RenameStage", "RevokeStage", "RouteStage",
    "SampleStage", "SetStage", "ThrottleStage", "UpsertStage", "ValidateStage", "WebhookStage", "WriteStage",
]
let stageDependencies: [String: [Target.Dependency]] = [
    "DecodeStage": ["FieldRules", "JSON"],
    "ExplodeStage": ["FieldRules", "JSON"],
    "LogStage": [logging],
    "WriteStage": ["LocalFiles"],
    "MetricsStage": [coreMetrics],
    "WebhookStage": [httpClient, nioCore, nioHTTP1, nioSSL, logging],
]
let stageTestDependencies: [String: [Target.Dependency]] = [
    "WebhookStage": [nioCore, nioPosix, nioHTTP1]
]
let plugins =
    stageNames.flatMap { plugin($0, stageDependencies[$0] ?? [], tests: stageTestDependencies[$0] ?? []) }
    + plugin("FileSource", ["ComponentKit", logging], tests: ["ComponentKit", logging])
    + plugin("SQLiteStore", ["ComponentKit", "CSQLite", "LocalFiles", logging], tests: ["ComponentKit", logging])
let pluginLibraries = (stageNames + ["FileSource", "SQLiteStore"]).map { Target.Dependency.target(name: $0) }

let package = Package(
    name: "sluice",
    products: [
        .executable(name: "sluice", targets: ["sluice"]),
        .library(
            name: "Sluice",
            targets: ["Worker", "PipelineEngine", "Checkpoints", "SnapshotStores", "ComponentKit", "StageKit"]),
        .library(name: "CEL", targets: ["CEL"]),
        .library(name: "StageKit", targets: ["StageKit"]),
        .library(name: "ComponentKit", targets: ["ComponentKit"]),
        .library(name: "StageTestKit", targets: ["StageTestKit"]),
        .library(name: "PipelineEngine", targets: ["PipelineEngine"]),
        .library(name: "SnapshotStores", targets: ["Checkpoints", "SnapshotStores"]),
        .library(name: "RedisClient", targets: ["RedisClient", "RESP", "ComponentKit", "StageKit"]),
        .library(name: "RedisStreams", targets: ["RedisStreams", "RedisClient"]),
        .library(name: "Admin", targets: ["Admin", "HTTPBase"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: plugins + [
        // Only a header, for system calls that Swift's modules of the C library do not have.
        .systemLibrary(name: "CEpoll"),
        // libhiredis-dev. Without pkgConfig: its .pc file contains a flag that SwiftPM warns about in every build.
        .systemLibrary(name: "CHiredis"),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CLibYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .target(name: "RESP", dependencies: ["CHiredis"]),
        .testTarget(name: "RESPTests", dependencies: ["RESP", "TextSupport"]),
        .target(name: "YAML", dependencies: ["CLibYAML"]),
        .target(name: "JSON"),
        .target(name: "CEL"),
        .testTarget(name: "CELTests", dependencies: ["CEL"]),
        // Runs cases of the public conformance suite, which are not part of the project: its CELTests are its own.
        .executableTarget(name: "CELConformance", dependencies: ["CEL"], path: "Tests/CELConformance"),
        .target(name: "LocalFiles"),
        .testTarget(name: "LocalFilesTests", dependencies: ["LocalFiles"]),
        .testTarget(name: "JSONTests", dependencies: ["JSON"]),
        .plugin(name: "Fingerprint", capability: .buildTool(), path: "Sources/Fingerprint"),
        // Bytes and text, without a notion of Sluice. StageKit exports it.
        .target(name: "TextSupport"),
        .target(name: "StageKit", dependencies: ["CEL", "JSON", "TextSupport", logging, coreMetrics]),
        // The rules of fields that `decode` and `explode` share, with paths in JSON.
        .target(name: "FieldRules", dependencies: ["JSON", "StageKit"]),
        // The contracts of sources, stores and checkpoints, and of shared libraries with types.
        .target(
            name: "ComponentKit", dependencies: ["CEL", "StageKit", logging, coreMetrics], plugins: ["Fingerprint"]),
        .target(name: "PluginLoading", dependencies: ["ComponentKit", "LocalFiles", "StageKit"]),
        .testTarget(name: "PluginLoadingTests", dependencies: ["PluginLoading", "ComponentKit", "StageKit"]),
        .target(name: "StageTestKit", dependencies: ["ComponentKit", "StageKit", logging, coreMetrics]),
        .testTarget(name: "StageTestKitTests", dependencies: ["ComponentKit", "StageKit", "StageTestKit"]),
        .target(
            name: "PipelineEngine",
            dependencies: ["ComponentKit", "StageKit", "YAML", "LocalFiles", logging, coreMetrics, lifecycle, tracing]),
        // Only a header, for a processor instruction that Swift does not offer.
        .systemLibrary(name: "CPrefetch"),
        // The reader of shared stores for other programs, without dependencies.
        .target(name: "CSluiceLookup", cSettings: [.define("_GNU_SOURCE")]),
        .target(
            name: "SnapshotStores",
            dependencies: ["ComponentKit", "CPrefetch", "LocalFiles", "StageKit", logging, coreMetrics]),
        // Checkpoints of such stores in files.
        .target(
            name: "Checkpoints",
            dependencies: ["ComponentKit", "LocalFiles", "SnapshotStores", "StageKit", logging, coreMetrics]),
        .testTarget(
            name: "SnapshotStoresTests",
            dependencies: [
                "CSluiceLookup", "Checkpoints", "SnapshotStores", "ComponentKit", "LocalFiles", "StageKit",
                "StageTestKit", logging, coreMetrics,
            ]),
        // Connections to a server, to the master that sentinels name, or to a cluster; knows no streams of events.
        .target(
            name: "RedisClient",
            dependencies: ["ComponentKit", "StageKit", "RESP", deque, logging, nioCore, nioPosix, nioTLS, nioSSL]),
        .testTarget(
            name: "RedisClientTests",
            dependencies: [
                "RedisClient", "ComponentKit", "StageKit", "StageTestKit", "RESP", logging, nioCore, nioEmbedded,
            ]),
        .target(
            name: "RedisStreams",
            dependencies: ["RedisClient", "ComponentKit", "StageKit", "RESP", "JSON", logging, tracing]),
        .testTarget(
            name: "RedisStreamsTests",
            dependencies: [
                "RedisStreams", "RedisClient", "DecodeStage", "ComponentKit", "StageKit", "StageTestKit", "RESP",
                "JSON", logging, coreMetrics,
            ]),
        .testTarget(
            name: "IntegrationTests",
            dependencies: [
                "CHiredis", "CSluiceLookup",
                "sluice", "Worker", "Commands", "PipelineEngine", "SnapshotStores",
                "RedisClient", "RedisStreams", "ComponentKit", "StageKit", "StageTestKit", "RESP",
                logging, coreMetrics, nioCore, nioPosix, nioSSL, lifecycle, hummingbird,
            ],
            resources: [.copy("Fixtures")]),
        .target(name: "HTTPBase", dependencies: ["LocalFiles", "StageKit", nioCore, nioPosix, nioSSL]),
        // Sockets without SwiftNIO's channels.
        .target(name: "Sockets", dependencies: ["CEpoll", nioCore]),
        .target(
            name: "Gateway",
            dependencies: [
                "ComponentKit", "HTTPBase", "RESP", "Sockets", "StageKit", logging, coreMetrics, lifecycle, nioCore,
                nioHPACK, nioHTTP1, nioHTTP2, nioPosix, nioSSL,
            ]),
        .testTarget(
            name: "GatewayTests",
            dependencies: [
                "ComponentKit", "Gateway", "HTTPBase", "RESP", "Sockets", "StageKit", logging, coreMetrics, lifecycle,
                nioCore, nioEmbedded, nioHPACK, nioHTTP1, nioHTTP2, nioPosix, nioSSL,
            ]),
        .target(
            name: "Admin",
            dependencies: [
                "HTTPBase", "ComponentKit", "StageKit", logging, coreMetrics, lifecycle, hummingbird,
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"), nioCore, nioHTTP1, nioHTTPTypes,
                nioHTTPTypesHTTP1, nioPosix, nioSSL,
            ],
            // Embedded in the binary, which therefore needs no other files.
            resources: ["page.html", "page.css", "page.js"].map { .embedInCode("Dashboard/\($0)") }),
        .testTarget(
            name: "AdminTests",
            dependencies: [
                "Admin", "HTTPBase", "ComponentKit", "StageKit", logging, coreMetrics, lifecycle, hummingbird,
                nioCore, nioEmbedded, nioHTTPTypes, nioPosix,
            ]),
        // Settings and graphs of pipelines as text, JSON and pictures.
        .target(name: "Documentation", dependencies: ["PipelineEngine", "ComponentKit", "StageKit", logging]),
        // The parts around a running pipeline: journal, logs, traces, metrics, watching clients, service manager.
        .target(
            name: "Operations",
            dependencies: [
                "Documentation", "Admin", "PipelineEngine", "RedisClient", "RedisStreams", "ComponentKit", "StageKit",
                "JSON", "LocalFiles", "EvictStage", "RevokeStage", "WebhookStage", httpClient, logging,
                lifecycle, nioCore, nioHTTP1, nioSSL, tracing,
            ]),
        // The engine of the subcommand `test`.
        .target(
            name: "PipelineTesting",
            dependencies: [
                "Operations", "Admin", "PipelineEngine", "SnapshotStores", "ComponentKit", "StageKit", "StageTestKit",
                logging,
            ]),
        // Options, output and exit statuses that all subcommands share.
        .target(
            name: "CommandSupport",
            dependencies: ["ComponentKit", "LocalFiles", "PipelineEngine", "StageKit", logging, arguments]),
        .target(
            name: "DeadLetters",
            dependencies: [
                "CommandSupport", "FieldRules", "PipelineEngine", "RedisClient", "RESP", "ComponentKit", "StageKit",
                "DeadLetterStage",
                "DecodeStage", logging, arguments,
            ]),
        // The checks of `validate` across parts of a file, and those of `check` on a server.
        .target(
            name: "PipelineChecks",
            dependencies: [
                "Checkpoints", "DeadLetters", "Documentation", "Admin", "Gateway", "HTTPBase", "PipelineEngine",
                "RedisClient", "RedisStreams", "RESP", "SnapshotStores", "ComponentKit", "StageKit", "LocalFiles",
                "DeadLetterStage", "LookupStage", logging,
            ]),
        // The subcommands, except those that run a worker and those for dead letters.
        .target(
            name: "Commands",
            dependencies: [
                "CEL", "CommandSupport", "ComponentKit", "Documentation", "PipelineChecks", "PipelineTesting",
                "PipelineEngine", "PluginLoading", "StageKit", "JSON", "WebhookStage", logging, arguments, httpClient,
                nioCore, nioHTTP1,
                nioSSL, unixSignals,
            ]),
        // The composition root.
        .target(
            name: "Worker",
            dependencies: [
                "Checkpoints", "CommandSupport", "Commands", "DeadLetters", "Operations", "PipelineChecks",
                "PipelineEngine", "PluginLoading", "SnapshotStores", "RedisClient", "RedisStreams", "RESP", "Admin",
                "Gateway", "HTTPBase",
                "ComponentKit", "StageKit", logging,
                coreMetrics,
                lifecycle, arguments, histogram, unixSignals, tracing,
            ] + pluginLibraries),
        .testTarget(
            name: "WorkerTests",
            dependencies: [
                "Worker", "CommandSupport", "Commands", "DeadLetters", "Documentation", "Operations", "PipelineChecks",
                "PipelineTesting", "Admin", "LocalFiles", "PipelineEngine", "RESP", "RedisClient", "ComponentKit",
                "StageKit", "StageTestKit", logging, coreMetrics, nioCore, tracing,
            ],
            resources: [.copy("Fixtures")]),
        .executableTarget(
            name: "SluiceBench",
            dependencies: [
                "CSluiceLookup",
                "Worker", "Admin", "Checkpoints", "Gateway", "HTTPBase", "Operations", "PipelineEngine",
                "SnapshotStores",
                "RedisClient", "RESP", "ComponentKit", "StageKit", logging, coreMetrics, lifecycle, arguments,
                histogram, nioCore, nioPosix,
            ],
            path: "Tests/Benchmarks/Driver"),
        .testTarget(
            name: "SluiceBenchTests", dependencies: ["SluiceBench", "StageKit"], path: "Tests/Benchmarks/DriverTests"),
        .executableTarget(
            name: "SluiceSimulator",
            dependencies: [
                "Checkpoints", "EvictStage", "RedisClient", "RedisStreams", "SnapshotStores", "ComponentKit",
                "StageKit",
                "UpsertStage", logging,
                coreMetrics,
                arguments,
            ],
            path: "Tests/Simulator/Driver"),
        .executableTarget(
            name: "SluiceFuzz",
            dependencies: [
                "Admin", "CEL", "Checkpoints", "HTTPBase", "RESP", "SnapshotStores", "ComponentKit", "StageKit", "YAML",
                logging, coreMetrics,
                arguments,
            ],
            path: "Tests/Fuzz"),
        .testTarget(
            name: "SluiceSimulatorTests", dependencies: ["SluiceSimulator"], path: "Tests/Simulator/DriverTests"),
        // Shared libraries with stage types use this executable's StageKit, so it must export its symbols. For an image
        // that holds nothing else, it is linked statically and can load no libraries.
        .executableTarget(
            name: "sluice", dependencies: ["Worker"],
            linkerSettings: [
                .unsafeFlags(
                    Context.environment["SLUICE_STATIC"] == nil
                        ? ["-Xlinker", "--export-dynamic"] : ["-Xclang-linker", "-static"])
            ]),
        .testTarget(name: "YAMLTests", dependencies: ["YAML", "TextSupport"]),

        .testTarget(name: "LayoutTests"),
        .testTarget(name: "StageKitTests", dependencies: ["StageKit"]),
        .testTarget(name: "ComponentKitTests", dependencies: ["ComponentKit", "StageKit", logging]),
        .testTarget(
            name: "PipelineEngineTests",
            dependencies: [
                "PipelineEngine", "ComponentKit", "StageKit", "StageTestKit", logging, coreMetrics, lifecycle, tracing,
                inMemoryTracing,
            ]),
    ],
    cLanguageStandard: .c11
)

for target in package.targets where [.regular, .executable, .test].contains(target.type) {
    target.swiftSettings = strict + (target.type == .test ? [] : [.strictMemorySafety()])
}
