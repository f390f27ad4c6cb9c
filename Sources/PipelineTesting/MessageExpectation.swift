import StageKit
import StageTestKit

extension MessageExpectation {
    /// The setting type of an expected message.
    static let type = SettingType<MessageExpectation>(shape: SettingType<MessageExpectation>.object(schema).shape) {
        node, issues in
        guard var read = schema.decode(node, &issues) else { return nil }
        read.position = node.position
        guard (read.stream == nil) != (read.channel == nil) else {
            issues.add("expected either stream or channel", at: node.position)
            return nil
        }
        let wrong = read.stream == nil ? "fields" : "text"
        if node[wrong] != nil {
            issues.add(
                read.stream == nil
                    ? "a message to a channel has no fields: use text" : "an entry of a stream has no text: use fields",
                at: node[wrong]?.position ?? node.position)
            return nil
        }
        return read
    }

    private static let schema = SettingsSchema(
        MessageExpectation(),
        [
            .optional("stream", \.stream, SettingType<String>.nonBlankText.present, "Stream that receives an entry."),
            .optional("channel", \.channel, SettingType<String>.nonBlankText.present, "Channel that receives a text."),
            .optional(
                "fields", \.fields, .map(of: .optional(TestBytes.type)),
                "Fields of the entry, by name; null: without the field. The entry may have others."),
            .optional("text", \.text, TestBytes.type.present, "Text on the channel."),
        ])

    /// Whether every given member equals that of the message.
    func matches(_ message: OutgoingMessage) -> Bool {
        switch message {
        case .entry(let stream, _, let found):
            self.stream == stream
                && self.fields.allSatisfy { field in
                    found.last { $0.name == Array(field.name.utf8) }?.value == field.value
                }
        case .text(let channel, let payload):
            self.channel == channel && (self.text == nil || self.text == payload)
        }
    }

    /// The message as text for people.
    var description: String {
        if let stream {
            return "to stream \(stream): \(ObservationText.fields(self.fields.map { ($0.name, $0.value) }))"
        }
        return "to channel \(self.channel ?? "")" + (self.text.map { ": \(TestBytes.show($0))" } ?? "")
    }
}

extension OutgoingMessage {
    /// The message as text for people, in the form of an expectation.
    var shown: String {
        switch self {
        case .entry(let stream, _, let fields):
            let shown = fields.map { (name: String(decoding: $0.name, as: UTF8.self), bytes: Optional($0.value)) }
            return "to stream \(stream): \(ObservationText.fields(shown))"
        case .text(let channel, let payload): return "to channel \(channel): \(TestBytes.show(payload))"
        }
    }
}
