import DecodeStage
import StageKit
import StageTestKit

/// The declaration and the entries that the tests share: an account with a balance.
enum Sample {
    private static let key: SettingNode = ["type": "string", "required": "true", "blank": "reject"]

    static let settings: SettingNode = [
        "event": "account event",
        "fields": ["id": key, "owner": key, "balance": ["type": "int64"]],
        "unknown_fields": "reject",
    ]

    static func decode(
        _ fields: KeyValuePairs<String, String>, _ settings: SettingNode = Sample.settings
    ) throws -> EventReport {
        try StageHarness(DecodeStage.self, settings).process([SampleEntry(fields)])[0]
    }

    static func decode(bytes: [(name: [UInt8], value: [UInt8])]) throws -> EventReport {
        try StageHarness(DecodeStage.self, Sample.settings).process([SampleEntry(bytes: bytes)])[0]
    }

    /// The report on an account whose balance is this text.
    static func decode(balance: String) throws -> EventReport {
        try Sample.decode(["id": "a-1", "owner": "o-1", "balance": balance])
    }
}
