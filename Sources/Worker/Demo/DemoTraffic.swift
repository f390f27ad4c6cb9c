import StageKit

/// A realistic sequence of session events: logins, key changes, revocations, and an occasional malformed event.
///
/// A value type: the same seed gives the same sequence.
struct DemoTraffic {
    /// Number of concurrent sessions: enough to look like a real service, few enough that revocations hit existing
    /// ones.
    private static let sessionLimit = 20_000

    /// An event's fields in the order they are sent.
    typealias Fields = [(name: String, value: String)]

    private var random: SplitMix64
    private var sessions: [Int] = []
    private var created = 0

    /// Creates a sequence.
    init(seed: UInt64) {
        self.random = SplitMix64(state: seed)
    }

    /// Returns the next event; `now` is the time in milliseconds, for the time of a revocation.
    mutating func next(now: UInt64) -> Fields {
        switch self.random.next(below: 100) {
        case 0..<2: return self.malformed(now: now)
        case 2..<12 where !self.sessions.isEmpty:
            let session = self.sessions.swapRemove(at: self.random.next(below: self.sessions.count))
            return self.snapshot(session, status: "revoked") + [("revoked_at_ms", "\(now)")]
        case 12..<45 where !self.sessions.isEmpty, 12..<100 where self.sessions.count >= Self.sessionLimit:
            return self.snapshot(self.sessions[self.random.next(below: self.sessions.count)], status: "active")
        default:
            self.created += 1
            self.sessions.append(self.created)
            return self.snapshot(self.created, status: "active")
        }
    }

    private mutating func snapshot(_ session: Int, status: String) -> Fields {
        let digits = String(session, radix: 36)
        return [
            ("device_session_id", "ds-" + String(repeating: "0", count: max(0, 13 - digits.count)) + digits),
            ("user_id", "user-\(session % 7919)"),
            ("client_public_key", self.random.base64Key()),
            ("status", status),
        ]
    }

    private mutating func malformed(now: UInt64) -> Fields {
        let session = self.sessions.isEmpty ? 1 : self.sessions[self.random.next(below: self.sessions.count)]
        var fields = self.snapshot(session, status: "active")
        switch self.random.next(below: 5) {
        case 0: fields.removeAll { $0.name == "user_id" }
        case 1: fields.append(("colour", "green"))
        case 2: fields.append(("revoked_at_ms", "yesterday"))
        case 3: fields[3].value = "asleep"
        default: fields[2].value = " "
        }
        return fields
    }
}

extension SplitMix64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// Returns a number from 0 up to but not including `bound`.
    mutating func next(below bound: Int) -> Int {
        Int(self.next(upperBound: UInt64(bound)))
    }

    /// Returns text that looks like a 32-byte key in base64.
    mutating func base64Key() -> String {
        var text: [UInt8] = []
        text.reserveCapacity(44)
        // The upper six bits are a number below 64.
        for _ in 0..<43 { text.append(Self.alphabet[Int(self.next() >> 58)]) }
        text.append(UInt8(ascii: "="))
        return String(decoding: text, as: UTF8.self)
    }
}

extension Array {
    /// Removes an element by moving the last one into its position.
    mutating func swapRemove(at index: Int) -> Element {
        self.swapAt(index, self.count - 1)
        return self.removeLast()
    }
}
