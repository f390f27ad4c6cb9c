import StageKit

/// A field of events whose value the stage looks up.
struct LookedUpField: Sendable {
    /// The maximum size of a value in bytes: that of a JSON value that an expression can read. A value is copied once for
    /// each event of a batch, so that large ones would take much memory.
    static let valueLimit = 1 << 20

    /// The name in the snapshot or the hash.
    let name: String
    /// The column of the value.
    let target: FieldID
    private let targetName: String
    private let typeName: FieldTypeName?
    private let type: FieldType?
    private let isSecret: Bool
    /// The value of an event that has none, with its type, or `nil` if the field is then removed.
    private let fallback: (bytes: [UInt8], value: FieldValue)?

    /// Resolves a field.
    ///
    /// - Parameters:
    ///   - setting: The field as in the file.
    ///   - fallback: The text of a missing value, or `nil` to remove the field.
    ///   - untyped: The type of values without a declared type.
    ///   - setup: The setup of the stage.
    init(_ setting: NamedSetting<LookupStage.Field>, fallback: String?, untyped: FieldType, _ setup: StageSetup) {
        let field = setting.value
        let name = field.name?.text ?? setting.name
        self.name = name
        self.targetName = setting.name
        self.typeName = field.typeName
        self.type = field.type
        // A value is as secret as the field of the same name that was written to the store.
        self.isSecret = field.isSecret || setup.isSecret(name) || setup.isSecret(setting.name)
        self.target = setup.output(setting.name, isSecret: self.isSecret, type: field.type ?? untyped)
        self.fallback = fallback.map { text in
            let bytes = Array(text.utf8)
            // The settings were refused if the text is not of the type.
            return (bytes, (try? field.type?.value(of: bytes.span)) ?? .text)
        }
    }

    /// Reads a value that was found.
    ///
    /// - Parameter origin: The store or the hash, for messages.
    /// - Throws: The failure if the value is too large or is not of the field's type.
    func read(_ found: Snapshot.Field, in origin: String) throws(StageFailure) -> FieldValue {
        guard found.bytes.count <= Self.valueLimit else {
            throw StageFailure(
                "lookup: \(origin): \(self.targetName): the value has \(found.bytes.count) bytes, the maximum is "
                    + "\(Self.valueLimit)")
        }
        guard let type = self.type, let typeName = self.typeName else {
            return found.integer.map { FieldValue.integer($0) } ?? .text
        }
        do throws(ValueMistake) {
            return try type.value(of: found.bytes.span)
        } catch {
            let quoted = FieldTable.shown(QuotedText.quote(found.bytes.span), isSecret: self.isSecret)
            let problem = error.quotesText ? "\(quoted) \(error.message)" : error.message
            throw StageFailure("lookup: \(origin): \(self.targetName): \(problem) (type \(typeName.rawValue))")
        }
    }

    /// Sets the field to a value that was found and read, or to the value for events that have none.
    func set(_ found: (bytes: [UInt8], value: FieldValue)?, on event: inout Event) {
        guard let (bytes, value) = found ?? self.fallback else { return event.remove(self.target) }
        event.set(self.target, copying: bytes, as: value)
    }

    /// The number of bytes that are copied for a missing value.
    var fallbackSize: Int { self.fallback?.bytes.count ?? 0 }
}
