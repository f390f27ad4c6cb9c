import Foundation
import StageKit

/// One entry with the effects that the reference had on it.
struct ReferenceCase: Decodable {
    /// What was done: the members depend on `op`.
    struct Effect: Decodable {
        var op: String
        var device_session_id: String?
        var device_session_id_b64: String?
        var user_id: String?
        var user_id_b64: String?
        var client_public_key: String?
        var client_public_key_b64: String?
        var status: String?
        var revoked_at_ms: Int64?
        var id: String?
        var id_b64: String?
        var message_id: String?
        var error: String?
        var component: String?
        var reason: String?
    }

    var `case`: String
    var fields: [[String]]
    var b64: Bool?
    var errors_over_200_runs: [String: Int]?
    var outcome: [Effect]

    /// All cases of the fixture, in order.
    static func all() throws -> [ReferenceCase] {
        let file = Bundle.module.url(forResource: "Fixtures", withExtension: nil)?
            .appendingPathComponent("session-event-cases.jsonl")
        guard let file else { throw CocoaError(.fileNoSuchFile) }
        return try Data(contentsOf: file).split(separator: UInt8(ascii: "\n")).map {
            try JSONDecoder().decode(ReferenceCase.self, from: Data($0))
        }
    }

    /// Names and values as bytes, in the order of the entry.
    var bytes: [[UInt8]] {
        self.fields.flatMap { $0 }.map { self.b64 == true ? Array(Data(base64Encoded: $0) ?? Data()) : Array($0.utf8) }
    }

    /// The id that the reference saw, where the effects tell it.
    var messageID: EntryID? {
        self.outcome.lazy.compactMap(\.message_id).first.flatMap { EntryID($0) }
    }

    /// Why the reference counted a drop, by the name that this pipeline counts it under.
    ///
    /// A bad status is refused by `validate` here and by the store there; what the store was told to refuse it refuses
    /// in both.
    var reason: String? {
        guard let drop = self.outcome.first(where: { $0.op == "drop" }) else { return nil }
        return drop.reason == "store_failure" && !self.isForced ? "invalid_event" : drop.reason
    }

    private var isForced: Bool {
        self.outcome.contains { $0.error?.hasSuffix(ReferenceTrace.forcedFailure) == true }
    }

    /// What must be seen of this entry, without the drop counter.
    func expected() -> [String] {
        self.outcome.compactMap { effect in
            switch effect.op {
            case "upsert":
                let status = ReferenceTrace.show(Array((effect.status ?? "").utf8))
                let revoked = effect.revoked_at_ms.map { "\($0)" } ?? "null"
                return "upsert \(Self.show(effect.device_session_id, effect.device_session_id_b64))"
                    + " \(Self.show(effect.user_id, effect.user_id_b64))"
                    + " \(Self.show(effect.client_public_key, effect.client_public_key_b64)) \(status) \(revoked)"
            case "delete": return "delete \(Self.show(effect.id, effect.id_b64))"
            case "revoke": return "revoke \(Self.show(effect.id, effect.id_b64))"
            case "warn": return self.warning(effect)
            case "drop": return nil
            default: return "an effect that this test does not know: \(effect.op)"
            }
        }
    }

    private func warning(_ effect: Effect) -> String {
        let id = effect.device_session_id ?? effect.device_session_id_b64
        let session = id == nil ? "" : " \(Self.show(effect.device_session_id, effect.device_session_id_b64))"
        let error = self.reason == "invalid_event" ? ReferenceTrace.badStatus : effect.error ?? ""
        return "warn \(effect.message_id ?? "")\(session) \(ReferenceTrace.comparable(error))"
    }

    private static func show(_ text: String?, _ base64: String?) -> String {
        if let text { return ReferenceTrace.show(Array(text.utf8)) }
        return ReferenceTrace.show(base64.flatMap { Data(base64Encoded: $0) }.map { Array($0) } ?? [])
    }
}
