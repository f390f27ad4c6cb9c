/// What a stage type tells of itself, once, for decoding, lint, documentation and JSON Schema.
public struct StageDeclaration<Settings: Sendable>: Sendable {
    /// The name in the file: a verb in lower_snake_case.
    public let name: String
    /// One sentence for the catalogue.
    public let summary: String
    /// How settings are read.
    public let settings: SettingType<Settings>
    /// A piece of a pipeline file that uses the stage and is valid.
    public let example: String
    /// The reason counted where a failure gives none.
    public let failureReason: String
    /// Whether `process` does nothing but read and set the event's own values and fail.
    ///
    /// Such stages at the head of a graph run a few events ahead of the ones behind them.
    public let isPure: Bool
    /// Whether `prepare` does anything.
    public let preparesEvents: Bool
    /// Whether `process` may say `.wait`, so that events wait for `complete`; with some settings it may not
    /// (`StageSetup.neverWaits`).
    public let waits: Bool
    /// Whether what it does with an event depends on events before it, of whatever key: lanes would each remember their own.
    public let remembers: Bool
    /// The ways out of a stage with these settings, beside failing; nil where it only leads to the next stage. The graph's
    /// checks rely on it.
    public let exits: (@Sendable (Settings) -> StageExits)?

    /// Makes a declaration. A stage that waits is never pure.
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

/// The ways out of a stage, beside failing.
public struct StageExits: Sendable {
    /// The branches to whose start it may send events, as the file names them.
    public var branches: [MarkedName]
    /// What sends events to each of the branches, in words for pictures; shorter where there is nothing to tell.
    public var words: [String]
    /// Whether it may let an event go on to the next stage; false where it ends the way of every event that it does not
    /// fail on, or sends it elsewhere.
    public var goesOn: Bool

    /// Makes exits; as a rule a stage leads to the next one alone.
    public init(branches: [MarkedName] = [], words: [String] = [], goesOn: Bool = true) {
        self.branches = branches
        self.words = words
        self.goesOn = goesOn
    }
}
