import Hummingbird
import NIOPosix
import StageKit
import Synchronization

/// Streams whole stores as lines of JSON, a piece at a time, at the speed of the client.
///
/// A store is walked on a thread of a small pool, as the walk is a plain loop that must wait for a slow client and no
/// event loop may.
final class SnapshotExporter: Sendable {
    private let pool = NIOThreadPool(numberOfThreads: AdminLimits.exports)
    private let running = Atomic<Int>(0)
    private let isStopping = Atomic<Bool>(false)

    private let line: TurnLine

    /// Starts the threads; each piece of an export waits for its turn in `line`.
    init(line: TurnLine = TurnLine()) {
        self.line = line
        self.pool.start()
    }

    /// Makes running exports end early, which their clients see as a broken connection.
    func stop() {
        self.isStopping.store(true, ordering: .relaxed)
    }

    /// Ends the threads; no export may be running.
    func shutDown() async throws {
        try await self.pool.shutdownGracefully()
    }

    /// A response that streams the store; throws where too many are being streamed already, and where `refusal` tells why
    /// the store must not answer. It is asked again before each piece: an export that it refuses then ends early.
    func response(
        for store: any SnapshotStore, unless refusal: @escaping @Sendable () -> AdminFailure?
    ) throws(AdminFailure) -> Response {
        if let failure = refusal() { throw failure }
        guard let slot = Slot(self) else {
            throw AdminFailure.unavailable(
                "busy", "\(AdminLimits.exports) exports are running; try again when one is done")
        }
        let body = ResponseBody { writer in
            try await self.stream(store, unless: refusal, in: slot, to: &writer)
        }
        return Response(status: .ok, headers: [.contentType: "application/x-ndjson"], body: body)
    }

    @concurrent private func stream(
        _ store: any SnapshotStore, unless refusal: @escaping @Sendable () -> AdminFailure?, in slot: Slot,
        to writer: inout any ResponseBodyWriter
    ) async throws {
        let pipe = ChunkPipe()
        async let walk: Void = self.pool.runIfActive {
            defer { pipe.finish() }
            try self.walk(store, into: pipe)
        }
        // However this ends, the walk is told; only then can the task that waits for it end.
        defer { pipe.close() }
        for await chunk in pipe.chunks {
            if let failure = refusal() { throw failure }
            try await self.line.waitForTurn()
            try await writer.write(chunk)
            pipe.advance()
        }
        // The pieces also end where this task is cancelled, and then the walk may be waiting for room.
        try Task.checkCancellation()
        // Throws where the walk ended early, so that the client does not take a part for the whole.
        try await walk
        try await writer.finish(nil)
        withExtendedLifetime(slot) {}
    }

    private func walk(_ store: any SnapshotStore, into pipe: ChunkPipe) throws {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(AdminLimits.exportChunkBytes * 2)
        try store.forEachSnapshot { snapshot in
            if self.isStopping.load(ordering: .relaxed) { throw ChunkPipe.Closed() }
            SnapshotJSON.append(snapshot, to: &bytes)
            bytes.append(UInt8(ascii: "\n"))
            guard bytes.count >= AdminLimits.exportChunkBytes else { return }
            try pipe.write(ByteBuffer(bytes: bytes))
            bytes.removeAll(keepingCapacity: true)
        }
        if !bytes.isEmpty { try pipe.write(ByteBuffer(bytes: bytes)) }
    }

    /// The right to run one export; given back when it goes, also where its response was never sent.
    private final class Slot: Sendable {
        private let exporter: SnapshotExporter

        init?(_ exporter: SnapshotExporter) {
            self.exporter = exporter
            let running = exporter.running.wrappingAdd(1, ordering: .relaxed).newValue
            // `deinit` gives back what was taken, here too.
            if running > AdminLimits.exports { return nil }
        }

        deinit {
            self.exporter.running.wrappingSubtract(1, ordering: .relaxed)
        }
    }
}
