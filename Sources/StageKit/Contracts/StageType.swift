/// A stage type as the engine sees it: its declaration without its Swift type.
public struct StageType: Sendable {
    /// The name in the file.
    public let name: String
    /// One sentence for the catalogue.
    public let summary: String
    /// The shape of the settings.
    public let shape: SettingShape
    /// A piece of a pipeline file that uses the stage.
    public let example: String
    /// The reason that is counted if a failure has none.
    public let failureReason: String
    /// Whether the stage only reads and sets the event's own values.
    public let isPure: Bool
    /// Whether the stage wants to see events ahead of time.
    public let preparesEvents: Bool
    /// Whether events may wait at the stage until it has done its work on all of a batch.
    public let waits: Bool
    /// Whether the result for an event depends on earlier events.
    public let remembers: Bool
    /// The exits of a stage with these settings; `nil` if they cannot be read.
    public let exits: @Sendable (SettingNode) -> StageExits?
    /// Decodes the settings and creates an instance; returns `nil` if that is impossible, with the reasons in the
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
        self.preparesEvents = declaration.preparesEvents
        self.waits = declaration.waits
        self.remembers = declaration.remembers
        self.exits = { node in
            guard let exits = declaration.exits else { return StageExits() }
            // Errors in the settings are reported when the stage is made.
            var untold = SettingIssues()
            return declaration.settings.decode(node, &untold).map(exits)
        }
        self.make = { node, setup in
            // The name also precedes the stage's own reports.
            setup.issues.context = declaration.name
            defer { setup.issues.context = "" }
            return declaration.settings.decode(node, &setup.issues).map { S($0, setup) }
        }
    }
}
