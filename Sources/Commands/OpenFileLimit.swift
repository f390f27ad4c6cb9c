import Glibc

/// The limit on open files and connections of the process (RLIMIT_NOFILE).
package enum OpenFileLimit {
    /// The files that a command needs in addition to those of its threads: the standard streams, pipeline, journal,
    /// checkpoint and its lock, secrets, connections to the server and its sentinels, and a few clients of the HTTP
    /// interface.
    static let base: UInt64 = 48
    /// The files that an event loop opens (epoll, eventfd, timerfd); there are at most two loops per core.
    static let perCore: UInt64 = 6

    /// The limit is lower than the process needs.
    package struct TooLow: Error, Equatable, CustomStringConvertible {
        /// The current limit.
        var limit: UInt64
        /// The lowest sufficient limit.
        var needed: UInt64

        /// The problem and its remedy.
        package var description: String {
            "the limit of open files is \(self.limit), but at least \(self.needed) are needed: raise it "
                + "(ulimit -n \(self.needed), LimitNOFILE= in a systemd unit)"
        }
    }

    /// Returns the limit to set, or `nil` if the current one is sufficient.
    static func raised(soft: UInt64, hard: UInt64, needed: UInt64) throws(TooLow) -> UInt64? {
        if soft >= needed { return nil }
        guard hard >= needed else { throw TooLow(limit: hard, needed: needed) }
        return needed
    }

    /// Raises the soft limit if it is too low and the hard limit allows it.
    ///
    /// - Throws: `TooLow` if it cannot be raised: an event loop that cannot open its files would crash the process.
    package static func ensure() throws(TooLow) {
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
