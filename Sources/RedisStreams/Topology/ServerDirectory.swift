import Logging
import RESP
import StageKit
import Synchronization

/// Knows which server has which key, and connects to it: the one that the settings name, the master that sentinels name,
/// or the server of a cluster that has the key's slot.
///
/// Usable from any thread. What it knows is taken for true until a server says otherwise, a connection is lost
/// (`forget`), or it is time to ask the sentinels again.
final class ServerDirectory: Sendable {
    private struct State {
        /// Who can tell where servers are: those that have told last come first.
        var tellers: [RedisAddress]
        /// The master that the sentinels have named, and when.
        var master: (address: RedisAddress, told: ContinuousClock.Instant)?
        /// The connections to the master that are to end when it is another.
        var masterConnections: [(address: RedisAddress, connection: RedisConnection)] = []
        var map: SlotMap?
    }

    /// Connections to a master that are kept in sight: those of a source's streams and those made just before.
    private static let connectionLimit = 1024

    private let settings: RedisSettings
    private let state: OrderedMutex<State>

    /// Knows what the settings say.
    init(_ settings: RedisSettings) {
        self.settings = settings
        let seeds = settings.sentinel?.addresses ?? settings.cluster?.addresses ?? [settings.address]
        self.state = OrderedMutex(State(tellers: seeds))
    }

    /// A server that can tell where others are.
    var anyAddress: RedisAddress { self.state.withLock { $0.tellers.first } ?? self.settings.address }

    /// What a failure means with these settings: see `RedisError.outsideCluster`.
    func judged(_ error: RedisError) -> RedisError {
        error.redirection != nil && self.settings.cluster == nil ? error.outsideCluster : error
    }

    // MARK: What is known

    /// The server of a key, where that is known without asking; nil for a key is any that takes changes.
    func known(for key: [UInt8]?) -> RedisAddress? {
        if let sentinel = self.settings.sentinel {
            let master = self.state.withLock(\.master)
            return master.flatMap { ContinuousClock.now - $0.told < sentinel.checkInterval ? $0.address : nil }
        }
        guard self.settings.cluster != nil else { return self.settings.address }
        return self.state.withLock { $0.map?.server(of: key) }
    }

    /// Notes that a server has a slot.
    func note(_ slot: HashSlot, at address: RedisAddress) {
        self.state.withLock { $0.map?.note(slot, at: address) }
    }

    /// Forgets which server has what: after a failure it is asked anew.
    func forget() {
        self.state.withLock { state in
            state.map = nil
            state.master = nil
        }
    }

    // MARK: Asking

    /// The server of a key; nil for any that takes changes.
    func address(
        for key: [UInt8]?, on loop: RedisEventLoop, stop: StopSignal, logger: Logger
    ) async throws(RedisError) -> RedisAddress {
        if let address = self.known(for: key) { return address }
        if let sentinel = self.settings.sentinel {
            let last = self.state.withLock(\.master)
            do throws(RedisError) {
                return try await self.askSentinels(sentinel, on: loop, stop: stop, logger: logger)
            } catch {
                // Sentinels that are away say nothing against a master that was named and is connected.
                guard let last else { throw error }
                return last.address
            }
        }
        let map = try await self.askCluster(on: loop, stop: stop, logger: logger)
        if let address = map.server(of: key) { return address }
        throw RedisError(.unavailable, "no server of the cluster has the slot of the key", isTransient: true)
    }

    /// Every server that takes changes.
    func primaries(
        on loop: RedisEventLoop, stop: StopSignal, logger: Logger
    ) async throws(RedisError) -> [RedisAddress] {
        guard self.settings.cluster != nil else {
            return [try await self.address(for: nil, on: loop, stop: stop, logger: logger)]
        }
        let map = try await self.askCluster(on: loop, stop: stop, logger: logger)
        guard map.isWhole else {
            throw RedisError(.unavailable, "some slots of the cluster have no server", isTransient: true)
        }
        return map.primaries
    }

    private func askSentinels(
        _ sentinel: SentinelSettings, on loop: RedisEventLoop, stop: StopSignal, logger: Logger
    ) async throws(RedisError) -> RedisAddress {
        var inquiry = Inquiry(self.state.withLock(\.tellers))
        while let teller = inquiry.next() {
            do throws(RedisError) {
                let settings = sentinel.settings(for: teller, like: self.settings)
                let answer = try await Self.ask(
                    MasterAnswer.question(sentinel.master), settings, on: loop, stop: stop, logger: logger)
                let master = try MasterAnswer.address(answer, of: sentinel.master)
                self.state.withLock { state in
                    state.tellers.moveToFront(teller)
                    state.master = (master, .now)
                }
                return master
            } catch {
                if stop.isStopped { throw error }
                inquiry.failed(teller, error)
            }
        }
        throw inquiry.failure("no sentinel tells where the master \(sentinel.master) is")
    }

