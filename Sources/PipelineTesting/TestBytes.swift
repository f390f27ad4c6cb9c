import Foundation
import StageKit

/// Bytes in a test file: text, `{ base64: "/w==" }` for bytes that are not text, `{ text: x, times: 70000 }` for long
/// values.
enum TestBytes {
    /// The maximum size of a value in bytes: more than stores hold by default, and small enough for a thousand cases.
    static let byteLimit = 16 << 20

    /// The setting type. Text stands for its UTF-8 bytes; a missing value is an error, because `""` means empty.
    static let type = SettingType<[UInt8]>(
        shape: .form("text, { base64: TEXT } or { text: TEXT, times: N }")
    ) { node, issues in
        switch node.content {
        case .scalar(let text, _): return Array(text.utf8)
        case .null:
            issues.add("expected a value, found nothing (write \"\" for an empty one)", at: node.position)
            return nil
        case .mapping: return TestBytes.spelled.decode(node, &issues)
        case .sequence:
            issues.add("expected text, { base64: ... } or { text: ..., times: N }, found a list", at: node.position)
            return nil
        }
    }

    private struct Spelled: Sendable {
        var text: String?
        var base64: [UInt8]?
        var times: Int?
    }

    private static let spelled = SettingType<[UInt8]>(shape: SettingType<Spelled>.object(schema).shape) {
        node, issues in
        guard let spelled = schema.decode(node, &issues) else { return nil }
        guard (spelled.text == nil) != (spelled.base64 == nil) else {
            issues.add("expected either text or base64", at: node.position)
            return nil
        }
        let piece = spelled.base64 ?? Array((spelled.text ?? "").utf8)
        let times = spelled.times ?? 1
        guard piece.count * times <= TestBytes.byteLimit else {
            issues.add(
                "too many bytes: \(piece.count * times), the maximum is \(TestBytes.byteLimit)", at: node.position)
            return nil
        }
        if let byte = piece.first, piece.count == 1 { return Array(repeating: byte, count: times) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(piece.count * times)
        for _ in 0..<(piece.isEmpty ? 0 : times) { bytes += piece }
        return bytes
    }

    private static let schema = SettingsSchema<Spelled>(
        Spelled(),
        [
            .optional("text", \.text, SettingType<String>.text.present, "Text."),
            .optional("base64", \.base64, base64.present, "Bytes in base64, with padding."),
            .optional(
                "times", \.times, SettingType<Int>.integer(0...byteLimit).present, "Number of repetitions."),
        ])

    private static let base64 = SettingType<String>.text.map { (text) throws(SettingRefusal) -> [UInt8] in
        guard let data = Data(base64Encoded: text) else {
            throw SettingRefusal("\(QuotedText.quote(text)) is not base64 with padding (RFC 4648)")
        }
        return Array(data)
    }

    /// Formats bytes for people: text in quotes with other bytes escaped, and the total length if it is cut.
    static func show(_ bytes: [UInt8]) -> String {
        let text = QuotedText.quote(bytes.span)
        return bytes.count > QuotedText.byteLimit ? "\(text) (\(bytes.count) bytes)" : text
    }
}
