public import StageKit

/// A store whose file declares conditions on its snapshots, by names.
public protocol ConditionalStore: SnapshotStore {
    /// The conditions, in the order of the file.
    var conditions: [NamedSetting<ConditionSettings>] { get }

    /// The names of the fields that writers keep since `prepareForGraph`, sorted. A condition on another field is an
    /// error in the file.
    var keptFields: [String] { get }
}

extension ConditionalStore {
    /// This store.
    public var conditional: (any ConditionalStore)? { self }
}

extension ConditionSettings {
    /// Whether a snapshot meets the condition. A field that the snapshot does not have has no value and no number.
    public func holds(for snapshot: Snapshot) -> Bool {
        self.tree { $0 }.holds(
            hasField: { name in snapshot.fields.contains { $0.name == name } },
            equals: { name, value in snapshot.fields.contains { $0.name == name && $0.bytes == value } },
            integer: { snapshot.integer($0) })
    }

    /// The names of fields in the condition, in the order of the file.
    public var fieldNames: [MarkedName] {
        self.parts.flatMap { part -> [MarkedName] in
            switch part {
            case .equals(let name, _), .field(let name, _): [name]
            case .any(let conditions), .all(let conditions): conditions.flatMap(\.fieldNames)
            case .not(let condition): condition.fieldNames
            case .expression: []
            }
        }
    }

    /// The conditions of a store or a gateway, which are evaluated on snapshots: the mapping form without expressions.
    public static let snapshotType = SettingType<ConditionSettings>(
        shape: SettingType<ConditionSettings>.condition.shape
    ) {
        node, issues in
        guard let condition = SettingType<ConditionSettings>.condition.decode(node, &issues) else { return nil }
        guard condition.hasExpression else { return condition }
        issues.add(
            "an expression cannot be used for snapshots: write fields with their values, such as { status: active }",
            at: node.mark)
        return nil
    }

    private var hasExpression: Bool {
        self.parts.contains { part in
            switch part {
            case .expression: true
            case .any(let conditions), .all(let conditions): conditions.contains(where: \.hasExpression)
            case .not(let condition): condition.hasExpression
            case .equals, .field: false
            }
        }
    }

    /// The field and its value, if the condition is that one field has one value.
    package var singleValue: (field: String, value: String)? {
        guard self.parts.count == 1, case .equals(let name, let values) = self.parts[0], values.count == 1 else {
            return nil
        }
        return (name.text, values[0])
    }

    /// Returns the condition with its fields resolved.
    package func tree<Field>(_ resolve: (String) -> Field) -> ConditionTree<Field> {
        .all(
            self.parts.map { part in
                switch part {
                case .equals(let name, let values): .equals(resolve(name.text), values.map { Array($0.utf8) })
                case .field(let name, let tests):
                    if let numbers = tests.numbers {
                        .number(resolve(name.text), numbers)
                    } else {
                        .exists(resolve(name.text), tests.exists ?? true)
                    }
                case .any(let conditions): .any(conditions.map { $0.tree(resolve) })
                case .all(let conditions): .all(conditions.map { $0.tree(resolve) })
                case .not(let condition): .not(condition.tree(resolve))
                // The settings of stores and gateways refuse expressions; if one gets here, it does not hold.
                case .expression: .any([])
                }
            })
    }
}

/// A condition on values other than those of an event.
package indirect enum ConditionTree<Field> {
    /// The field has one of these values.
    case equals(Field, [[UInt8]])
    /// The field's number is in the range.
    case number(Field, ClosedRange<Int64>)
    /// The field exists, or does not.
    case exists(Field, Bool)
    /// At least one of these holds.
    case any([ConditionTree])
    /// All of these hold.
    case all([ConditionTree])
    /// This does not hold.
    case not(ConditionTree)

    /// Whether values meet the condition, which these closures read.
    package func holds(
        hasField: (Field) -> Bool, equals: (Field, [UInt8]) -> Bool, integer: (Field) -> Int64?
    ) -> Bool {
        func holds(_ tree: ConditionTree) -> Bool {
            tree.holds(hasField: hasField, equals: equals, integer: integer)
        }
        return switch self {
        case .equals(let field, let values): values.contains { equals(field, $0) }
        case .number(let field, let range): integer(field).map { range.contains($0) } ?? false
        case .exists(let field, let exists): hasField(field) == exists
        case .any(let trees): trees.contains(where: holds)
        case .all(let trees): trees.allSatisfy(holds)
        case .not(let tree): !holds(tree)
        }
    }
}

extension ConditionTree: Sendable where Field: Sendable {}
