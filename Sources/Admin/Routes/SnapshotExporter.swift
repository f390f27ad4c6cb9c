import ComponentKit
import Hummingbird
import NIOPosix
import StageKit
import Synchronization

/// Streams whole stores as lines of JSON, a piece at a time, at the client's speed.
///
/// A store is iterated on a thread of a small pool, because the iteration is a plain loop that must wait for a slow
/// client, which an event loop cannot do.
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

    /// Ends running exports early; their clients see a broken connection.
    func stop() {
        self.isStopping.store(true, ordering: .relaxed)
    }

    /// Ends the threads; no export may be running.
    func shutDown() async throws {
        try await self.pool.shutdownGracefully()
    }

    /// Returns a response that streams the store.
    ///
    /// `types` are the types of the graph's fields. `refusal` is asked again before each piece; if it returns a failure, the export ends early.
    ///
    /// - Throws: `AdminFailure` if too many exports are running, or if `refusal` returns one.
    func response(
        for store: any SnapshotStore, types: [String: FieldType] = [:],
        unless refusal: @escaping @Sendable () -> AdminFailure?
    ) throws(AdminFailure) -> Response {
        if let failure = refusal() { throw failure }
        let permit = try self.permit()
        let body = ResponseBody { writer in
            try await self.stream(unless: refusal, to: &writer) { try self.walk(store, types, into: $0) }
            try await writer.finish(nil)
            withExtendedLifetime(permit) {}
        }
        var headers: HTTPFields = [.contentType: "application/x-ndjson"]
        // For clients that show how much is left; the store may change during the export.
        headers[.init("X-Sluice-Snapshots")!] = "\(store.count)"
        return Response(status: .ok, headers: headers, body: body)
    }

    /// Returns the permission to run an export.
    ///
    /// - Throws: `AdminFailure` if too many exports are running.
    func permit() throws(AdminFailure) -> Permit {
        if let permit = Permit(self) { return permit }
        throw AdminFailure.unavailable(
            "busy", "\(AdminLimits.exports) exports are running; try again when one has finished")
    }

    /// Whether running exports must end.
    var isEnding: Bool { self.isStopping.load(ordering: .relaxed) }

    /// Streams the pieces that `walk` writes, which runs on a thread of the pool. Needs a permit.
    ///
    /// `refusal` is asked before each piece; if it returns a failure, the stream ends early.
    @concurrent func stream(
        unless refusal: @escaping @Sendable () -> AdminFailure?, to writer: inout any ResponseBodyWriter,
        _ produce: @escaping @Sendable (ChunkPipe) throws -> Void
    ) async throws {
        let pipe = ChunkPipe()
        async let walk: Void = self.pool.runIfActive {
            defer { pipe.finish() }
            try produce(pipe)
        }
        // However this ends, `produce` must be notified: only then can the child task that runs it end.
        defer { pipe.close() }
        for await chunk in pipe.chunks {
            if let failure = refusal() { throw failure }
            try await self.line.waitForTurn()
            try await writer.write(chunk)
            pipe.advance()
        }
        // The sequence also ends if this task is cancelled, and then `walk` may still be waiting for room.
        try Task.checkCancellation()
        // Throws if the iteration ended early, so that the client does not mistake a part for the whole store.
        try await walk
    }

    private func walk(_ store: any SnapshotStore, _ types: [String: FieldType], into pipe: ChunkPipe) throws {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(AdminLimits.exportChunkBytes * 2)
        try store.forEachSnapshot { snapshot in
            if self.isEnding { throw ChunkPipe.Closed() }
            SnapshotJSON.append(snapshot, types: types, to: &bytes)
            bytes.append(UInt8(ascii: "\n"))
            guard bytes.count >= AdminLimits.exportChunkBytes else { return }
            try pipe.write(ByteBuffer(bytes: bytes))
            bytes.removeAll(keepingCapacity: true)
        }
        if !bytes.isEmpty { try pipe.write(ByteBuffer(bytes: bytes)) }
    }

    /// The permission to run one export; released with the object, even if its response was never sent.
    final class Permit: Sendable {
        private let exporter: SnapshotExporter

        fileprivate init?(_ exporter: SnapshotExporter) {
            self.exporter = exporter
            let running = exporter.running.wrappingAdd(1, ordering: .relaxed).newValue
            // `deinit` decrements the counter in this case, too.
            if running > AdminLimits.exports { return nil }
        }

        deinit {
            self.exporter.running.wrappingSubtract(1, ordering: .relaxed)
        }
    }
}
