/// How long a server may be silent while a command waits for its reply: any byte that arrives starts the time again.
struct ReplyTimeout: Sendable, Equatable {
    /// The setting that the time comes from, as messages name it.
    enum Setting: String, Sendable {
        /// The time of commands with small answers.
        case command = "redis.timeout"
        /// The time of a read that waits for entries.
        case read = "read_block + read_margin"
        /// The time of a command that returns entries without waiting for them.
        case entries = "read_margin"
    }

    /// The time.
    var duration: Duration
    /// Where it comes from.
    var setting: Setting

    /// A time for commands with small answers.
    static func command(_ duration: Duration) -> ReplyTimeout { ReplyTimeout(duration: duration, setting: .command) }
}
