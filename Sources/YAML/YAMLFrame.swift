/// The size of a node with everything inside it.
struct YAMLSize {
    /// Nodes, the node itself included.
    var nodes = 0
    /// UTF-8 bytes of all scalars.
    var textBytes = 0
    /// Levels of collections: 0 for a scalar, 1 for a collection of scalars.
    var depth = 0

    /// Adds the size of a sibling or child; the caller tracks the depth. Saturates, because without limits, aliases of
    /// aliases can represent more nodes than an `Int` can count.
    mutating func add(_ other: YAMLSize) {
        self.nodes = Self.sum(self.nodes, other.nodes)
        self.textBytes = Self.sum(self.textBytes, other.textBytes)
    }

    /// The sum, or the largest `Int` if it overflows.
    private static func sum(_ left: Int, _ right: Int) -> Int {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : sum
    }
}

/// A sequence or mapping that is still open.
struct YAMLFrame {
    /// The kind of collection.
    enum Kind {
        /// A list.
        case sequence
        /// Keys and values.
        case mapping

        /// The default tag of the kind.
        var tag: String {
            switch self {
            case .sequence: "tag:yaml.org,2002:seq"
            case .mapping: "tag:yaml.org,2002:map"
            }
        }

        /// The name of the kind in messages.
        var word: String {
            switch self {
            case .sequence: "a list"
            case .mapping: "a mapping"
            }
        }
    }

    /// The kind of collection.
    let kind: Kind
    /// Its start.
    let position: YAMLPosition
    /// The name of its anchor, or `nil`.
    let anchor: String?
    /// The size of its own node and all that was added.
    private(set) var size: YAMLSize

    private var items: [YAMLNode] = []
    private var pairs: [YAMLPair] = []
    /// The key of the next value.
    private var key: YAMLNode?
    /// The position of each key's first occurrence. `String` treats canonically equivalent spellings as one key, as
    /// later lookups do.
    private var seen: [String: YAMLPosition] = [:]

    /// Creates an empty collection.
    init(kind: Kind, position: YAMLPosition, anchor: String?, size: YAMLSize) {
        self.kind = kind
        self.position = position
        self.anchor = anchor
        self.size = size
    }

    /// Whether the next node is a key of a mapping.
    var expectsKey: Bool { self.kind == .mapping && self.key == nil }

    /// The finished node.
    var node: YAMLNode {
        switch self.kind {
        case .sequence: YAMLNode(position: self.position, content: .sequence(self.items))
        case .mapping: YAMLNode(position: self.position, content: .mapping(self.pairs))
        }
    }

    /// Adds the next complete node: an item, a key or a value.
    mutating func add(_ node: YAMLNode, _ size: YAMLSize) throws(YAMLError) {
        self.size.add(size)
        self.size.depth = max(self.size.depth, size.depth + 1)
        switch self.kind {
        case .sequence:
            self.items.append(node)
        case .mapping:
            if let key = self.key {
                self.pairs.append(YAMLPair(key: key, value: node))
                self.key = nil
            } else {
                try self.check(key: node)
                self.key = node
            }
        }
    }

    /// Refuses a key that is not a scalar, is a merge key, is missing, or is a duplicate.
    private mutating func check(key: YAMLNode) throws(YAMLError) {
        guard case .scalar(let scalar) = key.content else {
            // This can only be an alias: a collection as a key is refused at its start.
            throw YAMLError(
                position: key.position,
                message: "a key must be text, found an alias to a list or mapping: write the key itself")
        }
        if scalar.isPlain && scalar.text == "<<" {
            throw YAMLError(
                position: key.position,
                message: "merge keys (\"<<\") are not supported: write the keys themselves, "
                    + "or use an alias for a whole value (key: *name)")
        }
        if scalar.isPlain && scalar.text.isEmpty {
            throw YAMLError(
                position: key.position, message: "a key is missing before \":\": write it, or \"\" for an empty one")
        }
        if let first = self.seen.updateValue(key.position, forKey: scalar.text) {
            throw YAMLError(
                position: key.position,
                message: "duplicate key \"\(YAMLText.shown(scalar.text))\" (first at \(first.line):\(first.column))")
        }
    }

    /// The error for a key that is not text; `found` describes it.
    static func keyError(_ found: String, at position: YAMLPosition) -> YAMLError {
        YAMLError(
            position: position,
            message: "a key must be text, found \(found): quote it if the brackets or braces are part of the text"
        )
    }
}
