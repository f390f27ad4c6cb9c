/// The types that were found for type parameters while an expression is checked.
struct Substitution {
    private var bound: [Int: ExpressionType] = [:]
    private var next = 0

    /// Returns a type parameter that nothing is known about.
    mutating func fresh() -> ExpressionType {
        self.next += 1
        return .parameter(self.next)
    }

    /// Returns a type with its parameters replaced by the types that were found for them.
    func resolve(_ type: ExpressionType) -> ExpressionType {
        switch type {
        case .parameter(let number): self.bound[number].map { self.resolve($0) } ?? type
        case .list(let element): .list(self.resolve(element))
        case .map(let key, let value): .map(self.resolve(key), self.resolve(value))
        case .optional(let wrapped): .optional(self.resolve(wrapped))
        default: type
        }
    }

    /// Replaces the parameters of a declaration by fresh ones; the same parameter by the same one.
    mutating func instantiate(_ type: ExpressionType, _ fresh: inout [Int: ExpressionType]) -> ExpressionType {
        switch type {
        case .parameter(let number):
            if let known = fresh[number] { return known }
            let made = self.fresh()
            fresh[number] = made
            return made
        case .list(let element): return .list(self.instantiate(element, &fresh))
        case .map(let key, let value):
            return .map(self.instantiate(key, &fresh), self.instantiate(value, &fresh))
        case .optional(let wrapped): return .optional(self.instantiate(wrapped, &fresh))
        default: return type
        }
    }

    /// Returns whether a value of one type can be used as another, and binds parameters accordingly. A failure
    /// changes nothing.
    mutating func assign(_ from: ExpressionType, to: ExpressionType) -> Bool {
        let before = self.bound
        if self.unify(from, to) { return true }
        self.bound = before
        return false
    }

    private mutating func unify(_ from: ExpressionType, _ to: ExpressionType) -> Bool {
        let from = self.head(from)
        let to = self.head(to)
        switch (from, to) {
        case (.parameter(let a), .parameter(let b)) where a == b: return true
        case (.parameter(let number), _): return self.bind(number, to)
        case (_, .parameter(let number)): return self.bind(number, from)
        case (.dyn, _), (_, .dyn): return true
        case (.list(let a), .list(let b)), (.optional(let a), .optional(let b)): return self.unify(a, b)
        case (.map(let a, let x), .map(let b, let y)): return self.unify(a, b) && self.unify(x, y)
        case (.null, .timestamp), (.null, .duration), (.null, .optional), (.null, .ip), (.null, .cidr),
            (.timestamp, .null), (.duration, .null), (.optional, .null), (.ip, .null), (.cidr, .null):
            return true
        default: return from == to
        }
    }

    private func head(_ type: ExpressionType) -> ExpressionType {
        var type = type
        while case .parameter(let number) = type, let known = self.bound[number] { type = known }
        return type
    }

    private mutating func bind(_ number: Int, _ type: ExpressionType) -> Bool {
        if self.occurs(number, type) { return false }
        self.bound[number] = type
        return true
    }

    private func occurs(_ number: Int, _ type: ExpressionType) -> Bool {
        switch self.head(type) {
        case .parameter(let other): other == number
        case .list(let element), .optional(let element): self.occurs(number, element)
        case .map(let key, let value): self.occurs(number, key) || self.occurs(number, value)
        default: false
        }
    }
}
