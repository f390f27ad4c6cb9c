import Benchmark
import CAllocationCount
import SnapshotStores
import StageKit

/// Calls to the allocator, on all threads, while a benchmark measures.
private let allocations = BenchmarkMetric.custom("allocations", polarity: .prefersSmaller, useScalingFactor: false)

extension Benchmark {
    /// Measures `body`, its allocations too.
    fileprivate func measure(_ body: () async throws -> Void) async rethrows {
        self.startMeasurement()
        let before = sluiceAllocationCount()
        try await body()
        let count = sluiceAllocationCount() - before
        self.stopMeasurement()
        self.measurement(allocations, Int(count))
    }
}

/// What the benchmark package runs.
let benchmarks: @Sendable () -> Void = {
    // Counts, which are the same on a fast machine and a slow one. Instructions are there where the system counts them.
    Benchmark.defaultConfiguration = .init(
        metrics: [allocations, .instructions], warmupIterations: 1, scalingFactor: .mega, maxDuration: .seconds(60),
        maxIterations: 3,
        // In a million: what another thread may allocate meanwhile, less than one a batch.
        thresholds: [allocations: .init(absolute: [.p90: 1000])])

    Benchmark("look-up-by-condition") { benchmark in
        let store = try await Sessions.run()
        let isActive = store.condition("status", equals: "active")
        await benchmark.measure {
            Sessions.forEachKey(times: benchmark.scaledIterations.count) { key in
                blackHole(store.check(key, isActive))
            }
        }
    }

    Benchmark("look-up-of-field") { benchmark in
        let store = try await Sessions.run()
        let user = store.field("user_id")
        await benchmark.measure {
            Sessions.forEachKey(times: benchmark.scaledIterations.count) { key in
                blackHole(store.withSnapshot(for: key) { $0.integer(of: user) })
            }
        }
    }

    Benchmark("copy-of-snapshot") { benchmark in
        let store = try await Sessions.run()
        await benchmark.measure {
            Sessions.forEachKey(times: benchmark.scaledIterations.count) { key in
                blackHole(store.snapshot(for: key))
            }
        }
    }

    Benchmark("event-with-expression") { benchmark in
        nonisolated(unsafe) let benchmark = benchmark
        try await Sessions.run(Sessions.expression, measured: benchmark.scaledIterations.count) { deliver in
            try await benchmark.measure(deliver)
        }
    }

    Benchmark("event-of-shipped-pipeline") { benchmark in
        // Called back by the pipeline's source, and by nobody else, while this waits for the pipeline to end.
        nonisolated(unsafe) let benchmark = benchmark
        try await Sessions.run(measured: benchmark.scaledIterations.count) { deliver in
            try await benchmark.measure(deliver)
        }
    }
}
