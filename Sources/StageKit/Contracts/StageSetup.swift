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
    /// What is told of revocations; nil where nobody wants to know.
    public let revocationHandler: (any RevocationHandler)?
    /// The time of day.
    public let clock: WallClock
    /// Collects what is wrong.
    public var issues: SettingIssues

    /// The names of the stores that were asked for, each once.
    package private(set) var usedStores: [String] = []
    /// The effects that were asked for, each once.
    package private(set) var usedEffects: [String] = []

    private let names: GraphNames
    private let stores: [String: any SnapshotStore]

    package init(
        pipeline: String, stage: String, mark: SourceMark, logger: Logger, metrics: any MetricsFactory,
        revocationHandler: (any RevocationHandler)?, names: GraphNames, stores: [String: any SnapshotStore],
        clock: WallClock = .system
    ) {
        self.pipeline = pipeline
        self.stage = stage
        self.mark = mark
        self.logger = logger
        self.metrics = metrics
        self.revocationHandler = revocationHandler
        self.names = names
        self.stores = stores
        self.clock = clock
        self.issues = SettingIssues()
    }

    /// The fields that earlier stages provide, in the order they were first provided.
    public var fields: [String] { self.names.fields }

    /// A field this stage reads; it is a mistake where no earlier stage provides it.
    public func input(_ name: MarkedName) -> FieldID {
        // Behind a stage that could not be made, a field that is missing is no mistake of this one.
        if let field = self.names.field(name.text) { return field }
        if self.names.isIncomplete { return self.names.provide(name.text) }
        let hint = Nearest.hint(for: name.text, among: self.names.fields)
        self.issues.add("no earlier stage provides the field \"\(name.text)\"\(hint)", at: name.mark)
        return self.names.provide(name.text)
    }

    /// A field this stage gives a value to, for the stages after it.
    public func output(_ name: String) -> FieldID {
        self.names.provide(name)
    }

    /// A store that the file declares; it is a mistake where it does not.
    public func store(_ name: MarkedName) -> (any SnapshotStore)? {
        if let store = self.stores[name.text] {
            if !self.usedStores.contains(name.text) { self.usedStores.append(name.text) }
            return store
        }
        let hint = Nearest.hint(for: name.text, among: self.stores.keys.sorted())
        self.issues.add("no store \"\(name.text)\" is declared under stores\(hint)", at: name.mark)
        return nil
    }

    /// The number of an effect, to record on events.
    public func effect(_ name: String) -> EffectID {
        if !self.usedEffects.contains(name) { self.usedEffects.append(name) }
        return self.names.effect(name)
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
