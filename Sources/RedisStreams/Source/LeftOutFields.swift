import RESP
import RedisClient
import StageKit

/// How to handle an entry with a value that is too large to be read.
public enum OversizedPolicy: String, Sendable, CaseIterable {
    /// The entry fails without that value. `source: on_failure` handles it, or else `on_failure` of the first stage.
    case fail
    /// The run ends.
    case halt
}

/// The fields of one entry that were left out because they are too large to be read.
struct LeftOutFields: Sendable, Equatable {
    /// The reason under which such entries are counted.
    static let reason = "value_too_large"
    /// Maximum length of a field name in a message, in characters.
    private static let nameLimit = 64

    private var count = 0
    private var first = ""

    /// Creates an empty list.
    init() {}

    /// Adds a field whose name or value is too large.
    ///
    /// - Parameters:
    ///   - name: The field's name, or `nil` if the name itself is too large.
    ///   - bytes: The size of the name or value that was left out.
    mutating func append(_ name: [UInt8]?, bytes: String) {
        self.count += 1
        guard self.count == 1 else { return }
        guard let name else { return self.first = "a field name of \(bytes) bytes" }
        let text = QuotedText.plain(String(decoding: name, as: UTF8.self), characters: Self.nameLimit)
        self.first = "field \"\(text)\" of \(bytes) bytes"
    }

    /// The failure of the entry, or `nil` if nothing was left out.
    var failure: StageFailure? {
        guard self.count > 0 else { return nil }
        let others = self.count == 1 ? "" : " and \(self.count - 1) more"
        return StageFailure(
            "\(self.first)\(others) left out: the size limit of a value is "
                + "\(SettingUnits.text(bytes: RESPLimits().bulkBytes))",
            reason: Self.reason)
    }

    /// Refuses the last entry of a batch if a part of it was left out.
    ///
    /// - Throws: `RedisError` with the code `valueTooLarge` if the policy is `halt`.
    func refuse(in batch: EventBatch, _ policy: OversizedPolicy) throws(RedisError) {
        guard let failure = self.failure else { return }
        switch policy {
        case .fail: batch.refuse(failure, isPartial: true)
        case .halt:
            let entry = batch.lastID.map { "entry \($0) of \(batch.stream)" } ?? batch.stream
            throw RedisError(.valueTooLarge, "\(entry): \(failure.message) (on_oversized: halt)", isTransient: false)
        }
    }

    /// Returns a value without the parts that were left out, and a record of those parts. The value is a list of
    /// alternating names and values, or a single value.
    static func remove(from value: RESPValue) -> (rest: RESPValue, leftOut: LeftOutFields) {
        var leftOut = LeftOutFields()
        if case .tooLong(let bytes) = value {
            leftOut.append(Array("value".utf8), bytes: String(bytes))
            return (.null, leftOut)
        }
        guard case .array(let list) = value, list.count % 2 == 0, list.contains(where: \.isTooLong) else {
            return (value, leftOut)
        }
        var rest: [RESPValue] = []
        for index in stride(from: 0, to: list.count, by: 2) {
            switch (list[index], list[index + 1]) {
            case (.tooLong(let bytes), _): leftOut.append(nil, bytes: String(bytes))
            case (let name, .tooLong(let bytes)): leftOut.append(name.bytes ?? [], bytes: String(bytes))
            case (let name, let value): rest += [name, value]
            }
        }
        return (.array(rest), leftOut)
    }
}

extension RESPValue {
    /// Whether the value was left out.
    fileprivate var isTooLong: Bool {
        if case .tooLong = self { true } else { false }
    }
}
