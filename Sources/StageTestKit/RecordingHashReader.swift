public import StageKit

/// A reader of Redis hashes that are in memory. It records the requests.
public final class RecordingHashReader: HashReader {
    private struct State {
        var hashes: [[UInt8]: [[UInt8]: [UInt8]]] = [:]
        var refusals: [[UInt8]: HashFailure] = [:]
        var calls: [[HashRequest]] = []
        var error: (any Error)?
    }

    private let state = OrderedMutex(State())

    /// Creates a reader of no hashes.
    public init() {}

    /// Returns a reader of the same hashes that has recorded nothing.
    func copy() -> RecordingHashReader {
        let copy = RecordingHashReader()
        let held = self.state.withLock(\.self)
        copy.state.withLock { state in
            state = held
            state.calls = []
        }
        return copy
    }

    /// The requests so far, in order, by call.
    public var calls: [[HashRequest]] { self.state.withLock(\.calls) }

    /// Sets the fields of a hash.
    public func hold(_ key: String, _ fields: [String: String]) {
        for (name, value) in fields { self.hold(Array(key.utf8), field: Array(name.utf8), Array(value.utf8)) }
    }

    /// Sets a field of a hash.
    public func hold(_ key: [UInt8], field: [UInt8], _ value: [UInt8]) {
        self.state.withLock { $0.hashes[key, default: [:]][field] = value }
    }

    /// Makes requests for a hash fail, or succeed if `failure` is `nil`.
    public func refuse(_ key: String, with failure: HashFailure?) {
        self.state.withLock { $0.refusals[Array(key.utf8)] = failure }
    }

    /// Makes every later call throw `error`, or succeed if it is `nil`.
    public func fail(with error: (any Error)?) {
        self.state.withLock { $0.error = error }
    }

    /// Returns the values of the fields.
    public func read(_ requests: [HashRequest]) async throws -> [Result<[[UInt8]?], HashFailure>] {
        try self.state.withLock { state in
            if let error = state.error { throw error }
            state.calls.append(requests)
            return requests.map { request in
                if let refusal = state.refusals[request.key] { return .failure(refusal) }
                return .success(request.fields.map { state.hashes[request.key]?[$0] })
            }
        }
    }
}
