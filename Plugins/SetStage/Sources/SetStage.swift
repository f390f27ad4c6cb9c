public import StageKit

/// Sets fields to text, to the values of other fields, to a combination of both, or to the value of an expression.
public final class SetStage: Stage {
    /// The maximum length of a combined value, in bytes: such values need additional memory for each event of a batch.
    public static let valueLimit = 4096

    /// The settings under `set`.
    public struct Settings: Sendable {
        /// The fields with their values, in the order in which they are set.
        public var fields: [NamedSetting<Content>]

        /// The settings' names and types in the file.
        static let type = SettingType<[NamedSetting<Content>]>.map(of: Content.type, minimum: 1).map {
            Settings(fields: $0)
        }
    }

    /// The content of a field.
    public enum Content: Sendable {
        /// Text with the values of fields.
        case template(MarkedTemplate)
        /// The value of an expression.
        case expression(ExpressionSettings)

        static let type = SettingType<Content>(
            shape: .either([MarkedTemplate.type.shape, Self.expression.shape])
        ) { node, issues in
            if node.entries != nil { return Self.expression.decode(node, &issues) }
            return MarkedTemplate.type.decode(node, &issues).map { .template($0) }
        }

        private static let expression = SettingType<Content>(
            shape: .object([
                SettingDescription(
                    name: "expr", shape: SettingType<ExpressionSettings>.expression.shape, isRequired: true,
                    summary: "Expression whose value the field gets.")
            ])
        ) { node, issues in
            for entry in node.entries ?? [] where entry.key != "expr" {
                let hint = Nearest.hint(for: entry.key, among: ["expr"])
                issues.add("unknown setting \"\(entry.key)\"\(hint)", at: entry.mark)
            }
            guard let expression = node["expr"] else {
                if node.entries?.isEmpty ?? true { issues.add("expr is required", at: node.mark) }
                return nil
            }
            return SettingType<ExpressionSettings>.expression.decode(expression, &issues).map { .expression($0) }
        }
    }

    /// A template with its position.
    public struct MarkedTemplate: Sendable {
        /// The template.
        public var template: Template
        /// The position in the file.
        public var mark: SourceMark

        static let type = SettingType<MarkedTemplate>(
            shape: .form(
                "text with the names of fields in braces",
                pattern: #"^([^{}]|\{\{|\}\}|\{[^{}]*[^{}\s][^{}]*\})*$"#)
        ) { node, issues in
            Template.type.decode(node, &issues).map { MarkedTemplate(template: $0, mark: node.mark) }
        }
    }

    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "set",
        summary: "Sets fields to text, the values of other fields and computed values.",
        settings: Settings.type,
        example: """
            set:
              source: web
              area: "{region}"
              label: "{region}/{order_id}"
            """,
        failureReason: "set_failure",
        isPure: true)

    private enum Piece {
        case text([UInt8])
        case field(FieldID)
    }

    private enum Value {
        /// The unchanged value of another field.
        case copy(FieldID)
        case joined([Piece])
        case expression(EventExpression)
    }

    private let names: [String]
    private let targets: [FieldID]
    private let values: [Value]
    /// The buffer in which values are combined, kept to reuse its memory.
    private var buffer: [UInt8] = []

    /// Creates the stage; it reads the fields in braces and provides the fields that it sets.
    public init(_ settings: Settings, _ setup: StageSetup) {
        var targets: [FieldID] = []
        var values: [Value] = []
        for field in settings.fields {
            guard case .template(let marked) = field.value else {
                Self.resolve(field, setup, &targets, &values)
                continue
            }
            var isSecret = false
            let pieces = marked.template.pieces.map { piece -> Piece in
                switch piece {
                case .text(let text): return .text(Array(text.utf8))
                case .field(let name):
                    isSecret = isSecret || setup.isSecret(name)
                    return .field(setup.input(MarkedName(name, at: marked.mark)))
                }
            }
            if pieces.count == 1, case .field(let source) = pieces[0] {
                values.append(.copy(source))
            } else {
                values.append(.joined(pieces))
            }
            targets.append(setup.output(field.name, isSecret: isSecret, type: Self.type(of: marked.template, setup)))
        }
        self.names = settings.fields.map(\.name)
        self.targets = targets
        self.values = values
        self.buffer.reserveCapacity(SetStage.valueLimit)
    }

    /// The type of a template's text: that of a field which it copies.
    private static func type(of template: Template, _ setup: StageSetup) -> FieldType {
        guard template.pieces.count == 1, case .field(let name) = template.pieces[0] else { return .text }
        return setup.type(of: name)
    }

    /// Adds a field whose value is computed.
    private static func resolve(
        _ field: NamedSetting<Content>, _ setup: StageSetup, _ targets: inout [FieldID], _ values: inout [Value]
    ) {
        let context = setup.issues.context
        setup.issues.context = context.isEmpty ? "set: \(field.name)" : "\(context): \(field.name)"
        defer { setup.issues.context = context }
        guard case .expression(let settings) = field.value, let expression = settings.resolve(setup) else {
            _ = setup.output(field.name)
            return
        }
        values.append(.expression(expression))
        targets.append(setup.output(field.name, isSecret: expression.isSecret, type: expression.fieldType))
    }

    /// Sets the fields in the order of the file. A later field can use the value of an earlier one.
    public func process(_ event: inout Event) throws -> Verdict {
        for index in self.targets.indices {
            switch self.values[index] {
            case .copy(let source): SetStage.copy(source, to: self.targets[index], of: &event)
            case .joined(let pieces):
                try self.join(pieces, of: event, for: self.names[index])
                event.set(self.targets[index], copying: self.buffer)
            case .expression(let expression):
                try expression.assign(to: self.targets[index], of: &event, limit: SetStage.valueLimit)
            }
        }
        return .next
    }

    private static func copy(_ source: FieldID, to target: FieldID, of event: inout Event) {
        guard let range = event.range(of: source) else { return event.remove(target) }
        if let integer = event.integer(of: source) {
            event.set(target, integer: integer, range: range)
        } else {
            event.set(target, range: range)
        }
    }

    private func join(_ pieces: [Piece], of event: borrowing Event, for name: String) throws(StageFailure) {
        self.buffer.removeAll(keepingCapacity: true)
        for index in pieces.indices {
            switch pieces[index] {
            case .text(let bytes):
                try self.check(bytes.count, name)
                self.buffer.append(contentsOf: bytes)
            case .field(let field):
                guard let range = event.range(of: field) else { continue }
                try self.check(Int(range.length), name)
                // Used only within this statement, before any value is set.
                unsafe self.buffer.append(contentsOf: event.unsafeBytes(range))
            }
        }
    }

    private func check(_ more: Int, _ name: String) throws(StageFailure) {
        guard self.buffer.count + more > SetStage.valueLimit else { return }
        throw StageFailure("set: \(name): the value is too long: the maximum is \(SetStage.valueLimit) bytes")
    }
}
