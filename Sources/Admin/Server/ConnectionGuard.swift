import NIOCore
import NIOHTTPTypes
import Synchronization

/// The open connections of a server, closed as `ConnectionShares` decides. Callable from any thread.
final class ConnectionTable: Sendable {
    private struct State {
        var shares: ConnectionShares
        var channels: [ConnectionShares.ID: any Channel] = [:]
    }

    private let state: Mutex<State>

    /// Creates an empty table; see `ConnectionShares`.
    init(places: Int, reserve: Int) {
        self.state = Mutex(State(shares: ConnectionShares(places: places, reserve: reserve)))
    }

    /// Adds a connection and closes the one that has to make room for it, if any.
    func add(_ channel: any Channel) -> ConnectionShares.ID {
        let (id, evicted) = self.state.withLock { state -> (ConnectionShares.ID, (any Channel)?) in
            let (id, evicted) = state.shares.admit(ConnectionPeer(channel.remoteAddress))
            state.channels[id] = channel
            return (id, evicted.flatMap { state.channels.removeValue(forKey: $0) })
        }
        evicted?.close(promise: nil)
        return id
    }

    /// Updates the connection state with `body`, and returns its result.
    func update<R: Sendable>(_ body: (inout ConnectionShares) -> R) -> R { self.state.withLock { body(&$0.shares) } }

    /// Removes a connection that has ended.
    func remove(_ id: ConnectionShares.ID) {
        self.state.withLock { state in
            state.shares.remove(id)
            state.channels[id] = nil
        }
    }
}

/// Registers a connection with the table, and closes it if no request arrives in time; an unproven client has less
/// time.
///
/// It is placed after the HTTP decoder. The time for a request runs until its headers are complete, so sending them
/// byte by byte gains nothing.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let table: ConnectionTable
    private let access: AdminAccess
    private var id: ConnectionShares.ID?
    private var isProven = false
    /// Requests whose response is not complete: a client may pipeline several.
    private var unanswered = 0
    private var timer = CloseTimer(limit: AdminLimits.unprovenTime)

    /// Creates a handler for one connection.
    init(_ table: ConnectionTable, _ access: AdminAccess) {
        self.table = table
        self.access = access
    }

    /// Adds the connection to the table.
    func handlerAdded(context: ChannelHandlerContext) {
        self.id = self.table.add(context.channel)
        self.timer.start(context)
    }

    /// Counts requests and notes whether they are allowed.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head(let head) = self.unwrapInboundIn(data), let id = self.id {
            self.timer.stop()
            self.unanswered += 1
            self.table.update { $0.requestBegan(id) }
            if !self.isProven, self.access.isProof(head), self.table.update({ $0.prove(id) }) {
                self.isProven = true
                self.timer = CloseTimer(limit: AdminLimits.idleTime)
            }
        }
        context.fireChannelRead(data)
    }

    /// Starts the timer for the next request once the last response is sent, but not while a slow client still reads
    /// it.
    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .end = self.unwrapOutboundIn(data) else { return context.write(data, promise: promise) }
        let sent = promise ?? context.eventLoop.makePromise()
        sent.futureResult.assumeIsolated().whenComplete { _ in
            guard let id = self.id else { return }
            self.table.update { $0.responseEnded(id) }
            self.unanswered = max(0, self.unanswered - 1)
            if self.unanswered == 0 { self.timer.start(context) }
        }
        context.write(data, promise: sent)
    }

    /// Removes the connection from the table.
    func channelInactive(context: ChannelHandlerContext) {
        self.end()
        context.fireChannelInactive()
    }

    /// Removes the connection from the table.
    func handlerRemoved(context: ChannelHandlerContext) { self.end() }

    private func end() {
        self.timer.stop()
        if let id = self.id.take() { self.table.remove(id) }
    }
}
