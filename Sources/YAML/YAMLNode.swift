/// A position in a document, as shown by an editor.
///
/// Lines and columns count from 1; a column counts Unicode scalars. A line ends with LF, CR LF or CR.
package struct YAMLPosition: Hashable, Sendable {
    /// The line, from 1.
    package var line: Int
    /// The column, from 1, in Unicode scalars.
    package var column: Int

    /// Creates a position from a line and a column that both count from 1.
    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }
}

/// One value of a document with its position.
package struct YAMLNode: Sendable, Equatable {
    /// The content of a node.
    package indirect enum Content: Sendable, Equatable {
        /// Text, a number, a Boolean or null: all are text until the reader interprets them.
        case scalar(YAMLScalar)
        /// A list, in the order of the document.
        case sequence([YAMLNode])
        /// Keys and values, in the order of the document; no key occurs twice.
        case mapping([YAMLPair])
    }

    /// The start of the node: its tag or anchor if it has one. For an alias, the position of the alias itself.
    package var position: YAMLPosition
    /// The content.
    package var content: Content

    /// Creates a node that begins at `position`.
    package init(position: YAMLPosition, content: Content) {
        self.position = position
        self.content = content
    }
}

/// One key of a mapping with its value.
package struct YAMLPair: Sendable, Equatable {
    /// The key; its content is always a scalar.
    package var key: YAMLNode
    /// The value.
    package var value: YAMLNode

    /// Creates a pair; `key` must hold a scalar.
    package init(key: YAMLNode, value: YAMLNode) {
        self.key = key
        self.value = value
    }
}
