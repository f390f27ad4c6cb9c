/// A stage type without its Swift type, as used by the engine.
public struct StageType: Sendable {
    /// The name in the file.
    public let name: String
    /// One sentence for the catalogue.
    public let summary: String
    /// The shape of the settings.
    public let shape: SettingShape
    /// A valid part of a pipeline file that uses the stage.
    public let example: String
    /// The reason that is counted for a failure without a reason of its own.
    public let failureReason: String
    /// Whether the stage does nothing but read and set the event's own values and throw.
    public let isPure: Bool
    /// Whether the stage does the same whenever it gets the same event, so that a retry is pointless.
    public let dependsOnlyOnEvent: Bool
    /// Whether the stage's `prepare` is called with events ahead of time.
    public let preparesEvents: Bool
    /// Whether events may wait at the stage until it has done its work for the whole batch.
    public let waits: Bool
    /// Whether the stage may replace events by events for their elements.
    public let expands: Bool
    /// Whether the stage may use a store behind a stage that expands events.
    public let acceptsElements: Bool
    /// Whether the result for an event depends on earlier events.
    public let remembers: Bool
    /// Returns the exits of a stage with these settings, or `nil` if the settings are invalid.
    public let exits: @Sendable (SettingNode) -> StageExits?
    /// Returns the keys and channels that a stage with these settings uses on a server; none if the settings are invalid.
    public let keys: @Sendable (SettingNode, _ streams: [String]) -> [ServerKey]
    /// Decodes the settings and creates an instance, or returns `nil` if that is impossible; the errors are in the
    /// setup's issues.
    public let make: @Sendable (SettingNode, StageSetup) -> (any Stage)?

    /// Wraps a Swift type.
    public init<S: Stage>(_ type: S.Type) {
        let declaration = S.declaration
        self.name = declaration.name
        self.summary = declaration.summary
        self.shape = declaration.settings.shape
        self.example = declaration.example
        self.failureReason = declaration.failureReason
        self.isPure = declaration.isPure
        self.dependsOnlyOnEvent = declaration.dependsOnlyOnEvent
        self.preparesEvents = declaration.preparesEvents
        self.waits = declaration.waits
        self.expands = declaration.expands
        self.acceptsElements = declaration.acceptsElements
        self.remembers = declaration.remembers
        self.exits = { node in
            guard let exits = declaration.exits else { return StageExits() }
            // Errors in the settings are reported when the stage is created.
            return declaration.settings.decodeSilently(node).map(exits)
        }
        self.keys = { node, streams in
            guard let keys = declaration.keys else { return [] }
            return declaration.settings.decodeSilently(node).map { keys($0, streams) } ?? []
        }
        self.make = { node, setup in
            // The name also precedes the errors that the stage itself reports.
            setup.issues.context = declaration.name
            defer { setup.issues.context = "" }
            return declaration.settings.decode(node, &setup.issues).map { S($0, setup) }
        }
    }
}
