import FieldRules
import StageKit

/// The declared fields as a tree of objects, which maps the members of each object to fields, and the fields that are
/// found by following their path in a second pass: those in lists, and those within a field of the type json.
struct JSONPaths {
    /// The meaning of a member.
    enum Target: BitwiseCopyable {
        /// A declared field, by its index.
        case field(Int)
        /// An object that contains declared fields, by its index in `objects`.
        case object(Int)
        /// A value on the path of fields that are found in the second pass.
        case followed
    }

    /// An object that contains declared fields.
    struct Object {
        /// The path of the object; empty for the top-level object.
        var path: [String]
        /// The members, each once.
        var members: [(name: String, target: Target)] = []
        /// The declared fields in the object at any depth.
        var fields: [Int] = []
    }

    /// The objects; the top-level object is the first.
    private(set) var objects = [Object(path: [])]
    /// The fields that are found by following their path, by their index.
    private(set) var followed: [(field: Int, path: JSONPath)] = []

    /// Builds the tree. Adds an error for a path that conflicts with another field.
    init(_ fields: [NamedSetting<FieldRule>], _ issues: inout SettingIssues) {
        let paths = fields.map { $0.value.path ?? JSONPath(steps: [.name($0.name)], position: $0.position) }
        let isJSON = fields.map { $0.value.type == .json }
        // A path may lead through a field of the type json, so these come first, the outer ones before the inner ones.
        let outer = fields.indices.filter { isJSON[$0] }.sorted { paths[$0].steps.count < paths[$1].steps.count }
        for index in outer + fields.indices.filter({ !isJSON[$0] }) {
            guard let names = paths[index].names else { continue }
            if let problem = self.insert(names, .field(index), isJSON) {
                issues.add("fields: \(fields[index].name): \(problem)", at: paths[index].position)
            } else if !self.objects[0].fields.contains(index) {
                self.followed.append((index, paths[index]))
            }
        }
        for index in fields.indices where paths[index].names == nil {
            // The path begins with a name.
            let names = paths[index].steps.prefix { $0 != .all && !$0.isElement }.compactMap(\.name)
            if let problem = self.insert(names, .followed, isJSON) {
                issues.add("fields: \(fields[index].name): \(problem)", at: paths[index].position)
            }
            self.followed.append((index, paths[index]))
        }
    }

    /// Adds a member, unless its path leads through a field of the type json.
    private mutating func insert(_ path: [String], _ target: Target, _ isJSON: [Bool]) -> String? {
        var current = 0
        var passed = [current]
        for (depth, name) in path.dropLast().enumerated() {
            switch self.objects[current].members.first(where: { $0.name == name })?.target {
            case .object(let next): current = next
            case .field(let field) where isJSON[field]: return nil
            case .field: return "\"\(JSONPath.text([name]))\" is itself a field, so no path can lead through it"
            case .followed: return "\"\(JSONPath.text([name]))\" is a list in the path of another field"
            case nil:
                self.objects.append(Object(path: Array(path[...depth])))
                self.objects[current].members.append((name, .object(self.objects.count - 1)))
                current = self.objects.count - 1
            }
            passed.append(current)
        }
        guard let last = path.last else { return "expected a name before the first element of a list" }
        switch (self.objects[current].members.first(where: { $0.name == last })?.target, target) {
        case (nil, _): self.objects[current].members.append((last, target))
        case (.followed, .followed): return nil
        case (.field(let field), .followed) where isJSON[field]: return nil
        case (.field, .followed):
            return "\"\(JSONPath.text(path))\" is itself a field, so no path can lead through it"
        default: return "another field has the path \"\(JSONPath.text(path))\" or a path within it"
        }
        guard case .field(let field) = target else { return nil }
        for object in passed { self.objects[object].fields.append(field) }
        return nil
    }
}

extension JSONPath.Step {
    /// Whether the step leads to one element of a list.
    var isElement: Bool { if case .element = self { true } else { false } }

    /// The name of a member, or `nil` for elements of a list.
    var name: String? { if case .name(let name) = self { name } else { nil } }
}
