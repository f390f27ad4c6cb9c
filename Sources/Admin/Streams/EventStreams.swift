import Hummingbird
import NIOCore
import StageKit
import Synchronization

/// The open streams of server-sent events: their limits, their wake-ups and their end.
///
/// Each stream runs in the task of its request, on the server's own thread. It checks for new data when the producer
/// wakes it, and once a second. It takes new data only after the previous data is written, so a slow client falls
/// behind without affecting anyone else.
final class EventStreams: Sendable {
    /// The content of a stream.
    enum Kind: Int, CaseIterable {
        /// The documents of the dashboard.
        case live
        /// Events as they get their outcomes.
        case tap
        /// Revocations.
        case revocations

        /// The maximum number of open streams.
        var limit: Int {
            switch self {
            case .live: AdminLimits.liveStreams
            case .tap: AdminLimits.tapStreams
            case .revocations: AdminLimits.revocationStreams
            }
        }
    }

    /// Writes what precedes the events of a stream.
    typealias Opening = @concurrent @Sendable (inout any ResponseBodyWriter) async throws -> Void

    private let beats = Wakes()
    private let isEnded = Atomic<Bool>(false)
    private let open = OrderedMutex<[Kind: Int]>([:])
    private let line: TurnLine

    /// Creates an empty set of streams; streams for people skip a beat if `line` has no turn for them.
    init(line: TurnLine = TurnLine()) {
        self.line = line
    }

    /// Whether streams must end.
    var hasEnded: Bool { self.isEnded.load(ordering: .acquiring) }

    /// Wakes every stream; must be called once a second.
    func beat() {
        self.beats.wake()
    }

    /// Ends all streams, including those that are requested later.
    func stop() {
        self.isEnded.store(true, ordering: .releasing)
        self.beats.end()
    }

    /// Returns a response that streams events until its client disconnects.
    ///
    /// - Parameters:
    ///   - kind: The kind of stream.
    ///   - others: An additional source of wake-ups.
    ///   - opening: Called first; writes what precedes the events.
    ///   - next: Called at each wake-up; returns the bytes to send, or none if there is nothing new. While there is
    ///     nothing new, the stream sends a comment every few seconds, so that both sides detect a broken connection.
    /// - Throws: `AdminFailure` if too many streams of this kind are open.
    func response(
        _ kind: Kind, wakenBy others: Wakes? = nil, opening: Opening? = nil, next: @escaping @Sendable () -> [UInt8]
    ) throws(AdminFailure) -> Response {
        guard let permit = Permit(self, kind) else {
            throw AdminFailure.unavailable(
                "busy", "\(kind.limit) streams of this kind are open; try again when one has ended")
        }
        let body = ResponseBody { writer in
            try await self.run(permit, others, opening, next, &writer)
        }
        return Response(status: .ok, headers: Self.headers, body: body)
    }

    /// Makes proxies pass each event on immediately: no buffering (nginx) and no compression.
    private static let headers: HTTPFields = {
        var headers: HTTPFields = [.contentType: "text/event-stream", .cacheControl: "no-store, no-transform"]
        headers[.init("X-Accel-Buffering")!] = "no"
        return headers
    }()

    @concurrent private func run(
        _ permit: Permit, _ others: Wakes?, _ opening: Opening?, _ next: @Sendable () -> [UInt8],
        _ writer: inout any ResponseBodyWriter
    ) async throws {
        let (sleeper, wakes) = Wakes.makeSleeper()
        let numbers = (self.beats.add(sleeper), others?.add(sleeper))
        defer {
            self.beats.remove(numbers.0)
            if let number = numbers.1 { others?.remove(number) }
        }
        var lastWrite = ContinuousClock.now
        try await writer.write(ByteBuffer(string: EventText.opening))
        try await opening?(&writer)
        for await _ in wakes {
            if self.hasEnded { break }
            if permit.kind != .revocations, !self.line.mayGoOn { continue }
            // Repeats while more data is available, without waiting for the next wake-up.
            var bytes = next()
            while !bytes.isEmpty, !self.hasEnded {
                try await writer.write(ByteBuffer(bytes: bytes))
                lastWrite = .now
                bytes = bytes.count >= AdminLimits.streamPieceBytes ? next() : []
            }
            if ContinuousClock.now - lastWrite >= AdminLimits.keepAlive {
                try await writer.write(ByteBuffer(string: EventText.comment))
                lastWrite = .now
            }
        }
        try await writer.finish(nil)
        withExtendedLifetime(permit) {}
    }

    /// The permission to have a stream open; released with the object, even if its response was never sent.
    private final class Permit: Sendable {
        private let streams: EventStreams
        let kind: Kind

        init?(_ streams: EventStreams, _ kind: Kind) {
            self.streams = streams
            self.kind = kind
            let count = streams.open.withLock { open in
                open[kind, default: 0] += 1
                return open[kind, default: 0]
            }
            // `deinit` decrements the counter in this case, too.
            if count > kind.limit { return nil }
        }

        deinit {
            self.streams.open.withLock { $0[self.kind, default: 0] -= 1 }
        }
    }
}
