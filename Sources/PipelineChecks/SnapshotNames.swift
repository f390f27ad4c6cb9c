import ComponentKit
import Gateway
import LookupStage
import PipelineEngine
import StageKit

/// Checks the names of stores, conditions and fields of snapshots in the parts of a file that read stores.
struct SnapshotNames {
    /// The stores that the file declares; stages have created their writers.
    let stores: [String: any SnapshotStore]

    /// Adds the errors of the stores' conditions and of the section `gateway`.
    func check(_ file: FileOutline, _ issues: inout SettingIssues) {
        for store in self.stores.values.sorted(by: { $0.name < $1.name }) {
            self.checkGroup(store, file, &issues)
            guard let store = store.conditional else { continue }
            for named in store.namedFields {
                let types = file.fieldTypes[store.name] ?? [:]
                issues.within(named.context) { issues in
                    Self.check(named.fields, of: store, &issues)
                    guard named.areTimes else { return }
                    for field in named.fields { Self.checkExpiry(field, types[field.text] ?? .unknown, &issues) }
                }
            }
            for condition in store.conditions {
                issues.within("stores: \(store.name): conditions: \(condition.name)") {
                    Self.check(condition.value, of: store, file, allowsTime: store.permitsTimeInConditions, &$0)
                }
            }
        }
        for stage in file.stages where stage.type == LookupStage.declaration.name { self.check(stage, &issues) }
        if let gateway = file.section("gateway", GatewaySettings.type) {
            issues.within("gateway") { self.check(gateway, file, &$0) }
        }
    }

    /// Adds an error for each reason why a worker of a group must not fill the store.
    private func checkGroup(_ store: any SnapshotStore, _ file: FileOutline, _ issues: inout SettingIssues) {
        guard file.sharesEntries, let position = file.stores.first(where: { $0.name == store.name })?.position else {
            return
        }
        for obstacle in store.groupObstacles { issues.add("stores: \(store.name): \(obstacle)", at: position) }
    }

    /// Adds an error for each field that a stage looks up and no stage keeps. A store that no stage fills is filled by
    /// the embedding program.
    private func check(_ stage: FileOutline.Part, _ issues: inout SettingIssues) {
        guard let settings = FileOutline.decode(stage.settings, LookupStage.declaration.settings),
            case .store(let name, _) = settings.origin,
            let store = self.stores[name.text]?.conditional, !store.keptFields.isEmpty
        else { return }
        issues.within("lookup: fields") { issues in
            for field in settings.fields {
                let name = field.value.name ?? LocatedName(field.name, at: field.position)
                Self.check([name], of: store, &issues)
            }
        }
    }

    private func check(_ gateway: GatewaySettings, _ file: FileOutline, _ issues: inout SettingIssues) {
        let name = gateway.store.text
        guard let declared = file.stores.first(where: { $0.name == name }) else {
            let hint = Nearest.hint(for: name, among: file.stores.map(\.name))
            return issues.add("store: unknown store \"\(name)\"\(hint)", at: gateway.store.position)
        }
        // The stores are missing if the file has other errors.
        guard let found = self.stores[name] else { return }
        guard let store = found.inPlace else {
            return issues.add(
                "store: \(name) is a store of type \(declared.type): the gateway needs one in this process, such as "
                    + "memory", at: gateway.store.position)
        }
        if file.sharesEntries {
            issues.add(
                "store: a worker of a group reads a part of the stream and misses revocations in the rest: remove group "
                    + "from redis_stream, or use the gateway in a worker without one", at: gateway.store.position)
        }
        switch gateway.allow {
        case .condition(let condition):
            issues.within("gateway: allow") { Self.check(condition, of: store, file, &$0) }
        case .named(let condition):
            if store.conditions.contains(where: { $0.name == condition.text }) { break }
            let hint = Nearest.hint(for: condition.text, among: store.conditions.map(\.name))
            issues.add(
                "allow: the store \(name) has no condition \"\(condition.text)\"\(hint);"
                    + " declare it under conditions of the store", at: condition.position)
        case nil: break
        }
        for (door, settings) in [("http", gateway.http), ("grpc", gateway.grpc)] {
            issues.within("gateway: \(door): headers") {
                Self.check(settings?.headers.map(\.value) ?? [], of: store, &$0)
            }
        }
    }

    /// Adds the errors of a condition on the store's snapshots.
    private static func check(
        _ condition: ConditionSettings, of store: any ConditionalStore, _ file: FileOutline, allowsTime: Bool = true,
        _ issues: inout SettingIssues
    ) {
        self.check(condition.fieldNames, of: store, &issues)
        let types = file.fieldTypes[store.name] ?? [:]
        condition.checkSnapshots(
            store.keptFields.map { ($0, types[$0] ?? .unknown) }, allowsTime: allowsTime, &issues)
    }

    /// Adds an error if the text of a field's values is not a time for the store, or is one in another unit: snapshots
    /// would expire at once, or far too late.
    private static func checkExpiry(_ field: LocatedName, _ type: FieldType, _ issues: inout SettingIssues) {
        let name = field.text
        switch type {
        case .text, .bytes, .integer, .unsigned, .unknown, .timestamp(.text), .timestamp(.milliseconds): break
        case .timestamp(let form):
            issues.add(
                "\"\(name)\" is a number of \(form.rawValue), but a number counts as ms here: set another field to "
                    + "{ expr: \(name) } before the store, which is then written as RFC 3339, and name that field",
                at: field.position)
        case .double, .bool, .duration, .json:
            issues.add(
                "the values of \"\(name)\" are not times, so every snapshot would have expired: use a timestamp, or an int64 "
                    + "with milliseconds since 1970", at: field.position)
        }
    }

    /// Adds an error for each field that no stage keeps in the store.
    private static func check(_ fields: [LocatedName], of store: any ConditionalStore, _ issues: inout SettingIssues) {
        let known = store.keptFields
        for field in fields where !known.contains(field.text) {
            let hint = known.isEmpty ? "" : Nearest.hint(for: field.text, among: known)
            issues.add(
                "no stage keeps the field \"\(field.text)\" in the store \(store.name)\(hint)", at: field.position)
        }
    }
}
