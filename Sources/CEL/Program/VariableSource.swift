/// Supplies the values of variables while an expression is evaluated. Variables are addressed by their number in the
/// `ExpressionEnvironment`.
public protocol VariableSource: ~Copyable {
    /// Returns a variable's value, or `nil` if it is missing.
    func value(of variable: Int) throws(EvaluationError) -> Value?

    /// Returns the value of a variable that was declared as an int, or `nil` if it is missing.
    func integer(of variable: Int) throws(EvaluationError) -> Int64?

    /// Returns the value of a variable that was declared as a double, or `nil` if it is missing.
    func double(of variable: Int) throws(EvaluationError) -> Double?

    /// Returns whether a variable has a value.
    func has(_ variable: Int) throws(EvaluationError) -> Bool

    /// Compares the text of a string variable with bytes, without making a value of it.
    func compare(_ variable: Int, with bytes: [UInt8]) -> TextComparison

    /// Returns whether the value of a variable of any type, as text, has exactly these bytes; `false` if it is missing.
    func text(of variable: Int, equals bytes: [UInt8]) -> Bool

    /// Returns the value of a variable of any type if it is a whole number, otherwise `nil`.
    func number(of variable: Int) -> Int64?
}

/// The result of comparing the text of a variable.
public enum TextComparison: Sendable {
    case equal, different
    /// The variable is missing or is not a string.
    case unknown
}

extension VariableSource where Self: ~Copyable {
    /// Takes the number out of the value.
    public func integer(of variable: Int) throws(EvaluationError) -> Int64? {
        guard let value = try self.value(of: variable) else { return nil }
        guard case .int(let number) = value else { throw .noOverload }
        return number
    }

    /// Takes the number out of the value.
    public func double(of variable: Int) throws(EvaluationError) -> Double? {
        guard let value = try self.value(of: variable) else { return nil }
        guard case .double(let number) = value else { throw .noOverload }
        return number
    }

    /// Asks for the value.
    public func has(_ variable: Int) throws(EvaluationError) -> Bool { try self.value(of: variable) != nil }

    /// Compares by way of the value.
    public func text(of variable: Int, equals bytes: [UInt8]) -> Bool {
        guard let value = try? self.value(of: variable) else { return false }
        return value.text.utf8.elementsEqual(bytes)
    }

    /// Takes the number out of the value.
    public func number(of variable: Int) -> Int64? {
        guard let value = try? self.value(of: variable), case .int(let number) = value else { return nil }
        return number
    }

    /// Compares by way of the value.
    public func compare(_ variable: Int, with bytes: [UInt8]) -> TextComparison {
        guard let value = try? self.value(of: variable), case .string(let text) = value else { return .unknown }
        return text.utf8.elementsEqual(bytes) ? .equal : .different
    }
}

/// Values by variable number.
public struct VariableValues: VariableSource, Sendable {
    /// The values; `nil` for a missing one.
    public var values: [Value?]

    /// Creates a source of values.
    public init(_ values: [Value?] = []) { self.values = values }

    /// The value of a variable.
    public func value(of variable: Int) -> Value? {
        variable < self.values.count ? self.values[variable] : nil
    }
}
