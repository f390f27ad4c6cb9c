public import CoreMetrics
public import Logging
import TextSupport

/// The context in which a stage is created. It resolves the names that the stage uses, once.
///
/// The engine creates one setup for each stage in the graph. It is used during `init` only.
public final class StageSetup {
    /// The pipeline's name, which is also the `component` of its counters.
    public let pipeline: String
    /// The stage's name in the graph: its type, or the name that the file gives it.
    public let stage: String
    /// The stage's position in the file.
    public let position: SettingPosition
    /// A logger labelled with the pipeline's and the stage's name.
    public let logger: Logger
    /// Creates counters, gauges and timers.
    public let metrics: any MetricsFactory
    /// The handler that is notified of revocations and evictions, or `nil` if there is none.
    public let revocationHandler: (any RevocationHandler)?
    /// Whether nothing outside of this process may be touched. Whatever would be sent is then treated as sent.
    ///
    /// The setup provides a suitable publisher and stores. A stage with connections of its own must check this
    /// property.
    public let isRehearsal: Bool
    /// The clock that provides the time of day.
    public let clock: WallClock
    /// The reporter to which a stage that waits reports its steps and the limits of its waits.
    public let progress: ProgressReporter
    /// Collects errors.
    public var issues: SettingIssues

    /// The fields that earlier stages and this stage provide.
    package private(set) var scope: FieldScope
    /// The names of the requested stores, each once.
    package private(set) var usedStores: [String] = []
    /// The names of the requested stores whose snapshots the stage does not write.
    package private(set) var readStores: Set<String> = []
    /// The names of the requested effects, each once.
    package private(set) var usedEffects: [String] = []
    /// The positions of the templates and expressions that the stage has resolved.
    package private(set) var templatePositions: Set<SettingPosition> = []
    /// Whether no event waits at the stage, regardless of its declaration.
    package private(set) var isWaitless = false
    /// Whether the result for an event depends on earlier events with other keys, regardless of the stage's
    /// declaration.
    package private(set) var dependsOnOtherKeys = false
    /// The fields of the events that the stage adds, or `nil` if it adds none.
    package private(set) var emittedScope: FieldScope?

    private let givenPublisher: (any MessagePublisher)?
    private let givenHashReader: (any HashReader)?
    private let names: GraphNames
    private let stores: [String: any StageStore]
    /// The names of declared stores that could not be created. Their errors are reported at the stores' own positions.
    private let brokenStores: Set<String>
    private let branches: [String: BranchID]
    private let exits: StageExits

    package init(
        pipeline: String, stage: String, position: SettingPosition, logger: Logger, metrics: any MetricsFactory,
        revocationHandler: (any RevocationHandler)?, publisher: (any MessagePublisher)? = nil, names: GraphNames,
        scope: FieldScope, stores: [String: any StageStore], brokenStores: Set<String> = [],
        branches: [String: BranchID] = [:], exits: StageExits = StageExits(), clock: WallClock = .system,
        isRehearsal: Bool = false, progress: ProgressReporter = ProgressReporter(),
        hashReader: (any HashReader)? = nil
    ) {
        self.pipeline = pipeline
        self.stage = stage
        self.position = position
        self.logger = logger
        self.metrics = metrics
        self.revocationHandler = revocationHandler
        self.givenPublisher = publisher
        self.givenHashReader = hashReader
        self.names = names
        self.scope = scope
        self.stores = stores
        self.brokenStores = brokenStores
        self.branches = branches
        self.exits = exits
        self.clock = clock
        self.isRehearsal = isRehearsal
        self.progress = progress
        self.issues = SettingIssues()
    }

    /// The fields that earlier stages provide, in the order in which they were first provided.
    ///
    /// In a branch these are the fields of every path that leads to it. For a failed event they include those of all
    /// stages up to the failed one, which may not have set its own.
    public var fields: [String] { self.scope.fields }

    /// Returns the column of a field that this stage reads. Adds an error if no earlier stage provides the field.
    public func input(_ name: LocatedName) -> FieldID {
        // After a stage that could not be created, a missing field is not an error of this stage.
        if !self.scope.isIncomplete, !self.scope.fields.contains(name.text) {
            let hint = Nearest.hint(for: name.text, among: self.scope.fields)
            self.issues.add("no earlier stage provides the field \"\(name.text)\"\(hint)", at: name.position)
        }
        return self.names.provide(name.text)
    }

    /// Returns the column of a field that this stage sets, for later stages.
    ///
    /// - Parameters:
    ///   - name: The field's name in the file.
    ///   - isSecret: Whether its values must not be shown. Stages that write logs, and all observers of the pipeline,
    ///     show a fixed text instead. A field that is secret in one stage is secret in the whole graph.
    ///   - type: The type of its values, with which expressions in later stages are checked.
    /// - Returns: The column.
    public func output(_ name: String, isSecret: Bool = false, type: FieldType = .unknown) -> FieldID {
        self.scope.provide(name, type)
        self.names.note(type, of: name)
        if isSecret { self.names.keepSecret(name) }
        return self.names.provide(name)
    }

