import ComponentKit
import Logging
import ServiceLifecycle
import StageKit
import Synchronization
import Tracing

// The run: reading the source, with checkpoints, heartbeats and expiry beside it.
extension Pipeline {
    /// Runs until the source ends, a graceful shutdown begins or the task is cancelled; a batch in flight is finished
    /// first.
    ///
    /// - Throws: An error from which the source, a stage or an observer cannot recover.
    public func run() async throws {
        let (runner, states) = try self.makeRunner()
        let result: Result<Void, any Error>
        do {
            try await self.withCheckpoints(states) {
                for store in self.publishedStores { try store.open() }
                try await self.withBeats { try await self.runSource(runner, states) }
            }
            result = .success(())
        } catch is RetryGivenUp {
            self.services.logger.notice("shut down while a stage was being retried: its batch is unfinished")
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await runner.shutDown()
        await self.services.revocationHandler?.shutDown()
        for publisher in self.publishers { await publisher.shutDown() }
        await self.services.hashReader?.shutDown()
        for store in self.publishedStores { await store.shutDown() }
        try result.get()
    }

    /// Saves checkpoints while `body` runs, and one after it.
    private func withCheckpoints(_ states: StageStates, _ body: () async throws -> Void) async throws {
        guard let checkpoint = self.checkpoint else { return try await body() }
        try checkpoint.claim()
        defer { checkpoint.release() }
        let source = self.source
        let tracer = InstrumentationSystem.tracer
        let result = await self.result(of: body) { group in
            group.addTask {
                while (try? await Task.sleep(for: checkpoint.interval)) != nil {
                    let span = tracer.startSpan("sluice.checkpoint", context: .topLevel)
                    await checkpoint.save({ source.bookmark }, stages: { await states.saved() })
                    span.end()
                }
            }
        }
        await checkpoint.save({ source.bookmark }, stages: { await states.saved() })
        try result.get()
    }

    private var publishedStores: [any PublishedSnapshotStore] {
        self.stores.values.compactMap(\.published)
    }

    /// While `body` runs, lets published stores report to other programs that they are up to date, and removes snapshots
    /// that have expired.
    private func withBeats(_ body: () async throws -> Void) async throws {
        let stores = self.publishedStores.compactMap { store in
            store.beatInterval.map { (store: store, interval: $0) }
        }
        let sweepers = self.stores.values.compactMap(\.expiring).map { store in
            ExpirySweeper(store: store, handler: self.services.revocationHandler, logger: self.services.logger)
        }
        if stores.isEmpty && sweepers.isEmpty { return try await body() }
        let source = self.source
        try await self.result(of: body) { group in
            for (store, interval) in stores {
                group.addTask {
                    while (try? await Task.sleep(for: interval)) != nil {
                        await store.beat(cursor: source.status.cursor)
                    }
                }
            }
            for sweeper in sweepers {
                group.addTask { await sweeper.run() }
            }
        }.get()
    }

    /// Returns the result of `body`. The tasks that `adding` adds run beside it and are cancelled at its end.
    private func result(
        of body: () async throws -> Void, beside adding: (inout TaskGroup<Void>) -> Void
    ) async -> Result<Void, any Error> {
        await withTaskGroup(of: Void.self) { group in
            adding(&group)
            defer { group.cancelAll() }
            do {
                return .success(try await body())
            } catch {
                return .failure(error)
            }
        }
    }

    private func runSource(_ runner: GraphRunner, _ states: StageStates) async throws {
        let spans = BatchSpans(stream: self.source.stream, system: self.source.system)
        // An external store outlives the process from the first event on, so there must be a saved cursor to
        // resume from.
        var hasBookmark = !self.stores.values.contains { $0.retention == .own }
        try await withTaskCancellationHandler {
            try await withGracefulShutdownHandler {
                try await self.source.run { batch in
                    self.flight.begin(batch.count)
                    if !hasBookmark, self.source.bookmark != nil {
                        // Without a declared bound: a disk that takes longer than the watchdog's timeout counts as
                        // hanging.
                        await self.checkpoint?.save(
                            { self.source.bookmark }, stages: { await states.saved() })
                        self.progress.pulse()
                        hasBookmark = true
                    }
                    if runner.generation != self.generation.load(ordering: .acquiring) {
                        await self.renew(runner, states)
                    }
                    if !states.isEmpty {
                        try await states.around { try await self.process(batch, runner, spans) }
                    } else if let spans {
                        try await spans.around(batch) { try await runner.process(batch) }
                    } else {
                        try await runner.process(batch)
                    }
                    self.flight.end()
                }
            } onGracefulShutdown: {
                self.source.stop()
            }
        } onCancel: {
            self.source.stop()
        }
    }

    private func process(_ batch: EventBatch, _ runner: GraphRunner, _ spans: BatchSpans?) async throws {
        guard let spans else { return try await runner.process(batch) }
        try await spans.around(batch) { try await runner.process(batch) }
    }

    /// Stages are created again for the run: an instance belongs to the thread that runs it.
    private func makeRunner() throws -> (GraphRunner, StageStates) {
        let (graphs, generation) = try self.makeGraphs()
        // A graph with such stages has one lane.
        let states = StageStates(graphs[0], checkpoint: self.checkpoint, logger: self.services.logger)
        let runner = GraphRunner(
            graphs: graphs, plan: self.definition.lanes.map { LanePlan($0.settings) }, generation: generation,
            counters: self.counters, flight: self.flight, observer: try self.services.makeObserver?(),
            services: self.services)
        return (runner, states)
    }

    /// Lets the runner continue with the version of the file in use.
    private func renew(_ runner: GraphRunner, _ states: StageStates) async {
        do {
            let (graphs, generation) = try self.makeGraphs()
            states.replace(graphs[0])
            await runner.replace(graphs, generation: generation)
        } catch {
            // Stages that could be created when the file was checked cannot be created now: a stage type violates its
            // contract.
            runner.generation = self.generation.load(ordering: .acquiring)
            self.refuseReload("\(error)")
            self.services.logger.withoutRateLimit.error(
                "reload failed: the previous stages stay active", metadata: ["error": "\(error)"])
        }
    }

    /// The publishers, the first lane's first; each is listed once, also if the embedding program provides one for all
    /// lanes.
    private var publishers: [any MessagePublisher] {
        let all = [self.services.publisher].compactMap(\.self) + self.lanePublishers
        return self.hasGivenPublisher ? Array(all.prefix(1)) : all
    }

    /// Creates a graph for each lane.
    private func makeGraphs() throws(ConfigurationError) -> ([StageGraph], generation: Int) {
        let (definition, generation) = self.version.withLock { ($0.definition, $0.reloads.generation) }
        var issues = SettingIssues()
        var graphs: [StageGraph] = []
        for lane in 0..<(definition.lanes?.settings.count ?? 1) {
            var services = self.services
            if lane > 0, self.lanePublishers.count >= lane { services.publisher = self.lanePublishers[lane - 1] }
            let builder = GraphBuilder(
                definition: definition, catalogue: self.catalogue, stores: self.stores, services: services)
            graphs.append(builder.build(&issues))
        }
        guard issues.all.isEmpty else { throw ConfigurationError(file: self.file, issues: issues.all) }
        return (graphs, generation)
    }
}
