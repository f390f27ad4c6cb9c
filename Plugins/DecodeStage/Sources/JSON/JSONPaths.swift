import StageKit

/// The declared fields as a tree of objects, which maps the members of each object to fields.
struct JSONPaths {
    /// The maximum number of names in a path.
    static let lengthLimit = 16

    /// The meaning of a member.
    enum Target: BitwiseCopyable {
        /// A declared field, by its index.
        case field(Int)
        /// An object that contains declared fields, by its index in `objects`.
        case object(Int)
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

    /// Builds the tree. Adds an error for a path that conflicts with another field.
    init(_ fields: [NamedSetting<DecodeStage.FieldRule>], _ issues: inout SettingIssues) {
        for (index, field) in fields.enumerated() {
            let path = field.value.path?.names ?? [field.name]
            let mark = field.value.path?.mark ?? field.mark
            if let problem = self.insert(path, index) { issues.add("fields: \(field.name): \(problem)", at: mark) }
        }
    }

    private mutating func insert(_ path: [String], _ field: Int) -> String? {
        var current = 0
        var passed = [current]
        for (depth, name) in path.dropLast().enumerated() {
            switch self.objects[current].members.first(where: { $0.name == name })?.target {
            case .object(let next): current = next
            case .field: return "\"\(JSONPath.text([name]))\" is itself a field, so no path can lead through it"
            case nil:
                self.objects.append(Object(path: Array(path[...depth])))
                self.objects[current].members.append((name, .object(self.objects.count - 1)))
                current = self.objects.count - 1
            }
            passed.append(current)
        }
        guard let last = path.last else { return nil }
        if self.objects[current].members.contains(where: { $0.name == last }) {
            return "another field has the path \"\(JSONPath.text(path))\" or a path within it"
        }
        self.objects[current].members.append((last, .field(field)))
        for object in passed { self.objects[object].fields.append(field) }
        return nil
    }
}
