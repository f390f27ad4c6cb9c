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

        /// Declares a variable.
        public init(_ name: String, _ type: ExpressionType) {
            self.name = name
            self.type = type
        }
    }

    /// The variables. The index of a variable is its number for `VariableSource`.
    public private(set) var variables: [Variable]
    /// The namespace in which names are looked up first: `com.example`.
    public var container = ""
    /// Whether types and names are checked. Without, such mistakes are errors of the evaluation.
    public var isChecked = true
    /// Whether `has(name)` asks if a variable has a value; an extension for sources with missing values.
    public var allowsHasOfVariables = false
    /// Finds time zones, or `nil` if names other than `UTC` are errors.
    public var timeZone: TimeZoneLookup?

    private var numbers: [String: Int] = [:]

    /// Creates an environment with variables; of two with the same name, the first counts.
    public init(_ variables: [Variable] = []) {
        self.variables = variables
        for (number, variable) in variables.enumerated() where self.numbers[variable.name] == nil {
            self.numbers[variable.name] = number
        }
    }

    /// Returns the number of a variable.
    public func number(of name: String) -> Int? { self.numbers[name] }
}
