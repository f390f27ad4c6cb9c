public import StageKit

/// A checked graph as a value: its parts and arrows.
///
/// Pictures, the dashboard and tests are made from it. It contains no values of settings except names and conditions.
public struct GraphDescription: Sendable, Equatable {
    /// The source of events.
    public struct Source: Sendable, Equatable {
        /// The source's type.
        public var type: String
        /// The stream's name.
        public var stream: String

        /// Creates a source.
        public init(type: String, stream: String) {
            self.type = type
            self.stream = stream
        }
    }

    /// A store that the file declares.
    public struct Store: Sendable, Equatable {
        /// The store's name in the file.
        public var name: String
        /// The store's type.
        public var type: String
        /// The field whose value is a snapshot's key.
        public var keyField: String

        /// Creates a store.
        public init(name: String, type: String, keyField: String) {
            self.name = name
            self.type = type
            self.keyField = keyField
        }
    }

    /// A stage in the graph.
    public struct Stage: Sendable, Equatable {
        /// The unique name of the stage in the graph.
        public var name: String
        /// The stage's type.
        public var type: String
        /// The branch of the stage, or `nil` on the main path.
        public var branch: String?
        /// The condition for entering the stage, as in the file, or `nil` if there is none.
        public var condition: String?
        /// The stage's possible effects, by their names in journals.
        public var effects: [String]
        /// Whether it only reads and sets the event's own values.
        public var isPure: Bool
        /// Whether events may wait in it for the network.
        public var waits: Bool

        /// Creates a stage.
        public init(
            name: String, type: String, branch: String? = nil, condition: String? = nil, effects: [String] = [],
            isPure: Bool = false, waits: Bool = false
        ) {
            self.name = name
            self.type = type
            self.branch = branch
            self.condition = condition
            self.effects = effects
            self.isPure = isPure
            self.waits = waits
        }
    }

    /// An end of an arrow.
    public enum Vertex: Sendable, Hashable {
        /// The source.
        case source
        /// A stage, by its index in `stages`.
        case stage(Int)
        /// A store, by its name.
        case store(String)
        /// The end of an event's path, with a label: `drop`.
        case end(String)
    }

    /// An arrow from one part to another.
    public struct Arrow: Sendable, Hashable {
        /// The kind of an arrow.
        public enum Kind: String, Sendable, Hashable, CaseIterable {
            /// Events that continue.
            case next
            /// Events on which the stage failed.
            case failure
            /// Events of one case of a route.
            case route
            /// Snapshots that the stage changes in a store.
            case store
        }

        /// The start of the arrow.
        public var from: Vertex
        /// The end of the arrow.
        public var to: Vertex
        /// The kind of the arrow.
        public var kind: Kind
        /// A label, or `nil` if the kind is sufficient.
        public var label: String?

        /// Creates an arrow.
        public init(_ from: Vertex, _ to: Vertex, _ kind: Kind, label: String? = nil) {
            self.from = from
            self.to = to
            self.kind = kind
            self.label = label
        }
    }

    /// The pipeline's name.
    public var pipeline: String
    /// The source of events.
    public var source: Source
    /// The stores, in the order of the file.
    public var stores: [Store]
    /// The main stages in order, then those of each branch.
    public var stages: [Stage]
    /// All arrows, in the order of the stages at which they begin.
    public var arrows: [Arrow]
    /// The fields whose values must not be shown.
    public var secretFields: Set<String>
    /// The types of the fields that are neither text nor int64, by name.
    public var fieldTypes: [String: FieldType]

    /// Creates a description.
    public init(
        pipeline: String, source: Source, stores: [Store], stages: [Stage], arrows: [Arrow],
        secretFields: Set<String> = [], fieldTypes: [String: FieldType] = [:]
    ) {
        self.pipeline = pipeline
        self.source = source
        self.stores = stores
        self.stages = stages
        self.arrows = arrows
        self.secretFields = secretFields
        self.fieldTypes = fieldTypes
    }

    /// The branches in the order of the file.
    public var branches: [String] {
        var seen: Set<String> = []
        return self.stages.compactMap(\.branch).filter { seen.insert($0).inserted }
    }

    /// Returns the indices of the stages of a branch, or of the main path for `nil`.
    public func stages(in branch: String?) -> [Int] {
        self.stages.indices.filter { self.stages[$0].branch == branch }
    }

    /// Returns the arrows of a kind that begin at a stage.
    public func arrows(from stage: Int, _ kind: Arrow.Kind) -> [Arrow] {
        self.arrows.filter { $0.from == .stage(stage) && $0.kind == kind }
    }
}
