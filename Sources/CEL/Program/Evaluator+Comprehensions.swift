extension Code {
    /// Evaluates a comprehension.
    func comprehension<Source: VariableSource & ~Copyable>(
        _ instruction: Instruction, _ state: inout EvaluationState, _ source: borrowing Source
    ) throws(EvaluationError) -> Value {
        let range = try self.evaluate(instruction.a, &state, source)
        let code = self.comprehensions[Int(instruction.b)]
        var result = ComprehensionResult(kind: code.kind)
        switch range {
        case .list(let values):
            for (number, value) in values.enumerated() {
                state.locals[code.local] = code.variableCount == 1 ? value : .int(Int64(number))
                if code.variableCount == 2 { state.locals[code.local + 1] = value }
                if try self.step(code, &result, &state, source) { break }
            }
        case .map(let map):
            for pair in map.pairs {
                state.locals[code.local] = pair.key
                if code.variableCount == 2 { state.locals[code.local + 1] = pair.value }
                if try self.step(code, &result, &state, source) { break }
            }
        default: throw .expected("a list or a map for a macro", range)
        }
        return try result.value()
    }

    /// Evaluates `cel.bind`. If the value is an error, the use of the variable is, as if the value stood there.
    func bind<Source: VariableSource & ~Copyable>(
        _ instruction: Instruction, _ state: inout EvaluationState, _ source: borrowing Source
    ) throws(EvaluationError) -> Value {
        let slot = Int(instruction.c)
        do throws(EvaluationError) {
            state.locals[slot] = try self.evaluate(instruction.a, &state, source)
        } catch {
            if error.isCostLimit { throw error }
            state.failures = state.failures ?? [:]
            state.failures?[slot] = error
        }
        defer { state.failures?[slot] = nil }
        return try self.evaluate(instruction.b, &state, source)
    }

    /// Evaluates a comprehension for the element in the local variables.
    ///
    /// - Returns: Whether the result is decided.
    private func step<Source: VariableSource & ~Copyable>(
        _ code: ComprehensionCode, _ result: inout ComprehensionResult, _ state: inout EvaluationState,
        _ source: borrowing Source
    ) throws(EvaluationError) -> Bool {
        let element = state.locals[code.local]
        var holds = true
        if code.condition >= 0 {
            do throws(EvaluationError) {
                let value = try self.evaluate(code.condition, &state, source)
                guard case .bool(let isMet) = value else { throw .expected("a bool in a macro", value) }
                holds = isMet
            } catch {
                guard !error.isCostLimit, code.kind == .all || code.kind == .exists else { throw error }
                result.failure = result.failure ?? error
                return false
            }
        }
        switch code.kind {
        case .all:
            if !holds { result.decided = false }
            return !holds
        case .exists:
            if holds { result.decided = true }
            return holds
        case .existsOne:
            if holds { result.count += 1 }
        case .filter:
            if holds {
                try state.meter.charge(nested: element)
                result.list.append(element)
            }
        case .map, .transformMap, .transformMapEntry:
            if holds { try self.transform(code, element, &result, &state, source) }
        }
        return false
    }

    private func transform<Source: VariableSource & ~Copyable>(
        _ code: ComprehensionCode, _ element: Value, _ result: inout ComprehensionResult,
        _ state: inout EvaluationState, _ source: borrowing Source
    ) throws(EvaluationError) {
        let value = try self.evaluate(code.transform, &state, source)
        switch (code.kind, value) {
        case (.map, _):
            try state.meter.charge(nested: value)
            result.list.append(value)
        case (.transformMap, _): try Self.add(element, value, to: &result.map, &state.meter)
        case (_, .map(let map)):
            for pair in map.pairs { try Self.add(pair.key, pair.value, to: &result.map, &state.meter) }
        default: throw .expected("a map from transformMapEntry", value)
        }
    }
}

/// The result of a comprehension while its elements are evaluated.
private struct ComprehensionResult {
    let kind: ComprehensionKind
    var decided: Bool?
    /// The first error, which an element that decides the result absorbs.
    var failure: EvaluationError?
    var count = 0
    var list: [Value] = []
    var map = MapValue()

    init(kind: ComprehensionKind) { self.kind = kind }

    func value() throws(EvaluationError) -> Value {
        if let decided { return .bool(decided) }
        if let failure { throw failure }
        return switch self.kind {
        case .all: .bool(true)
        case .exists: .bool(false)
        case .existsOne: .bool(self.count == 1)
        case .filter, .map: .list(self.list)
        case .transformMap, .transformMapEntry: .map(self.map)
        }
    }
}