    /// Returns the column of a field that the stage sets on the events that it adds (`EmittingStage`).
    ///
    /// A stage that calls this function passes on no event but those that it adds. Later stages know only the fields that
    /// are declared here, unless the stage has a condition: then events that do not meet it continue with their own
    /// fields.
    ///
    /// - Parameters:
    ///   - name: The field's name.
    ///   - isSecret: Whether its values must not be shown.
    ///   - type: The type of its values.
    /// - Returns: The column.
    public func emits(_ name: String, isSecret: Bool = false, type: FieldType = .unknown) -> FieldID {
        var scope = self.emittedScope ?? FieldScope(isIncomplete: self.scope.isIncomplete)
        scope.provide(name, type)
        self.emittedScope = scope
        self.names.note(type, of: name)
        if isSecret { self.names.keepSecret(name) }
        return self.names.provide(name)
    }

    /// Returns the type of a field that earlier stages provide.
    public func type(of name: String) -> FieldType { self.scope.type(of: name) }

    /// Returns whether the values of a field must not be shown.
    public func isSecret(_ name: String) -> Bool { self.names.secrets.contains(name) }

    /// Returns a branch that the stage sends events to. Adds an error if the file has no branch of that name or if the
    /// declaration's `exits` do not list it.
    public func branch(_ name: LocatedName) -> BranchID {
        guard let branch = self.branches[name.text] else {
            let hint = Nearest.hint(for: name.text, among: self.branches.keys.sorted())
            self.issues.add("no branch \"\(name.text)\"\(hint)", at: name.position)
            return BranchID(index: 0)
        }
        if !self.exits.branches.contains(where: { $0.text == name.text }) {
            self.issues.add("the branch \"\(name.text)\" is not among the stage type's exits", at: name.position)
        }
        return branch
    }

    /// Returns a store that the file declares. Returns `nil` and adds an error if there is no such store.
    public func store(_ name: LocatedName) -> (any StageStore)? {
        if let store = self.stores[name.text] {
            if !self.usedStores.contains(name.text) { self.usedStores.append(name.text) }
            return store
        }
        if self.brokenStores.contains(name.text) { return nil }
        let hint = Nearest.hint(for: name.text, among: self.brokenStores.union(self.stores.keys).sorted())
        self.issues.add("no store \"\(name.text)\" is declared under stores\(hint)", at: name.position)
        return nil
    }

    /// Returns a store that the file declares, for a stage that only looks snapshots up. Returns `nil` and adds an error
    /// if there is no such store.
    ///
    /// The types of the stage's fields then say nothing about the fields of the store's snapshots.
    public func storeToRead(_ name: LocatedName) -> (any StageStore)? {
        let store = self.store(name)
        if store != nil { self.readStores.insert(name.text) }
        return store
    }

    /// Returns the reader of Redis hashes. Returns `nil` and adds an error if neither the file nor the embedding program
    /// provides one.
    public func hashReader() -> (any HashReader)? {
        if let reader = self.givenHashReader { return reader }
        self.issues.add("there is no server to read hashes from: add the section redis", at: self.position)
        return nil
    }

    /// Returns the publisher that sends messages. Returns `nil` and adds an error if neither the file nor the embedding
    /// program provides one.
    public func publisher() -> (any MessagePublisher)? {
        if let publisher = self.givenPublisher { return publisher }
        self.issues.add("there is no server to send messages to: add the section redis", at: self.position)
        return nil
    }

    /// Returns the number of an effect, to record it on events.
    public func effect(_ name: String) -> EffectID {
        if !self.usedEffects.contains(name) { self.usedEffects.append(name) }
        return self.names.effect(name)
    }

    /// Declares that with these settings no event waits, although the stage's declaration sets `waits`. Events then
    /// continue immediately, and a graph of such stages does not need several passes per batch.
    public func neverWaits() {
        self.isWaitless = true
    }

    /// Declares that with these settings the result for an event depends on earlier events with other keys, although the
    /// stage's declaration does not set `remembers`. Such a stage cannot be used with lanes.
    public func usesOtherKeys() {
        self.dependsOnOtherKeys = true
    }

    /// Returns a column for values that only this stage uses: see `Event.withTemporaryValue`. No other stage reads it.
    public func temporaryField() -> FieldID {
        self.names.provide("\(self.stage) (temporary)")
    }

    /// Records that the text at a position contains names of fields that the stage replaces by their values. For any
    /// other text that contains a field in braces, `validate` adds a warning.
    ///
    /// `Template.resolve` and `ExpressionSettings.resolve` call it.
    public func noteTemplate(at position: SettingPosition) {
        self.templatePositions.insert(position)
    }

    /// Returns the number of a reason, to finish events with it.
    public func reason(_ name: String) -> ReasonID {
        self.names.reason(name)
    }

    /// Returns the column of a field that an expression uses.
    func column(_ name: String) -> FieldID { self.names.provide(name) }
}

/// A name in the file with its position, for error messages.
public struct LocatedName: Sendable, Hashable {
    /// The name.
    public var text: String
    /// The position in the file.
    public var position: SettingPosition

    /// Creates a name.
    public init(_ text: String, at position: SettingPosition) {
        self.text = text
        self.position = position
    }

    /// A placeholder for a required name in the defaults of settings.
    public static let unread = LocatedName("", at: SettingPosition(line: 1, column: 1))
}

extension SettingType where Value == LocatedName {
    /// A name that is not blank, with its position.
    public static var name: SettingType<LocatedName> {
        SettingType(shape: .nonBlankText) { node, issues in
            SettingType<String>.nonBlankText.decode(node, &issues).map { LocatedName($0, at: node.position) }
        }
    }
}
