/// How long a server may be silent while a command waits for its reply. Each arrival of bytes restarts the time.
package struct ReplyTimeout: Sendable, Equatable {
    /// The setting that a timeout comes from, as named in messages.
    package enum Setting: String, Sendable {
        /// The timeout of commands with small answers.
        case command = "redis.timeout"
        /// The timeout of a read that waits for entries.
        case read = "read_block + read_margin"
        /// The timeout of a command that returns entries without waiting for them.
        case entries = "read_margin"
    }

    /// The maximum silence.
    package var duration: Duration
    /// The setting that the timeout comes from.
    package var setting: Setting

    /// Creates a timeout of a setting.
    package init(duration: Duration, setting: Setting) {
        self.duration = duration
        self.setting = setting
    }

    /// Returns the timeout for commands with small answers.
    package static func command(_ duration: Duration) -> ReplyTimeout {
        ReplyTimeout(duration: duration, setting: .command)
    }
}
