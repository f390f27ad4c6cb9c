public import CoreMetrics
public import Logging

/// What a stage is made with: the names it uses are resolved here, once.
///
/// Made by the engine, one for each stage in the graph, and used during `init` only.
public final class StageSetup {
    /// The pipeline's name, which is the `component` of its counters.
    public let pipeline: String
    /// The stage's name in the graph: its type, or what the file calls it.
    public let stage: String
    /// Where the stage stands in the file.
    public let mark: SourceMark
    /// Logs under the pipeline's and the stage's name.
    public let logger: Logger
    /// Makes counters, gauges and timers.
    public let metrics: any MetricsFactory
    /// The handler that is notified of revocations and evictions, or `nil` if there is none.
    public let revocationHandler: (any RevocationHandler)?
    /// Whether nothing outside of this process is to be touched: what would be sent is then taken as sent.
    ///
    /// A publisher and stores for that are given; a stage with connections of its own asks.
    public let isRehearsal: Bool
    /// The time of day.
    public let clock: WallClock
    /// Where a stage that waits reports its steps and the bounds of its waits.
    public let progress: ProgressReporter
    /// Collects what is wrong.
    public var issues: SettingIssues

    /// The fields that are provided up to this stage and by it.
    package private(set) var scope: FieldScope
    /// The names of the stores that were asked for, each once.
    package private(set) var usedStores: [String] = []
    /// The effects that were asked for, each once.
    package private(set) var usedEffects: [String] = []
    /// Whether no event waits at the stage, whatever its declaration says.
    package private(set) var isWaitless = false

    private let givenPublisher: (any MessagePublisher)?
    private let names: GraphNames
    private let stores: [String: any SnapshotStore]
    /// The names of stores that the file declares and that could not be made: their mistakes are told where they stand.
    private let brokenStores: Set<String>
    private let branches: [String: BranchID]
    private let exits: StageExits

    package init(
        pipeline: String, stage: String, mark: SourceMark, logger: Logger, metrics: any MetricsFactory,
        revocationHandler: (any RevocationHandler)?, publisher: (any MessagePublisher)? = nil, names: GraphNames,
        scope: FieldScope, stores: [String: any SnapshotStore], brokenStores: Set<String> = [],
        branches: [String: BranchID] = [:], exits: StageExits = StageExits(), clock: WallClock = .system,
        isRehearsal: Bool = false, progress: ProgressReporter = ProgressReporter()
    ) {
        self.pipeline = pipeline
        self.stage = stage
        self.mark = mark
        self.logger = logger
        self.metrics = metrics
        self.revocationHandler = revocationHandler
        self.givenPublisher = publisher
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

    /// The fields that earlier stages provide, in the order they were first provided.
    ///
    /// In a branch these are the fields of every way that leads to it: for a failed event, those of the stages up to the
    /// one that failed, which may not have come to setting its own.
    public var fields: [String] { self.scope.fields }

    /// A field this stage reads; it is a mistake where no earlier stage provides it.
    public func input(_ name: MarkedName) -> FieldID {
        // Behind a stage that could not be made, a field that is missing is no mistake of this one.
        if !self.scope.isIncomplete, !self.scope.fields.contains(name.text) {
            let hint = Nearest.hint(for: name.text, among: self.scope.fields)
            self.issues.add("no earlier stage provides the field \"\(name.text)\"\(hint)", at: name.mark)
        }
        return self.names.provide(name.text)
    }

    /// A field this stage gives a value to, for the stages after it.
    ///
    /// - Parameters:
    ///   - name: What the file calls it.
    ///   - isSecret: Whether its values must not be shown: stages that write logs, and everybody who watches the pipeline,
    ///     see a mark in their place. A field that is secret once is secret in the whole graph.
    public func output(_ name: String, isSecret: Bool = false) -> FieldID {
        self.scope.provide(name)
        if isSecret { self.names.keepSecret(name) }
        return self.names.provide(name)
    }

    /// Whether the values of a field must not be shown.
    public func isSecret(_ name: String) -> Bool { self.names.secrets.contains(name) }

    /// A branch that the stage sends events to; it is a mistake where the file has none of that name, or where the
    /// declaration's `exits` do not name it.
    public func branch(_ name: MarkedName) -> BranchID {
        guard let branch = self.branches[name.text] else {
            let hint = Nearest.hint(for: name.text, among: self.branches.keys.sorted())
            self.issues.add("no branch \"\(name.text)\"\(hint)", at: name.mark)
            return BranchID(index: 0)
        }
        if !self.exits.branches.contains(where: { $0.text == name.text }) {
            self.issues.add("the stage type's exits do not name the branch \"\(name.text)\"", at: name.mark)
        }
        return branch
    }

    /// A store that the file declares; it is a mistake where it does not.
    public func store(_ name: MarkedName) -> (any SnapshotStore)? {
        if let store = self.stores[name.text] {
            if !self.usedStores.contains(name.text) { self.usedStores.append(name.text) }
            return store
        }
        if self.brokenStores.contains(name.text) { return nil }
        let hint = Nearest.hint(for: name.text, among: self.brokenStores.union(self.stores.keys).sorted())
        self.issues.add("no store \"\(name.text)\" is declared under stores\(hint)", at: name.mark)
        return nil
    }

    /// What sends messages to others; it is a mistake where neither the file nor the program gives it.
    public func publisher() -> (any MessagePublisher)? {
        if let publisher = self.givenPublisher { return publisher }
        self.issues.add("there is no server to send to: add the section redis", at: self.mark)
        return nil
    }

    /// The number of an effect, to record on events.
    public func effect(_ name: String) -> EffectID {
        if !self.usedEffects.contains(name) { self.usedEffects.append(name) }
        return self.names.effect(name)
    }

    /// Says that with these settings no event waits, although the declaration says that events may: then each goes on at
    /// once, and a graph of such stages does not work in passes.
    public func neverWaits() {
        self.isWaitless = true
    }

    /// The number of a reason, to finish events with.
    public func reason(_ name: String) -> ReasonID {
        self.names.reason(name)
    }
}

/// A name in the file with its place, so that what is wrong with it can be told there.
public struct MarkedName: Sendable, Hashable {
    /// The name.
    public var text: String
    /// Where it stands.
    public var mark: SourceMark

    /// Makes a name.
    public init(_ text: String, at mark: SourceMark) {
        self.text = text
        self.mark = mark
    }

    /// Stands in the defaults of settings where a required name has not been read yet.
    public static let unread = MarkedName("", at: SourceMark(line: 1, column: 1))
}

extension SettingType where Value == MarkedName {
    /// A name that is not blank, with its place.
    public static var name: SettingType<MarkedName> {
        SettingType(shape: .nonBlankText) { node, issues in
            SettingType<String>.nonBlankText.decode(node, &issues).map { MarkedName($0, at: node.mark) }
        }
    }
}
