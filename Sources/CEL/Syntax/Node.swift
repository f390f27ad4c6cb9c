/// A node of the syntax tree.
struct Node {
    /// A node's meaning.
    indirect enum Kind {
        case literal(Value)
        /// A name; `isRoot` if it was written with a leading dot.
        case name(String, isRoot: Bool)
        /// A field of a value: `operand.field`, `operand.?field`, or `has(operand.field)`.
        case select(Node, field: String, Access)
        /// An element of a value: `operand[key]` or `operand[?key]`.
        case index(Node, Node, isOptional: Bool)
        /// A function; the target of a receiver-style call is apart from the arguments.
        case call(String, target: Node?, [Node])
        case list([Element])
        case map([Pair])
        /// `&&` or `||` of two or more operands.
        case logic(isAnd: Bool, [Node])
        case conditional(Node, Node, Node)
        case comprehension(Comprehension)
        /// `cel.bind(name, value, body)`.
        case bind(String, Node, Node)
        /// `value.optMap(name, body)` or `value.optFlatMap(name, body)`.
        case optionalMap(Node, String, Node, isFlat: Bool)
        /// `has(name)`.
        case hasName(String)
    }

    /// The form of a field access.
    enum Access {
        case plain, optional, test
    }

    /// An element of a list literal.
    struct Element {
        /// The value.
        var value: Node
        /// Whether the value is an optional that is left out if it is empty.
        var isOptional: Bool
    }

    /// A key and a value of a map literal.
    struct Pair {
        /// The key.
        var key: Node
        /// The value.
        var value: Node
        /// Whether the value is an optional, and the pair is left out if it is empty.
        var isOptional: Bool
    }

    /// A macro that evaluates an expression for every element of a list or map.
    struct Comprehension {
        /// The macro.
        var kind: ComprehensionKind
        /// The list or map.
        var range: Node
        /// The variables: one or two.
        var variables: [String]
        /// The condition: the predicate of `all`, `exists`, `filter`, or the filter of a transformation.
        var condition: Node?
        /// The transformation.
        var transform: Node?
    }

    /// The meaning.
    var kind: Kind
    /// The offset that messages about the node name: of an operator, a field or a function, not of its operands.
    var offset: Int
    /// The height of the tree below and including this node.
    var height: Int
}

/// The kinds of comprehension macros.
enum ComprehensionKind: UInt8 {
    case all, exists, existsOne, filter, map, transformMap, transformMapEntry
}
