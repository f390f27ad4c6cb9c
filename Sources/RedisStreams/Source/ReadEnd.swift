import RedisClient

/// The reason that a connection to a stream ended.
enum ReadEnd: Error {
    /// The server or the connection to it failed.
    case server(RedisError)
    /// Delivering a batch failed.
    case deliver(any Error)
    /// Entries were lost.
    case gap(Gap, FollowMachine.Response)

    /// Classifies an error. Errors of the stages are already wrapped in `deliver`, so a `RedisError` comes from the
    /// server.
    static func of(_ error: any Error) -> ReadEnd {
        switch error {
        case let error as ReadEnd: error
        case let error as RedisError: .server(error)
        default: .deliver(error)
        }
    }

    /// Returns how the connection ends for a course other than reading on; a gap ends it because reads are in flight.
    static func of(_ course: FollowMachine.Course) -> ReadEnd {
        if case .gap(let gap, let response) = course { return .gap(gap, response) }
        return .server(.closedHere)
    }
}
