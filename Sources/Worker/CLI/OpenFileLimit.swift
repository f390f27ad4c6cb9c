import Glibc

/// The number of files and connections that the process may have open (RLIMIT_NOFILE).
enum OpenFileLimit {
    /// The files that a command needs beside those of its threads: the standard streams, pipeline, journal, checkpoint and
    /// its lock, secrets, connections to the server and its sentinels, and a few clients of the HTTP side.
    static let base: UInt64 = 48
    /// The files that an event loop has open (epoll, eventfd, timerfd); there are at most two loops for each core.
    static let perCore: UInt64 = 6

    /// The limit is lower than what the process needs.
    struct TooLow: Error, Equatable, CustomStringConvertible {
        /// The limit as it is.
        var limit: UInt64
        /// The lowest limit that is enough.
        var needed: UInt64

        /// The error with what to do.
        var description: String {
            "the limit of open files is \(self.limit), and at least \(self.needed) are needed: raise it "
                + "(ulimit -n \(self.needed), LimitNOFILE= in a systemd unit)"
        }
    }

    /// The limit to set, `nil` if the current one is enough.
    static func raised(soft: UInt64, hard: UInt64, needed: UInt64) throws(TooLow) -> UInt64? {
        if soft >= needed { return nil }
        guard hard >= needed else { throw TooLow(limit: hard, needed: needed) }
        return needed
    }

    /// Raises the soft limit if it is too low and the hard one allows it.
    ///
    /// - Throws: `TooLow` if it cannot be raised: an event loop that cannot open its files would end the process at once.
    static func ensure() throws(TooLow) {
        var limit = rlimit()
        let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard unsafe getrlimit(kind, &limit) == 0 else { return }
        let cores = UInt64(max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        let needed = self.base + self.perCore * cores
        let (soft, hard) = (UInt64(limit.rlim_cur), UInt64(limit.rlim_max))
        guard let raised = try self.raised(soft: soft, hard: hard, needed: needed) else { return }
        limit.rlim_cur = rlim_t(raised)
        if unsafe setrlimit(kind, &limit) != 0 { throw TooLow(limit: soft, needed: needed) }
    }
}
