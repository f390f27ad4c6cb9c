// swift-tools-version: 6.3
import PackageDescription

// A package of its own, so that whoever uses Sluice fetches none of what it is measured with. `make micro` runs it.
let package = Package(
    name: "micro",
    dependencies: [
        .package(name: "sluice", path: "../../.."),
        // Without its traits: the interposers that they bring count calls of malloc, which `CAllocationCount` does here.
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
    ],
    targets: [
        .target(name: "CAllocationCount"),
        .executableTarget(
            name: "Micro",
            dependencies: [
                "CAllocationCount",
                .product(name: "Benchmark", package: "benchmark"),
                .product(name: "Sluice", package: "sluice"),
            ],
            path: "Benchmarks/Micro",
            swiftSettings: [.enableUpcomingFeature("NonisolatedNonsendingByDefault")],
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]),
    ])
