/// What an expression may refer to.
public struct ExpressionEnvironment: Sendable {
    /// Finds the offset of a named time zone from UTC in seconds, at a time in seconds since 1970; `nil` if there is no
    /// zone of that name. The module itself knows `UTC` and fixed offsets such as `+02:00` only.
    public typealias TimeZoneLookup = @Sendable (_ name: String, _ seconds: Int64) -> Int?

    /// A variable.
    public struct Variable: Hashable, Sendable {
        /// The name, with dots if it is a qualified one: `entry.id`.
        public var name: String
        /// The type.
        public var type: ExpressionType
        /// The number by which a `VariableSource` knows the variable, or `nil` for its index in the environment.
        public var number: Int?

        /// Declares a variable.
        public init(_ name: String, _ type: ExpressionType, number: Int? = nil) {
            self.name = name
            self.type = type
            self.number = number
        }
    }

    /// The variables.
    public private(set) var variables: [Variable]
    /// The namespace in which names are looked up first: `com.example`.
    public var container = ""
    /// Whether types and names are checked. Without, such mistakes are errors of the evaluation.
    public var isChecked = true
    /// Whether all variables are known, so that any other name is a mistake.
    public var isComplete = true
    /// Whether `has(name)` asks if a variable has a value; an extension for sources with missing values.
    public var allowsHasOfVariables = false
    /// Whether a text in the expression that is no duration, timestamp, address or address range, although its only use
    /// is to be one, is a mistake: `duration('30d')`. Otherwise it is an error of the evaluation, which `||` and `&&`
    /// may absorb.
    public var checksLiterals = false
    /// Finds time zones, or `nil` if names other than `UTC` are errors.
    public var timeZone: TimeZoneLookup?

    private var indices: [String: Int] = [:]

    /// Creates an environment with variables; of two with the same name, the first counts.
    public init(_ variables: [Variable] = []) {
        self.variables = variables
        for (index, variable) in variables.enumerated() where self.indices[variable.name] == nil {
            self.indices[variable.name] = index
            self.variables[index].number = variable.number ?? index
        }
    }

    /// Returns the number and the type of a variable.
    func variable(_ name: String) -> (number: Int32, type: ExpressionType)? {
        guard let variable = self.indices[name].map({ self.variables[$0] }) else { return nil }
        return (Int32(variable.number ?? 0), variable.type)
    }
}
