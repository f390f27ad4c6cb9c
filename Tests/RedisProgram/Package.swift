// swift-tools-version: 6.3
import PackageDescription

// A package of its own, as a user of the Redis client has it: the product RedisClient is all that it uses of Sluice.
// `.ci/worker` builds and runs it.
let package = Package(
    name: "redis-program",
    dependencies: [
        .package(name: "sluice", path: "../.."),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: [
        .executableTarget(
            name: "redis-program",
            dependencies: [
                .product(name: "Logging", package: "swift-log"),
                .product(name: "RedisClient", package: "sluice"),
            ],
            path: "Sources",
            swiftSettings: [
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("MemberImportVisibility"),
                .treatAllWarnings(as: .error),
            ])
    ])
