import TextSupport

/// A part of a key by which a stage groups events, as written in the file: a field, or an expression.
///
/// Text is the name of a field. If no earlier stage provides that field and the text has operators, parentheses or
/// quotes, it is an expression, as is the value of `expr`.
public struct KeyPart: Sendable {
    private enum Content: Sendable {
        case text(String, SettingNode)
        case expression(ExpressionSettings)
    }

    private let content: Content

    /// The decoder.
    static let type = SettingType<KeyPart>(
        shape: .either([.nonBlankText, SettingType<ExpressionSettings>.computed.shape])
    ) { node, issues in
        if node.pairs != nil {
            return SettingType<ExpressionSettings>.computed.decode(node, &issues).map {
                KeyPart(content: .expression($0))
            }
        }
        return SettingType<String>.nonBlankText.decode(node, &issues).map { KeyPart(content: .text($0, node)) }
    }

    /// Returns the name of the field, or `nil` for an expression.
    public func field(in setup: StageSetup) -> String? {
        guard case .text(let text, _) = self.content, Self.isField(text, setup) else { return nil }
        return text
    }

    /// The part as in the file, with each white space between tokens as a space: two parts with the same text have the same
    /// meaning in the same place.
    public var text: String {
        switch self.content {
        case .text(let text, _): text
        case .expression(let settings): settings.line
        }
    }

    private static func isField(_ text: String, _ setup: StageSetup) -> Bool {
        setup.fields.contains(text) || !text.contains { "()[]'\"+*/%?<>=!&|".contains($0) }
    }

    /// Resolves the part. Adds an error for a field that no earlier stage provides, and for each mistake of an
    /// expression.
    ///
    /// - Returns: `nil` if an expression has a mistake.
    fileprivate func resolve(_ setup: StageSetup) -> EventKeyParts.Source? {
        switch self.content {
        case .expression(let settings): return settings.resolve(setup).map { .expression($0) }
        case .text(let text, let node):
            if Self.isField(text, setup) {
                return .field(setup.input(LocatedName(text, at: node.position)))
            }
            return ExpressionSettings(node, &setup.issues)?.resolve(setup).map { .expression($0) }
        }
    }
}

extension SettingType where Value == KeyPart {
    /// A field, or an expression: `order_id`, `{ expr: "order_id.lowerAscii()" }`.
    public static var keyPart: SettingType<KeyPart> { KeyPart.type }
}

extension SettingType where Value == ExpressionSettings {
    /// A mapping with an expression: `{ expr: "price * quantity" }`.
    public static var computed: SettingType<ExpressionSettings> {
        SettingType(
            shape: .object([
                SettingDescription(
                    name: "expr", shape: ExpressionSettings.shape, isRequired: true,
                    summary: "Expression whose value is used.")
            ])
        ) { node, issues in
            for entry in node.pairs ?? [] where entry.key != "expr" {
                let hint = Nearest.hint(for: entry.key, among: ["expr"])
                issues.add("unknown setting \"\(entry.key)\"\(hint)", at: entry.position)
            }
            guard let expression = node["expr"] else {
                if node.pairs?.isEmpty ?? true { issues.add("expr is required", at: node.position) }
                return nil
            }
            return SettingType<ExpressionSettings>.expression.decode(expression, &issues)
        }
    }
}

/// The resolved parts of a key by which a stage groups events.
public struct EventKeyParts: Sendable {
    /// Where a part of the key comes from.
    fileprivate enum Source: Sendable {
        case field(FieldID)
        case expression(EventExpression)
    }

    /// The parts in the order of the file, if one of them is an expression; otherwise empty.
    private let sources: [Source]
    /// The fields, if all parts are fields.
    private let fields: [FieldID]

    /// Whether there are no parts.
    public var isEmpty: Bool { self.sources.isEmpty && self.fields.isEmpty }

    /// Returns whether a part is an expression with a field whose values must not be shown.
    public func isSecretExpression(at index: Int) -> Bool {
        guard index < self.sources.count, case .expression(let expression) = self.sources[index] else { return false }
        return expression.isSecret
    }

    /// Resolves the parts for a stage.
    public init(_ parts: [KeyPart], _ setup: StageSetup) {
        let sources = parts.compactMap { $0.resolve(setup) }
        let fields = sources.compactMap { source -> FieldID? in
            if case .field(let field) = source { field } else { nil }
        }
        self.fields = fields.count == sources.count ? fields : []
        self.sources = fields.count == sources.count ? [] : sources
    }

    /// Returns the key of an event, or `nil` if no part has a value.
    ///
    /// The keys of two events of one stream are equal if each part has the same bytes in both or is absent from both.
    ///
    /// - Throws: The error of an expression.
    public func key(of event: borrowing Event) throws(StageFailure) -> EventKey? {
        if self.sources.isEmpty { return event.key(of: self.fields) }
        var hasher = EventKeyHasher(parts: self.sources.count, stream: event.streamIndex)
        try self.forEachComputed(event) { hasher.combine($0) }
        return hasher.key
    }

    /// Calls `body` with the bytes of each part, or with `nil` for a part without a value.
    ///
    /// - Throws: The error of an expression.
    public func forEachValue(
        of event: borrowing Event, _ body: (Span<UInt8>?) -> Void
    ) throws(StageFailure) {
        for index in self.fields.indices { event.withValue(of: self.fields[index]) { body($0) } }
        try self.forEachComputed(event, body)
    }

    private func forEachComputed(_ event: borrowing Event, _ body: (Span<UInt8>?) -> Void) throws(StageFailure) {
        for source in self.sources {
            switch source {
            case .field(let field): event.withValue(of: field) { body($0) }
            case .expression(let expression):
                guard let bytes = try expression.value(for: event) else {
                    body(nil)
                    continue
                }
                body(bytes.span)
            }
        }
    }
}