    private func askCluster(
        on loop: RedisEventLoop, stop: StopSignal, logger: Logger
    ) async throws(RedisError) -> SlotMap {
        var inquiry = Inquiry(self.state.withLock(\.tellers))
        while let teller = inquiry.next() {
            do throws(RedisError) {
                let answer = try await Self.ask(
                    RESPCommand("CLUSTER", "SLOTS"), self.settings.settings(for: teller), on: loop, stop: stop,
                    logger: logger)
                if case .error(let text) = answer { throw .answer(text, to: "CLUSTER") }
                guard let map = SlotMap(answer, toldBy: teller) else {
                    throw .unexpectedAnswer(to: "CLUSTER", "an answer of another shape")
                }
                self.state.withLock { state in
                    state.map = map
                    // The servers that the file names come last: they are there to begin with.
                    let seeds = self.settings.cluster?.addresses ?? []
                    state.tellers = map.primaries + map.replicas + seeds
                    state.tellers.moveToFront(teller)
                }
                return map
            } catch {
                if stop.isStopped { throw error }
                inquiry.failed(teller, error)
            }
        }
        throw inquiry.failure("no server of the cluster tells where its slots are")
    }

    /// Asks a server one question, over a connection for it alone.
    private static func ask(
        _ question: RESPCommand, _ settings: RedisSettings, on loop: RedisEventLoop, stop: StopSignal, logger: Logger
    ) async throws(RedisError) -> RESPValue {
        let connection = try await RedisConnection.connect(settings, on: loop, stop: stop, logger: logger)
        defer { connection.close() }
        return try await connection.submit([question])[0].reply().value()
    }

    // MARK: Connecting

    /// Connects to the server of a key and logs in; `redirection` is what the server asked before has said of it.
    func connect(
        for key: [UInt8]?, following redirection: Redirection? = nil, on loop: RedisEventLoop, stop: StopSignal,
        logger: Logger
    ) async throws(RedisError) -> RedisConnection {
        guard let redirection, self.settings.cluster != nil else {
            let address = try await self.address(for: key, on: loop, stop: stop, logger: logger)
            return try await self.connect(to: address, on: loop, stop: stop, logger: logger)
        }
        let address = redirection.address(toldBy: self.anyAddress)
        if redirection.kind == .moved { self.note(redirection.slot, at: address) }
        let connection = try await self.connect(to: address, on: loop, stop: stop, logger: logger)
        return redirection.kind == .ask ? connection.asking() : connection
    }

    /// Connects to a server and logs in; where sentinels name it, it must say itself that it is the master.
    func connect(
        to address: RedisAddress, on loop: RedisEventLoop, stop: StopSignal, logger: Logger
    ) async throws(RedisError) -> RedisConnection {
        let settings = self.settings.settings(for: address)
        let connection = try await RedisConnection.connect(settings, on: loop, stop: stop, logger: logger)
        guard self.settings.sentinel != nil else { return connection }
        do throws(RedisError) {
            try MasterAnswer.confirm(try await connection.submit([RESPCommand("ROLE")])[0].reply().value(), by: address)
        } catch {
            connection.close()
            self.forget()
            throw error
        }
        self.state.withLock { state in
            if state.masterConnections.count == Self.connectionLimit { state.masterConnections.removeFirst() }
            state.masterConnections.append((address, connection))
        }
        return connection
    }

    // MARK: Watching

    /// Asks the sentinels from time to time who the master is, and ends the connections to one that is it no more: the
    /// old one may go on answering, from the wrong side of a cut.
    ///
    /// Returns when told to stop, at once where there are no sentinels.
    func watchMaster(on loop: RedisEventLoop, until stop: StopSignal, logger: Logger) async {
        guard let sentinel = self.settings.sentinel else { return }
        while !stop.isStopped {
            await loop.sleep(sentinel.checkInterval, until: stop)
            if stop.isStopped { return }
            // One that does not answer is asked again; meanwhile the connection stands or falls by itself.
            guard let master = try? await self.askSentinels(sentinel, on: loop, stop: stop, logger: logger) else {
                continue
            }
            let old = self.state.withLock { state in
                defer { state.masterConnections.removeAll { $0.address != master } }
                return state.masterConnections.filter { $0.address != master }
            }
            for (address, connection) in old {
                connection.close(
                    with: RedisError(
                        .unavailable, "\(address): the sentinels name \(master) as the master now", isTransient: true))
            }
        }
    }
}

extension SlotMap {
    /// The server of a key; nil for a key is any.
    fileprivate func server(of key: [UInt8]?) -> RedisAddress? {
        key.map { self[HashSlot(of: $0)] } ?? self.primaries.first
    }
}

extension [RedisAddress] {
    /// Puts an address first, wherever it was; an address stands once.
    fileprivate mutating func moveToFront(_ address: RedisAddress) {
        var seen: Set<RedisAddress> = [address]
        self = [address] + self.filter { seen.insert($0).inserted }
    }
}
