extension Program {
    /// Returns the names that an expression may use as variables, each once: `user_id`, `entry.id`. Some may be names
    /// of macro variables or fields of values.
    ///
    /// - Returns: An empty list if the syntax is wrong.
    package static func names(in text: String) -> [String] {
        guard let node = try? Parser.parse(text) else { return [] }
        var found: [String] = []
        Self.collect(node, &found)
        return found
    }

    private static func collect(_ node: Node, _ found: inout [String]) {
        if let path = Self.path(node) {
            if !found.contains(path), Declarations.types[path] == nil { found.append(path) }
            return
        }
        switch node.kind {
        case .literal, .name: break
        case .hasName(let name):
            if !found.contains(name) { found.append(name) }
        case .select(let operand, let field, let access):
            if access == .test, let path = Self.path(operand), !found.contains("\(path).\(field)") {
                found.append("\(path).\(field)")
            }
            Self.collect(operand, &found)
        case .index(let container, let key, _):
            Self.collect(container, &found)
            Self.collect(key, &found)
        case .call(_, let target, let arguments):
            if let target { Self.collect(target, &found) }
            for argument in arguments { Self.collect(argument, &found) }
        case .list(let elements):
            for element in elements { Self.collect(element.value, &found) }
        case .map(let pairs):
            for pair in pairs {
                Self.collect(pair.key, &found)
                Self.collect(pair.value, &found)
            }
        case .logic(_, let operands):
            for operand in operands { Self.collect(operand, &found) }
        case .conditional(let test, let first, let second):
            for part in [test, first, second] { Self.collect(part, &found) }
        case .comprehension(let comprehension):
            Self.collect(comprehension.range, &found)
            if let condition = comprehension.condition { Self.collect(condition, &found) }
            if let transform = comprehension.transform { Self.collect(transform, &found) }
        case .bind(_, let value, let body):
            Self.collect(value, &found)
            Self.collect(body, &found)
        case .optionalMap(let target, _, let body, _):
            Self.collect(target, &found)
            Self.collect(body, &found)
        }
    }

    /// The text of a name with plain field accesses, or `nil` if the node is something else.
    private static func path(_ node: Node) -> String? {
        switch node.kind {
        case .name(let name, isRoot: _): name
        case .select(let operand, let field, .plain): Self.path(operand).map { "\($0).\(field)" }
        default: nil
        }
    }
}
