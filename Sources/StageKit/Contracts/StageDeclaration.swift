/// The declaration of a stage type, made once, for decoding, lint, documentation and JSON Schema.
public struct StageDeclaration<Settings: Sendable>: Sendable {
    /// The name in the file: a verb in lower_snake_case.
    public let name: String
    /// One sentence for the catalogue.
    public let summary: String
    /// How settings are read.
    public let settings: SettingType<Settings>
    /// A piece of a pipeline file that uses the stage and is valid.
    public let example: String
    /// The reason that is counted if a failure has none.
    public let failureReason: String
    /// Whether `process` only reads and sets the event's own values and fails.
    ///
    /// Such stages at the head of a graph run some events ahead of the later stages.
    public let isPure: Bool
    /// Whether `prepare` does anything.
    public let preparesEvents: Bool
    /// Whether `process` may say `.wait`, so that events wait for `complete`; with some settings it may not
    /// (`StageSetup.neverWaits`).
    public let waits: Bool
    /// Whether the result for an event depends on earlier events with any key: each lane would remember only its own.
    public let remembers: Bool
    /// The exits of a stage with these settings, except failure; `nil` if it leads only to the next stage. The graph's
    /// checks rely on it.
    public let exits: (@Sendable (Settings) -> StageExits)?

    /// Creates a declaration. A stage that waits is never pure.
    public init(
        name: String, summary: String, settings: SettingType<Settings>, example: String,
        failureReason: String, isPure: Bool = false, preparesEvents: Bool = false, waits: Bool = false,
        remembers: Bool = false, exits: (@Sendable (Settings) -> StageExits)? = nil
    ) {
        self.name = name
        self.summary = summary
        self.settings = settings
        self.example = example
        self.failureReason = failureReason
        self.isPure = isPure && !waits
        self.preparesEvents = preparesEvents
        self.waits = waits
        self.remembers = remembers
        self.exits = exits
    }
}

/// The exits of a stage, except failure.
public struct StageExits: Sendable {
    /// The branches to whose start it may send events, as the file names them.
    public var branches: [MarkedName]
    /// The conditions under which events go to each of the branches, for pictures; shorter if there is nothing to say.
    public var words: [String]
    /// Whether an event may continue with the next stage; false if the stage finishes every event that it does not fail
    /// on, or sends it elsewhere.
    public var goesOn: Bool

    /// Makes exits; as a rule a stage leads to the next one alone.
    public init(branches: [MarkedName] = [], words: [String] = [], goesOn: Bool = true) {
        self.branches = branches
        self.words = words
        self.goesOn = goesOn
    }
}
