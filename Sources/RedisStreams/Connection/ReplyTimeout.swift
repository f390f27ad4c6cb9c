/// How long a server may be silent while a command waits for its reply. Each arrival of bytes restarts the time.
struct ReplyTimeout: Sendable, Equatable {
    /// The setting that a timeout comes from, as named in messages.
    enum Setting: String, Sendable {
        /// The timeout of commands with small answers.
        case command = "redis.timeout"
        /// The timeout of a read that waits for entries.
        case read = "read_block + read_margin"
        /// The timeout of a command that returns entries without waiting for them.
        case entries = "read_margin"
    }

    /// The maximum silence.
    var duration: Duration
    /// The setting that the timeout comes from.
    var setting: Setting

    /// Returns the timeout for commands with small answers.
    static func command(_ duration: Duration) -> ReplyTimeout { ReplyTimeout(duration: duration, setting: .command) }
}
