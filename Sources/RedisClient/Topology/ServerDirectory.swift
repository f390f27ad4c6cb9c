package import ComponentKit
package import Logging
import RESP
import StageKit
import Synchronization

/// Finds the server that holds a key, and connects to it: the server in the settings, the master named by sentinels, or
/// the cluster server with the key's slot.
///
/// Usable from any thread. Known addresses are used until a server reports otherwise, a connection is lost (`forget`),
/// or the sentinels are due to be asked again.
package final class ServerDirectory: Sendable {
    private struct State {
        /// The servers to ask for addresses, beginning with the one that answered last.
        var tellers: [RedisAddress]
        /// The master that a sentinel named, and the time of its answer.
        var master: (address: RedisAddress, told: ContinuousClock.Instant)?
        /// The connections to close if the master changes.
        var masterConnections: [(address: RedisAddress, connection: RedisConnection)] = []
        var map: HashSlotMap?
    }

    /// The maximum number of monitored connections to a master: enough for all streams of a source and recently
    /// replaced connections.
    private static let connectionLimit = 1024

    private let settings: RedisSettings
    /// The policies for the credentials of the servers, and of the sentinels.
    private let policy: CredentialPolicy
    private let sentinelPolicy: CredentialPolicy
    /// The policy for the connections that query slots: they select no database, so they do not prove that the servers
    /// have the configured one.
    private let slotsPolicy: CredentialPolicy
    private let state: OrderedMutex<State>

    /// Creates a directory that knows only the addresses in the settings.
    ///
    /// - Parameters:
    ///   - settings: The server, the sentinels or the cluster.
    ///   - connections: The connections of the run so far.
    package init(_ settings: RedisSettings, _ connections: ConnectionHistory) {
        self.settings = settings
        self.policy = CredentialPolicy(settings, in: connections)
        var withoutDatabase = settings
        withoutDatabase.database = 0
        self.slotsPolicy = CredentialPolicy(withoutDatabase, in: connections)
        let sentinel = settings.sentinel?.settings(for: settings.address, like: settings)
        self.sentinelPolicy = CredentialPolicy(sentinel ?? settings, in: connections)
        let seeds = settings.sentinel?.addresses ?? settings.cluster?.addresses ?? [settings.address]
        self.state = OrderedMutex(State(tellers: seeds))
    }

    /// An address of a server that can be asked for the others.
    var anyAddress: RedisAddress { self.state.withLock { $0.tellers.first } ?? self.settings.address }

    /// Returns the final form of an error of a connection; see `RedisError.outsideCluster` and `CredentialPolicy`.
    package func judged(_ error: RedisError) -> RedisError {
        error.redirection != nil && self.settings.cluster == nil ? error.outsideCluster : self.policy.judged(error)
    }

    // MARK: Known addresses

    /// Returns the server of a key if it is known, otherwise `nil`. Without a key, returns any primary.
    func known(for key: [UInt8]?) -> RedisAddress? {
        if let sentinel = self.settings.sentinel {
            let master = self.state.withLock(\.master)
            return master.flatMap { ContinuousClock.now - $0.told < sentinel.checkInterval ? $0.address : nil }
        }
        guard self.settings.cluster != nil else { return self.settings.address }
        return self.state.withLock { $0.map?.server(of: key) }
    }

    /// Records that a server holds a slot.
    func note(_ slot: HashSlot, at address: RedisAddress) {
        self.state.withLock { $0.map?.note(slot, at: address) }
    }

    /// Discards the known addresses after a failure, so that the next lookup asks again.
    package func forget() {
        self.state.withLock { state in
            state.map = nil
            state.master = nil
        }
    }

    // MARK: Asking servers

    /// Returns the server of a key, or any primary if the key is `nil`.
    func address(
        for key: [UInt8]?, on loop: RedisEventLoop, stop: StopSignal, logger: Logger
    ) async throws(RedisError) -> RedisAddress {
        if let address = self.known(for: key) { return address }
        if let sentinel = self.settings.sentinel {
            let last = self.state.withLock(\.master)
            do throws(RedisError) {
                return try await self.askSentinels(sentinel, on: loop, stop: stop, logger: logger)
            } catch {
                // If no sentinel answers, keep using the last known master.
                guard let last else { throw error }
                return last.address
            }
        }
        let map = try await self.askCluster(on: loop, stop: stop, logger: logger)
        if let address = map.server(of: key) { return address }
        throw RedisError(.unavailable, "no server of the cluster serves the slot of the key", isTransient: true)
    }

    /// Returns every primary.
    func primaries(
        on loop: RedisEventLoop, stop: StopSignal, logger: Logger
    ) async throws(RedisError) -> [RedisAddress] {
        guard self.settings.cluster != nil else {
            return [try await self.address(for: nil, on: loop, stop: stop, logger: logger)]
        }
        let map = try await self.askCluster(on: loop, stop: stop, logger: logger)
        guard map.isWhole else {
            throw RedisError(.unavailable, "some slots of the cluster are not served", isTransient: true)
        }
        return map.primaries
    }

    private func askSentinels(
        _ sentinel: SentinelSettings, on loop: RedisEventLoop, stop: StopSignal, logger: Logger
    ) async throws(RedisError) -> RedisAddress {
        var inquiry = Inquiry(self.state.withLock(\.tellers))
        while let teller = inquiry.next() {
            do throws(RedisError) {
                let settings = sentinel.settings(for: teller, like: self.settings).used(for: "sentinel")
                let answer = try await Self.ask(
                    MasterAnswer.question(sentinel.master), settings, self.sentinelPolicy, on: loop, stop: stop,
                    logger: logger)
                let master = try MasterAnswer.address(answer, of: sentinel.master)
                self.state.withLock { state in
                    state.tellers.moveToFront(teller)
                    state.master = (master, .now)
                }
                return master
            } catch {
                if stop.isStopped { throw error }
                // Failed logins are judged already. That a sentinel does not know the master is temporary only if the
                // master has been reached before.
                inquiry.failed(teller, self.policy.judged(error))
            }
        }
        throw inquiry.failure("no sentinel knows the master \(sentinel.master)")
    }

    private func askCluster(
        on loop: RedisEventLoop, stop: StopSignal, logger: Logger
    ) async throws(RedisError) -> HashSlotMap {
        var inquiry = Inquiry(self.state.withLock(\.tellers))
        while let teller = inquiry.next() {
            do throws(RedisError) {
                var settings = self.settings.settings(for: teller).used(for: "topology")
                // The slots are the same in every database. A server that refuses the database says so when the
                // connection for the data is opened.
                settings.database = 0
                let answer = try await Self.ask(
                    RESPCommand("CLUSTER", "SLOTS"), settings, self.slotsPolicy, on: loop,
                    stop: stop, logger: logger)
                if case .error(let text) = answer { throw .answer(text, to: "CLUSTER") }
                guard let map = HashSlotMap(answer, toldBy: teller) else {
                    throw .unexpectedAnswer(to: "CLUSTER", "expected slot ranges with servers")
                }
                self.state.withLock { state in
                    state.map = map
                    // The configured servers come last, as a fallback.
                    let seeds = self.settings.cluster?.addresses ?? []
                    state.tellers = map.primaries + map.replicas + seeds
                    state.tellers.moveToFront(teller)
                }
                return map
            } catch {
                if stop.isStopped { throw error }
                inquiry.failed(teller, self.slotsPolicy.judged(error))
            }
        }
        throw inquiry.failure("no server of the cluster returns its slots")
    }

    /// Asks a server one question over a separate connection.
    private static func ask(
        _ question: RESPCommand, _ settings: RedisSettings, _ policy: CredentialPolicy, on loop: RedisEventLoop,
        stop: StopSignal, logger: Logger
    ) async throws(RedisError) -> RESPValue {
        let connection = try await RedisConnection.connect(settings, policy, on: loop, stop: stop, logger: logger)
        defer { connection.close() }
        return try await connection.submit([question])[0].reply().value()
    }

    // MARK: Connecting

    /// Connects to the server of a key and logs in.
    ///
    /// - Parameters:
    ///   - key: The key, or `nil` for any primary.
    ///   - redirection: The redirection that the server asked before has answered, or `nil`.
    ///   - loop: The event loop of the connection.
    ///   - stop: The signal that cancels the attempt and later closes the connection.
    ///   - logger: The logger of the connection.
    package func connect(
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

    /// Connects to a server and logs in. With sentinels, also checks that the server itself reports to be the master.
    func connect(
        to address: RedisAddress, on loop: RedisEventLoop, stop: StopSignal, logger: Logger
    ) async throws(RedisError) -> RedisConnection {
        let settings = self.settings.settings(for: address)
        let connection = try await RedisConnection.connect(settings, self.policy, on: loop, stop: stop, logger: logger)
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

    // MARK: Monitoring

    /// Asks the sentinels for the master at every `check_interval`, and closes connections to a server that no longer
    /// is the master. An old master may still answer on the wrong side of a network partition.
    ///
    /// Returns when `stop` is signalled, or immediately if there are no sentinels.
    package func watchMaster(on loop: RedisEventLoop, until stop: StopSignal, logger: Logger) async {
        guard let sentinel = self.settings.sentinel else { return }
        while !stop.isStopped {
            await loop.sleep(sentinel.checkInterval, until: stop)
            if stop.isStopped { return }
            // If no sentinel answers, keep the connection and ask again at the next interval.
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
                        .unavailable, "\(address): the sentinels now report \(master) as the master", isTransient: true)
                )
            }
        }
    }
}

extension HashSlotMap {
    /// Returns the server of a key, or any primary if the key is `nil`.
    fileprivate func server(of key: [UInt8]?) -> RedisAddress? {
        key.map { self[HashSlot(of: $0)] } ?? self.primaries.first
    }
}

extension [RedisAddress] {
    /// Moves an address to the front and removes duplicates.
    fileprivate mutating func moveToFront(_ address: RedisAddress) {
        var seen: Set<RedisAddress> = [address]
        self = [address] + self.filter { seen.insert($0).inserted }
    }
}
