import CoreMetrics
import StageKit
import Synchronization

@testable import Gateway

/// A store of sessions under `ds-1` and so on, with the fields `status` and `user_id` and the condition `active`.
final class FixedRedisStore: RedisDoorStore {
    private struct State {
        var sessions: [String: [String: String]] = [:]
        var refusal: SnapshotFinding?
        var untilStale: Duration?
    }

    private static let names = ["status", "user_id", "", "long"]
    private let state = Mutex(State())

    init(_ sessions: [String: [String: String]] = FixedRedisStore.standard) {
        self.state.withLock { $0.sessions = sessions }
    }

    static let standard = [
        "ds-1": ["status": "active", "user_id": "alice"], "ds-2": ["status": "revoked", "user_id": ""],
    ]

    func set(_ key: String, _ fields: [String: String]?) {
        self.state.withLock { $0.sessions[key] = fields }
    }

    func refuse(_ refusal: SnapshotFinding?) {
        self.state.withLock { $0.refusal = refusal }
    }

    func setTimeUntilStale(_ time: Duration?) {
        self.state.withLock { $0.untilStale = time }
    }

    let conditions = ["active", "user"]
    var count: Int { self.state.withLock { $0.sessions.count } }
    var refusal: SnapshotFinding? { self.state.withLock { $0.refusal } }
    var timeUntilStale: Duration? { self.state.withLock { $0.untilStale } }

    private func session(_ key: Span<UInt8>) -> [String: String]? {
        self.state.withLock { $0.sessions[Self.text(key)] }
    }

    private static func text(_ key: Span<UInt8>) -> String {
        String(decoding: [UInt8](copying: key), as: UTF8.self)
    }

    func read(_ key: Span<UInt8>, _ fields: inout SnapshotFields) -> SnapshotFinding {
        if let refusal { return refusal }
        guard let session = self.session(key) else { return .absent }
        fields.removeAll()
        for (number, name) in Self.names.enumerated() {
            // A field that is not shown, as that of the stream.
            if name.isEmpty { fields.add(number, [0].span) }
            if let value = session[name] { fields.add(number, Array(value.utf8).span) }
        }
        return .found
    }

    func readJSON(_ key: Span<UInt8>, _ bytes: inout [UInt8]) -> SnapshotFinding {
        if let refusal { return refusal }
        guard let session = self.session(key) else { return .absent }
        bytes += Array("{\"status\":\"\(session["status"] ?? "")\"}".utf8)
        return .found
    }

    func fieldName(_ number: Int) -> String { Self.names[number] }

    func decide(_ key: Span<UInt8>, condition: Int) -> GatewayDecision {
        if self.refusal != nil { return .stale }
        guard let session = self.session(key) else { return .absent }
        let isMet = condition == 0 ? session["status"] == "active" : session["user_id"] == "alice"
        return isMet ? .allowed : .refused
    }

    func scan(from cursor: UInt64, count: Int, _ body: (Span<UInt8>) -> Void) -> UInt64 {
        let keys = self.state.withLock { $0.sessions.keys.sorted() }
        let start = min(Int(cursor), keys.count)
        let end = min(start + count, keys.count)
        for key in keys[start..<end] { body(key.utf8.span) }
        return end == keys.count ? 0 : UInt64(end)
    }
}

extension SnapshotFields {
    /// Adds a field.
    mutating func add(_ number: Int, _ value: [UInt8]) { self.add(number, value.span) }
}

/// Requests in RESP.
enum RedisText {
    /// One request.
    static func request(_ words: [String]) -> [UInt8] {
        var bytes = Array("*\(words.count)\r\n".utf8)
        for word in words { bytes += Array("$\(word.utf8.count)\r\n\(word)\r\n".utf8) }
        return bytes
    }

    /// Removes a complete value in RESP3 from the front of bytes; returns `false` if there is none.
    static func dropValue(_ bytes: inout ArraySlice<UInt8>) -> Bool {
        guard let end = bytes.indices.dropLast().first(where: { bytes[$0] == 0x0D && bytes[$0 + 1] == 0x0A }),
            let type = bytes.first
        else { return false }
        let text = String(decoding: bytes[bytes.startIndex + 1..<end], as: UTF8.self)
        bytes = bytes[(end + 2)...]
        switch type {
        case UInt8(ascii: "+"), UInt8(ascii: "-"): return !text.contains("\n")
        case UInt8(ascii: ":"): return Int(text) != nil
        case UInt8(ascii: "_"): return text.isEmpty
        case UInt8(ascii: "$"), UInt8(ascii: "="):
            guard let length = Int(text), length >= -1 else { return false }
            if length == -1 { return true }
            guard bytes.count >= length + 2, bytes.dropFirst(length).prefix(2) == [0x0D, 0x0A] else { return false }
            bytes = bytes.dropFirst(length + 2)
            return true
        case UInt8(ascii: "*"), UInt8(ascii: "~"), UInt8(ascii: ">"), UInt8(ascii: "%"):
            guard let count = Int(text), count >= 0 else { return false }
            for _ in 0..<(type == UInt8(ascii: "%") ? 2 * count : count) {
                guard self.dropValue(&bytes) else { return false }
            }
            return true
        default: return false
        }
    }

    /// Requests, each a line of words separated by blanks.
    static func requests(_ lines: [String]) -> [UInt8] {
        lines.flatMap { self.request($0.split(separator: " ", omittingEmptySubsequences: false).map(String.init)) }
    }
}

extension String {
    /// The text with its line ends as `|`, which is easier to read.
    var folded: String { self.replacing("\r\n", with: "|") }
}
