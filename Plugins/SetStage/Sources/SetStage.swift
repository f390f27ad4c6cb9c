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
        case template(Template)
        /// The value of an expression.
        case expression(ExpressionSettings)

        static let type = SettingType<Content>(
            shape: .either([SettingType<Template>.template.shape, SettingType<ExpressionSettings>.computed.shape])
        ) { node, issues in
            if node.pairs != nil {
                return SettingType<ExpressionSettings>.computed.decode(node, &issues).map { .expression($0) }
            }
            return SettingType<Template>.template.decode(node, &issues).map { .template($0) }
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

    private enum Value {
        /// The unchanged value of another field.
        case copy(FieldID)
        case joined(ResolvedTemplate)
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
            guard case .template(let template) = field.value else {
                Self.resolve(field, setup, &targets, &values)
                continue
            }
            let resolved = template.resolve(setup)
            values.append(resolved.onlyField.map { .copy($0) } ?? .joined(resolved))
            targets.append(
                setup.output(field.name, isSecret: resolved.isSecret, type: Self.type(of: template, setup)))
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
            case .copy(let source): event.copy(source, to: self.targets[index])
            case .joined(let template):
                try self.join(template, of: event, for: self.names[index])
                event.set(self.targets[index], copying: self.buffer)
            case .expression(let expression):
                try expression.assign(to: self.targets[index], of: &event, limit: SetStage.valueLimit)
            }
        }
        return .next
    }

    private func join(
        _ template: ResolvedTemplate, of event: borrowing Event, for name: String
    ) throws(StageFailure) {
        self.buffer.removeAll(keepingCapacity: true)
        do throws(TemplateFailure) {
            try template.append(event, to: &self.buffer, limit: SetStage.valueLimit, missing: .skip)
        } catch {
            throw StageFailure("set: \(name): \(error.message)")
        }
    }
}
