public import StageKit
import Synchronization

/// When the snapshots of a store expire.
public struct ExpirySettings: Sendable {
    /// The field with the time at which a snapshot expires, or `nil` if there is none.
    public var field: LocatedName?
    /// The time to live of a snapshot after its last update, or `nil` for no limit.
    public var timeToLive: Duration?

    /// The shortest time to live.
    static let minimumTime = Duration.milliseconds(1)

    /// Whether snapshots never expire.
    var isNever: Bool { self.field == nil && self.timeToLive == nil }

    /// Creates settings; without a field and a time to live, snapshots never expire.
    public init(field: LocatedName? = nil, timeToLive: Duration? = nil) {
        self.field = field
        self.timeToLive = timeToLive
    }
}

/// The expiry of a store's snapshots: the rule, the field that it reads, and the clock.
///
/// A store without one has no expiry at all: nothing is read or counted for it.
final class StoreExpiry: Sendable {
    /// The rule.
    let rule: ExpiryRule
    /// The field with the time at which a snapshot expires, or `nil` if there is none.
    let field: LocatedName?
    /// The clock.
    let clock: ExpiryClock
    /// The number of snapshots that were removed because they had expired.
    let removed = Atomic<Int>(0)
    /// The number of the field, or `nil` if there is none.
    let fieldNumber: UInt8?

    /// Creates an expiry with settings that name a field, a time to live, or both.
    init(_ settings: ExpirySettings, clock: ExpiryClock, names: inout FieldNames) {
        self.rule = ExpiryRule(timeToLive: settings.timeToLive.map { $0.microseconds / 1000 })
        self.field = settings.field
        self.clock = clock
        self.fieldNumber = settings.field.map { names.number(of: $0.text) }
    }

    /// Whether the entry's id alone decides.
    @inline(__always)
    var isByEntryAlone: Bool { self.fieldNumber == nil }

    /// Whether the snapshot of an entry has expired, if its id alone decides.
    @inline(__always)
    func isExpired(entryTime: UInt64) -> Bool {
        self.rule.isExpired(entryTime: entryTime, field: .missing, now: self.clock.now)
    }

    /// Whether a live record has expired by now. Of a divided record, the shared part is enough.
    func isExpired(_ record: PackedRecord) -> Bool { self.isExpired(record, now: self.clock.now) }

    /// Whether a live record has expired at a time.
    func isExpired(_ record: PackedRecord, now: Int64) -> Bool {
        self.rule.isExpired(
            entryTime: record.entryID.milliseconds, field: self.fieldTime(of: record), now: now)
    }

    /// The time from which on a live record has expired.
    func expiryTime(of record: PackedRecord) -> Int64 {
        self.rule.expiryTime(entryTime: record.entryID.milliseconds, field: self.fieldTime(of: record))
    }

    private func fieldTime(of record: PackedRecord) -> ExpiryRule.FieldTime {
        self.fieldNumber.map { record.time(of: $0) } ?? .missing
    }
}

extension PackedRecord {
    /// The time in a field of the record.
    func time(of number: UInt8) -> ExpiryRule.FieldTime {
        var walk = self.fields
        guard let found = walk.first(number) else { return .missing }
        if let integer = found.integer { return .milliseconds(integer) }
        guard let range = found.range else { return .unreadable }
        return unsafe ExpiryRule.FieldTime(text: self.unsafeBytes(range).span)
    }
}
