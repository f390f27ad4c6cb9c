/// The declaration of a stage type, from which decoding, lint, documentation and the JSON Schema are derived.
public struct StageDeclaration<Settings: Sendable>: Sendable {
    /// The name in the file: a verb in lower_snake_case.
    public let name: String
    /// One sentence for the catalogue.
    public let summary: String
    /// The decoder of the settings.
    public let settings: SettingType<Settings>
    /// A valid part of a pipeline file that uses the stage.
    public let example: String
    /// The reason that is counted for a failure without a reason of its own.
    public let failureReason: String
    /// Whether `process` does nothing but read and set the event's own values and throw.
    ///
    /// Such stages at the head of a graph process some events ahead of the later stages.
    public let isPure: Bool
    /// Whether the stage does the same whenever it gets the same event, so that a retry is pointless. Pure stages, and
    /// stages that were declared pure except that they wait.
    public let dependsOnlyOnEvent: Bool
    /// Whether `prepare` does anything.
    public let preparesEvents: Bool
    /// Whether `process` may return `.wait`. `StageSetup.neverWaits` overrides this for particular settings.
    public let waits: Bool
    /// Whether `complete` may replace events by events for their elements (`WaitingEvents.expand`). Such a stage waits.
    public let expands: Bool
    /// Whether the stage may use a store behind a stage that expands events. The events of an entry's elements have one
    /// id, so a store cannot order them. The stage must have the same result whichever of them comes first: a lookup or
    /// an eviction may, a stage that writes snapshots may not.
    public let acceptsElements: Bool
    /// Whether the result for an event depends on earlier events with any key. With lanes, each lane would remember
    /// only its own events.
    public let remembers: Bool
    /// The exits of a stage with these settings, except failure, or `nil` if the stage leads only to the next stage.
    /// The graph's checks rely on it.
    public let exits: (@Sendable (Settings) -> StageExits)?
    /// The keys and channels that a stage with these settings uses on the server of the section `redis`, or `nil` if it
    /// uses none. `streams` are the streams that the source reads there.
    public let keys: (@Sendable (Settings, _ streams: [String]) -> [ServerKey])?

    /// Creates a declaration. A stage that waits is never pure, and one that expands events always waits.
    public init(
        name: String, summary: String, settings: SettingType<Settings>, example: String,
        failureReason: String, isPure: Bool = false, preparesEvents: Bool = false, waits: Bool = false,
        expands: Bool = false, acceptsElements: Bool = false, remembers: Bool = false,
        exits: (@Sendable (Settings) -> StageExits)? = nil,
        keys: (@Sendable (Settings, _ streams: [String]) -> [ServerKey])? = nil
    ) {
        self.name = name
        self.summary = summary
        self.settings = settings
        self.example = example
        self.failureReason = failureReason
        self.isPure = isPure && !waits && !expands
        self.dependsOnlyOnEvent = isPure
        self.preparesEvents = preparesEvents
        self.waits = waits || expands
        self.expands = expands
        self.acceptsElements = acceptsElements
        self.remembers = remembers
        self.exits = exits
        self.keys = keys
    }
}

/// The exits of a stage, except failure.
public struct StageExits: Sendable {
    /// The branches to which the stage may send events, as named in the file.
    public var branches: [LocatedName]
    /// The conditions under which events go to each of the branches, for diagrams. May be shorter than `branches`.
    public var words: [String]
    /// Whether an event may continue with the next stage. `false` if the stage finishes every event, sends it to a
    /// branch or fails it.
    public var goesOn: Bool

    /// Creates exits. By default the stage leads only to the next one.
    public init(branches: [LocatedName] = [], words: [String] = [], goesOn: Bool = true) {
        self.branches = branches
        self.words = words
        self.goesOn = goesOn
    }
}
