public import StageKit

/// A store whose file declares conditions on its snapshots, by names.
public protocol ConditionalStore: SnapshotStore {
    /// The conditions, in the order of the file.
    var conditions: [NamedSetting<ConditionSettings>] { get }

    /// The names of the fields that writers keep since `prepareForGraph`, sorted. A condition on another field is an
    /// error in the file.
    var keptFields: [String] { get }

    /// Whether conditions may depend on the time. `false` if results are kept, so that they would not change with it.
    var permitsTimeInConditions: Bool { get }

    /// The fields that settings of the store, or of stages that use it, name besides the conditions. A field that no
    /// writer keeps is an error in the file. Read after the stages were created.
    var namedFields: [NamedFields] { get }

    /// Calls `body` with every key that was evicted and has no newer snapshot, as far as the store remembers them, and
    /// with the entry that evicted it. No lock is held while `body` runs.
    func forEachEvictedKey(_ body: (_ key: [UInt8], _ entry: EntryID) throws -> Void) rethrows
}

extension ConditionalStore {
    /// This store.
    public var conditional: (any ConditionalStore)? { self }

    /// `true`: a condition is evaluated when it is asked for.
    public var permitsTimeInConditions: Bool { true }

    /// An empty list.
    public var namedFields: [NamedFields] { [] }
}

/// Fields of snapshots that a setting names.
public struct NamedFields: Sendable, Equatable {
    /// The setting, as the beginning of a message, such as `stores: sessions: index`.
    public var context: String
    /// The names.
    public var fields: [LocatedName]
    /// Whether the values must be times: RFC 3339, or milliseconds since 1970.
    public var areTimes: Bool

    /// Creates a list.
    public init(_ context: String, _ fields: [LocatedName], areTimes: Bool = false) {
        self.context = context
        self.fields = fields
        self.areTimes = areTimes
    }
}

extension ConditionSettings {
    /// Returns whether a snapshot meets the condition. A field that the snapshot does not have has no value and no
    /// number; an expression that uses it does not hold.
    ///
    /// Compiles the condition; `SnapshotTest` compiles it once for many snapshots.
    public func holds(for snapshot: Snapshot) -> Bool { SnapshotTest(self).holds(for: snapshot) }

    /// The names of fields in the condition's form of names with values, in the order of the file.
    public var fieldNames: [LocatedName] {
        self.parts.flatMap { part -> [LocatedName] in
            switch part {
            case .equals(let name, _), .field(let name, _): [name]
            case .any(let conditions), .all(let conditions): conditions.flatMap(\.fieldNames)
            case .not(let condition): condition.fieldNames
            case .expression: []
            }
        }
    }
}

/// A condition on copies of snapshots, compiled once.
public struct SnapshotTest: Sendable {
    private let program: SnapshotProgram
    /// The names of the condition's fields, by their numbers.
    private let names: [String]

    /// Compiles a condition.
    public init(_ settings: ConditionSettings) {
        var names: [String] = []
        self.program = SnapshotProgram(settings) { name in
            if let index = names.firstIndex(of: name) { return index }
            names.append(name)
            return names.count - 1
        }
        self.names = names
    }

    /// Returns whether a snapshot meets the condition.
    public func holds(for snapshot: Snapshot) -> Bool {
        self.program.holds(for: NamedValues(snapshot: snapshot, names: self.names))
    }
}

/// The values of a copy of a snapshot.
private struct NamedValues: SnapshotValues {
    let snapshot: Snapshot
    let names: [String]

    var entryID: EntryID { self.snapshot.entryID }

    func has(_ field: Int) -> Bool { self.find(field) != nil }

    func text(of field: Int) -> String? {
        self.find(field).flatMap { String(validating: $0.bytes, as: UTF8.self) }
    }

    func integer(of field: Int) -> Int64? { self.find(field)?.integer }

    func value(of field: Int, equals bytes: [UInt8]) -> Bool { self.find(field)?.bytes == bytes }

    private func find(_ field: Int) -> Snapshot.Field? {
        self.snapshot.fields.first { $0.name == self.names[field] }
    }
}
