/// Builds the tree from events, with a stack of open collections and a table of anchors, without recursion or I/O.
///
/// Enforces every limit of the tree. Must not be used after it has thrown an error.
struct YAMLTreeBuilder {
    /// The tree, or `nil` until the document has been read and if the document is empty.
    private(set) var root: YAMLNode?

    /// The message for an unsupported tag.
    static let unsupportedTag =
        "tags are not supported, except !!str, !!seq and !!map: remove the tag, or quote the value if it is text"

    private let limits: YAMLLimits
    /// The open collections, outermost first; never more than `limits.depth`.
    private var open: [YAMLFrame] = []
    /// The latest node of each anchor's name; at most one for each node.
    private var anchors: [String: Anchor] = [:]
    /// The size of the document so far, with every alias counted as its copy.
    private var total = YAMLSize()
    private var aliases = 0
    private var documents = 0

    /// A node that an alias can refer to.
    private enum Anchor {
        /// Begun at the position but incomplete: an alias to it would contain itself.
        case open(YAMLPosition)
        /// Complete, with the size of its copy.
        case complete(YAMLNode, YAMLSize)
    }

    /// Creates a builder with an empty tree.
    init(limits: YAMLLimits) {
        self.limits = limits
    }

    /// Adds the next event in the order of the document.
    mutating func take(_ event: YAMLEvent) throws(YAMLError) {
        switch event.kind {
        case .documentStart(let hasTagDirectives):
            try self.startDocument(hasTagDirectives: hasTagDirectives, at: event.position)
        case .documentEnd:
            break
        case .alias(let name):
            try self.expand(name, at: event.position)
        case .scalar(let scalar, let properties):
            try self.add(scalar, properties, at: event.position)
        case .sequenceStart(let properties):
            try self.begin(.sequence, properties, at: event.position)
        case .mappingStart(let properties):
            try self.begin(.mapping, properties, at: event.position)
        case .collectionEnd:
            try self.end()
        }
    }

    /// Only one document per file: a second one would otherwise be silently ignored.
    private mutating func startDocument(hasTagDirectives: Bool, at position: YAMLPosition) throws(YAMLError) {
        self.documents += 1
        if self.documents > 1 {
            throw YAMLError(
                position: position, message: "a second document starts here: keep one document in a file")
        }
        if hasTagDirectives {
            throw YAMLError(position: position, message: "%TAG is not supported: remove the line")
        }
    }

    /// Adds a scalar as a leaf.
    private mutating func add(
        _ scalar: YAMLScalar, _ properties: YAMLEvent.Properties, at position: YAMLPosition
    ) throws(YAMLError) {
        let bytes = scalar.text.utf8.count
        guard bytes <= self.limits.scalarBytes else {
            throw YAMLError(
                position: position, message: "this value has \(bytes) bytes, the limit is \(self.limits.scalarBytes)")
        }
        var scalar = scalar
        switch properties.tag {
        case nil: break
        case "tag:yaml.org,2002:str": scalar.isPlain = false
        default: throw YAMLError(position: position, message: Self.unsupportedTag)
        }
        let isRoot = self.open.isEmpty
        if isRoot && scalar.isPlain && scalar.text.isEmpty { return }

        let size = YAMLSize(nodes: 1, textBytes: bytes, depth: 0)
        try self.count(size, at: position)
        let node = YAMLNode(position: position, content: .scalar(scalar))
        if let anchor = properties.anchor { self.anchors[anchor] = .complete(node, size) }
        try self.attach(node, size)
    }

    /// Opens a sequence or a mapping.
    private mutating func begin(
        _ kind: YAMLFrame.Kind, _ properties: YAMLEvent.Properties, at position: YAMLPosition
    ) throws(YAMLError) {
        guard properties.tag == nil || properties.tag == kind.tag else {
            throw YAMLError(position: position, message: Self.unsupportedTag)
        }
        if self.open.last?.expectsKey == true {
            throw YAMLFrame.keyError(kind.word, at: position)
        }
        guard self.open.count < self.limits.depth else { throw self.depthError(at: position) }
        let size = YAMLSize(nodes: 1, textBytes: 0, depth: 1)
        try self.count(size, at: position)
        if let anchor = properties.anchor { self.anchors[anchor] = .open(position) }
        self.open.append(YAMLFrame(kind: kind, position: position, anchor: properties.anchor, size: size))
    }

    /// Closes the innermost collection.
    private mutating func end() throws(YAMLError) {
        guard let frame = self.open.popLast() else { return }
        let node = frame.node
        // An inner node may have reused the name; an alias then refers to the anchor that came last.
        if let anchor = frame.anchor, case .open(frame.position)? = self.anchors[anchor] {
            self.anchors[anchor] = .complete(node, frame.size)
        }
        try self.attach(node, frame.size)
    }

    /// Adds a copy of an anchored node.
    private mutating func expand(_ name: String, at position: YAMLPosition) throws(YAMLError) {
        switch self.anchors[name] {
        case nil:
            throw YAMLError(
                position: position,
                message:
                    "no anchor \"&\(YAMLText.shown(name))\" before this alias: define it first, or quote the value "
                    + "if it is text"
            )
        case .open(let start):
            throw YAMLError(
                position: position,
                message: "the alias \"*\(YAMLText.shown(name))\" is inside the value it stands for "
                    + "(from \(start.line):\(start.column)): write the value itself")
        case .complete(var node, let size):
            self.aliases += 1
            guard self.aliases <= self.limits.aliases else {
                throw YAMLError(
                    position: position, message: "more than \(self.limits.aliases) aliases: write the values themselves"
                )
            }
            guard self.open.count + size.depth <= self.limits.depth else { throw self.depthError(at: position) }
            try self.count(size, at: position)
            node.position = position
            try self.attach(node, size)
        }
    }

    /// Adds a complete node to its collection, or makes it the root.
    private mutating func attach(_ node: YAMLNode, _ size: YAMLSize) throws(YAMLError) {
        guard !self.open.isEmpty else {
            self.root = node
            return
        }
        try self.open[self.open.count - 1].add(node, size)
    }

    /// Counts a node, or the copy that an alias represents, before it is added.
    private mutating func count(_ size: YAMLSize, at position: YAMLPosition) throws(YAMLError) {
        self.total.add(size)
        if self.total.nodes > self.limits.nodes {
            throw YAMLError(
                position: position, message: "more than \(self.limits.nodes) values, including those behind aliases")
        }
        if self.total.textBytes > self.limits.textBytes {
            throw YAMLError(
                position: position,
                message: "more than \(self.limits.textBytes) bytes of text, including that behind aliases")
        }
    }

    private func depthError(at position: YAMLPosition) -> YAMLError {
        YAMLError(position: position, message: "nested deeper than \(self.limits.depth) levels")
    }
}
