import StageKit

/// The key by which events are aggregated.
struct AggregateKey {
    /// A part in the events of windows.
    private struct Output {
        var name: String
        /// The part as in the file.
        var source: String
        var field: FieldID
        var type: FieldType
    }

    private let parts: EventKeyParts
    private let outputs: [Output]

    /// Resolves the parts, and declares their fields in the events of windows.
    init(_ parts: [KeyPart], _ setup: StageSetup) {
        let resolved = EventKeyParts(parts, setup)
        self.parts = resolved
        self.outputs = parts.enumerated().map { index, part in
            let field = part.field(in: setup)
            let name = field ?? "key_\(index + 1)"
            let type = field.map { setup.type(of: $0) } ?? .text
            let isSecret = field.map { setup.isSecret($0) } ?? resolved.isSecretExpression(at: index)
            return Output(
                name: name, source: part.text, field: setup.emits(name, isSecret: isSecret, type: type), type: type)
        }
    }

    /// The names of the parts in the events of windows.
    var names: [String] { self.outputs.map(\.name) }

    /// The parts as text, to recognise a saved state of other settings.
    var signature: String {
        self.outputs.map { $0.name == $0.source ? "\($0.name) \($0.type)" : "\($0.name) \($0.type) \($0.source)" }
            .joined(separator: ",")
    }

    /// Returns the key of an event.
    ///
    /// - Throws: The error of an expression, or an error if the key is too long.
    func key(of event: borrowing Event) throws(StageFailure) -> [UInt8] {
        var key: [UInt8] = []
        var count = 0
        try self.parts.forEachValue(of: event) { part in
            if let part { count += part.count }
            if count <= WindowKey.limit { WindowKey.append(part, to: &key) }
        }
        guard count <= WindowKey.limit else {
            throw StageFailure("aggregate: the key has \(count) bytes: the maximum is \(WindowKey.limit)")
        }
        return key
    }

    /// Returns the values that the event of a window with a key gets.
    func values(of key: [UInt8]) -> [FieldValue] {
        zip(self.outputs, WindowKey.parts(key)).compactMap { (output, part) -> FieldValue? in
            guard let part else { return nil }
            let integer = output.type == .integer ? (try? DecimalInteger.parse(part.span)) : nil
            let typed = (try? output.type.read(part.span)) ?? nil
            return FieldValue(output.name, output.field, text: part, integer: integer, typed: typed)
        }
    }
}
