import NIOCore

/// The I/O of a connection of the Redis door: a channel of SwiftNIO (TLS), or a socket.
///
/// All decisions are in `RedisDoorCore`. Actions are carried out without access to the core, because they may come back
/// to the connection: the loop invalidates everything, or the channel is writable again.
protocol RedisDoorShell: DoorConnectionHandler {
    /// Passes the core to `body`, which must not come back to the connection.
    func withCore<R>(_ body: (inout RedisDoorCore) -> R) -> R

    /// Passes the output to the client, or as much as it takes now.
    func write()

    /// Ends the output behind the bytes that were passed on.
    func endOutput()

    /// Has `resume` called when other connections have had their turn.
    func yield()

    /// Closes the connection, and removes it from the core.
    func close()

    /// Begins to read, or stops, as the core says; called after all actions.
    func settle()

    /// The bytes that the client has not taken.
    var waitingBytes: Int { get }
}

extension RedisDoorShell {
    /// Carries out the actions that are due.
    func perform() {
        guard self.withCore({ $0.begin() }) else { return }
        while true {
            switch self.withCore({ $0.next() }) {
            case .write: self.write()
            case .noteAnswers: self.withCore { $0.loop }.noteAnswers()
            case .setTarget(let isTarget):
                let (loop, id) = self.withCore { ($0.loop, $0.id) }
                if isTarget { loop.addTarget(self, id) } else { loop.removeTarget(id) }
            case .endOutput: self.endOutput()
            case .yield: self.yield()
            case .close: self.close()
            case .wait: return self.settle()
            }
        }
    }

    /// Continues after other connections have had their turn.
    func resume() {
        self.withCore { $0.resume() }
        self.perform()
    }

    // MARK: Invalidations and messages

    /// Whether the client has subscriptions.
    var isSubscriber: Bool { self.withCore { $0.isSubscriber } }

    /// Writes invalidations or messages behind the replies.
    func push(_ body: (borrowing RedisDoorConnection, inout ByteBuffer) -> Void) {
        // A long list of changes is not collected for a client that does not take them.
        if self.withCore({ $0.push(body) }) { self.flushPushes() }
    }

    /// Passes pushes to the client; closes the connection of a client that does not take them.
    func flushPushes() {
        self.withCore { $0.flushPushes() }
        self.perform()
        let isFlooded = self.withCore { $0.pushedBytes > RedisLimits.outputBytes }
        if isFlooded, self.waitingBytes > RedisLimits.outputBytes { self.closeSlow() }
    }

    /// Closes the connection of a client that has missed messages, or does not take invalidations.
    func closeSlow() {
        self.withCore { $0.closeSlow() }
        self.perform()
    }

    // MARK: The end

    /// Closes the connection if its client is too slow.
    func closeIfLate() {
        self.withCore { $0.closeIfLate() }
        self.perform()
    }

    /// Closes the connection, also if its client has not taken all replies.
    func closeIfIdle() {
        self.withCore { $0.close() }
        self.perform()
    }
}
