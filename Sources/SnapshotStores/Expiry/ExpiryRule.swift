/// The decision whether a snapshot has expired: nothing but values in, and an answer out.
///
/// Times are milliseconds since 1970-01-01 00:00 UTC. In doubt a snapshot has expired: a session that cannot be shown to
/// be valid must not be used.
struct ExpiryRule: Sendable, Equatable {
    /// The time to live after the snapshot's entry was added, in milliseconds, or `nil` for no limit.
    var timeToLive: Int64?

    /// The time in the field that says when a snapshot expires.
    enum FieldTime: Sendable, Equatable {
        /// The snapshot has no such field, or the store's settings name none.
        case missing
        /// A time.
        case milliseconds(Int64)
        /// A value that is not a time.
        case unreadable
    }

    /// The time from which on the snapshot has expired: `.min` for always, `.max` for never.
    ///
    /// - Parameters:
    ///   - entryTime: The milliseconds of the entry's id.
    ///   - field: The time in the field.
    @inline(__always)
    func expiryTime(entryTime: UInt64, field: FieldTime) -> Int64 {
        let byField: Int64 =
            switch field {
            case .missing: .max
            case .milliseconds(let time): time
            case .unreadable: .min
            }
        guard let timeToLive = self.timeToLive else { return byField }
        // An id beyond all times never expires by its age.
        let (sum, overflow) = Int64(clamping: entryTime).addingReportingOverflow(timeToLive)
        return Swift.min(byField, overflow ? .max : sum)
    }

    /// Whether the snapshot has expired at a time, from the very millisecond of its expiry on.
    @inline(__always)
    func isExpired(entryTime: UInt64, field: FieldTime, now: Int64) -> Bool {
        let time = self.expiryTime(entryTime: entryTime, field: field)
        return time != .max && time <= now
    }
}
