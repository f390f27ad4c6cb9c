extension Parser {
    /// Makes a call, or expands a macro of this name and number of arguments.
    func call(_ name: String, _ target: Node?, _ arguments: [Node], _ offset: Int) throws(OffsetProblem) -> Node {
        if let macro = try self.macro(name, target, arguments, offset) { return macro }
        return try self.node(.call(name, target: target, arguments), offset, arguments + (target.map { [$0] } ?? []))
    }

    private func macro(
        _ name: String, _ target: Node?, _ arguments: [Node], _ offset: Int
    ) throws(OffsetProblem) -> Node? {
        guard let target else {
            return name == "has" && arguments.count == 1 ? try self.has(arguments[0], offset) : nil
        }
        if name == "bind", arguments.count == 3, case .name("cel", isRoot: false) = target.kind {
            let variable = try Self.variable(arguments[0])
            return try self.node(.bind(variable, arguments[1], arguments[2]), offset, Array(arguments[1...]))
        }
        if name == "optMap" || name == "optFlatMap", arguments.count == 2 {
            let variable = try Self.variable(arguments[0])
            return try self.node(
                .optionalMap(target, variable, arguments[1], isFlat: name == "optFlatMap"), offset,
                [target, arguments[1]])
        }
        return try self.comprehension(name, target, arguments, offset)
    }

    private func has(_ argument: Node, _ offset: Int) throws(OffsetProblem) -> Node {
        switch argument.kind {
        case .select(let operand, let field, .plain), .select(let operand, let field, .optional):
            return try self.node(.select(operand, field: field, .test), argument.offset, [operand])
        case .name(let name, isRoot: false): return try self.node(.hasName(name), argument.offset)
        default:
            throw OffsetProblem(offset: argument.offset, message: "expected a field in has(), such as has(a.b)")
        }
    }

    /// The macros by name, with the number of variables and of arguments.
    private static func kind(_ name: String, _ count: Int) -> (ComprehensionKind, variables: Int, isFiltered: Bool)? {
        switch (name, count) {
        case ("all", 2): (.all, 1, true)
        case ("all", 3): (.all, 2, true)
        case ("exists", 2): (.exists, 1, true)
        case ("exists", 3): (.exists, 2, true)
        case ("exists_one", 2), ("existsOne", 2): (.existsOne, 1, true)
        case ("exists_one", 3), ("existsOne", 3): (.existsOne, 2, true)
        case ("filter", 2): (.filter, 1, true)
        case ("map", 2): (.map, 1, false)
        case ("map", 3): (.map, 1, true)
        case ("transformList", 3): (.map, 2, false)
        case ("transformList", 4): (.map, 2, true)
        case ("transformMap", 3): (.transformMap, 2, false)
        case ("transformMap", 4): (.transformMap, 2, true)
        case ("transformMapEntry", 3): (.transformMapEntry, 2, false)
        case ("transformMapEntry", 4): (.transformMapEntry, 2, true)
        default: nil
        }
    }

    private func comprehension(
        _ name: String, _ range: Node, _ arguments: [Node], _ offset: Int
    ) throws(OffsetProblem) -> Node? {
        guard let (kind, count, isFiltered) = Self.kind(name, arguments.count) else { return nil }
        var variables: [String] = []
        for argument in arguments.prefix(count) {
            let variable = try Self.variable(argument)
            if variables.contains(variable) {
                throw OffsetProblem(
                    offset: argument.offset, message: "the variables of \(name) must have different names")
            }
            variables.append(variable)
        }
        let rest = Array(arguments.dropFirst(count))
        let comprehension = Node.Comprehension(
            kind: kind, range: range, variables: variables, condition: isFiltered ? rest[0] : nil,
            transform: isFiltered ? (rest.count > 1 ? rest[1] : nil) : rest[0])
        return try self.node(.comprehension(comprehension), offset, [range] + rest)
    }

    /// Returns the form of a macro in an expression, or `nil` if there is no macro of this name.
    static func macroForm(_ name: String) -> String? {
        switch name {
        case "has": "has(a.b)"
        case "all", "exists", "exists_one", "existsOne", "filter": "list.\(name)(x, condition)"
        case "map": "list.map(x, value)"
        case "transformList", "transformMap", "transformMapEntry": "map.\(name)(key, value, result)"
        case "optMap", "optFlatMap": "optional.\(name)(x, value)"
        default: nil
        }
    }

    private static func variable(_ node: Node) throws(OffsetProblem) -> String {
        guard case .name(let name, isRoot: false) = node.kind else {
            throw OffsetProblem(offset: node.offset, message: "expected a variable name")
        }
        return name
    }
}
