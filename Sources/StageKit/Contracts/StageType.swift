/// A stage type as the engine sees it: its declaration without its Swift type.
public struct StageType: Sendable {
    /// The name in the file.
    public let name: String
    /// One sentence for the catalogue.
    public let summary: String
    /// What the settings look like.
    public let shape: SettingShape
    /// A piece of a pipeline file that uses the stage.
    public let example: String
    /// The reason counted where a failure gives none.
    public let failureReason: String
    /// Whether the stage only reads and sets the event's own values.
    public let isPure: Bool
    /// Whether the stage wants to see events ahead of time.
    public let preparesEvents: Bool
    /// Whether events may wait at the stage until it has done its work on all of a batch.
    public let waits: Bool
    /// Whether what it does with an event depends on events before it.
    public let remembers: Bool
    /// The ways out of a stage with these settings; nil where they cannot be read.
    public let exits: @Sendable (SettingNode) -> StageExits?
    /// Decodes the settings and makes an instance; nil where that cannot be done, the reasons among the setup's issues.
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
            // What is wrong with the settings is told where the stage is made.
            var untold = SettingIssues()
            return declaration.settings.decode(node, &untold).map(exits)
        }
        self.make = { node, setup in
            // The name stands before what the stage itself reports, too.
            setup.issues.context = declaration.name
            defer { setup.issues.context = "" }
            return declaration.settings.decode(node, &setup.issues).map { S($0, setup) }
        }
    }
}
