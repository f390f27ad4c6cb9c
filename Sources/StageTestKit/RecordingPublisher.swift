public import StageKit

/// A publisher that records the messages it is given.
public final class RecordingPublisher: MessagePublisher {
    private struct State {
        var messages: [OutgoingMessage] = []
        var calls = 0
        var refusals: [Int: PublishFailure] = [:]
        var seen = 0
        var error: (any Error)?
    }

    private let state = OrderedMutex(State())

    /// Creates a publisher that accepts everything.
    public init() {}

    /// The sent messages in order, without refused ones.
    public var messages: [OutgoingMessage] { self.state.withLock(\.messages) }

    /// The number of calls.
    public var calls: Int { self.state.withLock(\.calls) }

    /// Makes the publisher refuse the message with index `number`, counted from 0 over all calls.
    public func refuse(_ number: Int, with failure: PublishFailure) {
        self.state.withLock { $0.refusals[number] = failure }
    }

    /// Makes every later call throw `error`, or succeed if it is `nil`.
    public func fail(with error: (any Error)?) {
        self.state.withLock { $0.error = error }
    }

    /// Records the messages, except those that it was set to refuse.
    public func publish(_ messages: [OutgoingMessage]) async throws -> [PublishFailure?] {
        try self.state.withLock { state in
            if let error = state.error { throw error }
            state.calls += 1
            return messages.map { message in
                defer { state.seen += 1 }
                if let refusal = state.refusals[state.seen] { return refusal }
                state.messages.append(message)
                return nil
            }
        }
    }
}
