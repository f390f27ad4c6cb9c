import Hummingbird
import NIOCore
import StageKit
import Synchronization

/// The streams of server-sent events that are open: how many there may be, their beat and their end.
///
/// Each runs in the task of its request, on the server's own thread, and looks for something new when it is woken: by
/// who has it, and by a beat once a second. What it does not get rid of, it does not take: a slow client is behind, and
/// nobody else notices.
final class EventStreams: Sendable {
    /// What a stream carries.
    enum Kind: Int, CaseIterable {
        /// What the dashboard shows.
        case live
        /// Events as they get their outcomes.
        case tap
        /// Revocations.
        case revocations

        /// How many may be open.
        var limit: Int {
            switch self {
            case .live: AdminLimits.liveStreams
            case .tap: AdminLimits.tapStreams
            case .revocations: AdminLimits.revocationStreams
            }
        }
    }

    private let beats = Wakes()
    private let isEnded = Atomic<Bool>(false)
    private let open = OrderedMutex<[Kind: Int]>([:])
    private let line: TurnLine

    /// No stream is open; those that are for people miss a beat if `line` has no turn for them.
    init(line: TurnLine = TurnLine()) {
        self.line = line
    }

    /// Whether streams have to end.
    var hasEnded: Bool { self.isEnded.load(ordering: .acquiring) }

    /// Wakes every stream; to be called once a second.
    func beat() {
        self.beats.wake()
    }

    /// Ends all streams, also those that are asked for later.
    func stop() {
        self.isEnded.store(true, ordering: .releasing)
        self.beats.end()
    }

    /// A response that streams events until its client goes; throws where too many are open.
    ///
    /// - Parameters:
    ///   - others: What wakes the stream beside the beat.
    ///   - next: Called at each wake; what it returns is sent, nothing where there is nothing new. Empty text lets the
    ///     stream send a comment now and then, so that both sides notice a connection that is gone.
    func response(
        _ kind: Kind, wakenBy others: Wakes? = nil, next: @escaping @Sendable () -> [UInt8]
    ) throws(AdminFailure) -> Response {
        guard let slot = Slot(self, kind) else {
            throw AdminFailure.unavailable(
                "busy", "\(kind.limit) streams of this kind are open; try again when one has ended")
        }
        let body = ResponseBody { writer in
            try await self.run(slot, others, next, &writer)
        }
        return Response(status: .ok, headers: Self.headers, body: body)
    }

    /// Proxies are told to pass each event on as it comes: neither buffered (nginx) nor compressed.
    private static let headers: HTTPFields = {
        var headers: HTTPFields = [.contentType: "text/event-stream", .cacheControl: "no-store, no-transform"]
        headers[.init("X-Accel-Buffering")!] = "no"
        return headers
    }()

    @concurrent private func run(
        _ slot: Slot, _ others: Wakes?, _ next: @Sendable () -> [UInt8], _ writer: inout any ResponseBodyWriter
    ) async throws {
        let (sleeper, wakes) = Wakes.makeSleeper()
        let numbers = (self.beats.add(sleeper), others?.add(sleeper))
        defer {
            self.beats.remove(numbers.0)
            if let number = numbers.1 { others?.remove(number) }
        }
        var lastWrite = ContinuousClock.now
        try await writer.write(ByteBuffer(string: EventText.opening))
        for await _ in wakes {
            if self.hasEnded { break }
            if slot.kind != .revocations, !self.line.mayGoOn { continue }
            // As long as there is more at once, without waiting for the next wake.
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
        withExtendedLifetime(slot) {}
    }

    /// The right to have a stream open; given back when it goes, also where its response was never sent.
    private final class Slot: Sendable {
        private let streams: EventStreams
        let kind: Kind

        init?(_ streams: EventStreams, _ kind: Kind) {
            self.streams = streams
            self.kind = kind
            let count = streams.open.withLock { open in
                open[kind, default: 0] += 1
                return open[kind, default: 0]
            }
            // `deinit` gives back what was taken, here too.
            if count > kind.limit { return nil }
        }

        deinit {
            self.streams.open.withLock { $0[self.kind, default: 0] -= 1 }
        }
    }
}
