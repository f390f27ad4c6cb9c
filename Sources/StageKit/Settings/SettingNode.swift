/// A position in a configuration file, counted from 1.
public struct SettingPosition: Hashable, Sendable, Comparable {
    /// The line, starting at 1.
    public var line: Int
    /// The column in characters, starting at 1.
    public var column: Int

    /// Creates a position.
    public init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    /// Orders positions as they appear in the file.
    public static func < (left: SettingPosition, right: SettingPosition) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}

/// A value of the configuration file with its position. Environment variables have been substituted.
public struct SettingNode: Sendable, Equatable {
    /// The content of a value.
    public indirect enum Content: Sendable, Equatable {
        /// An empty value or `null`.
        case null
        /// Text; `isPlain` if it was written without quotes, so that it can be read as a number or a boolean.
        case scalar(String, isPlain: Bool)
        /// A list.
        case sequence([SettingNode])
        /// Names with values, in the order of the file; names are unique.
        case mapping([Pair])
    }

    /// A name with its value.
    public struct Pair: Sendable, Equatable {
        /// The name.
        public var key: String
        /// The position of the name.
        public var position: SettingPosition
        /// The value.
        public var value: SettingNode

        /// Creates a pair.
        public init(key: String, position: SettingPosition, value: SettingNode) {
            self.key = key
            self.position = position
            self.value = value
        }
    }

    /// The content.
    public var content: Content
    /// The position.
    public var position: SettingPosition
    /// The positions of the parts of a text in the file, in order; empty if they are not known.
    public var parts: [Part] = []

    /// A part of a text that the file contains as it is, on one line.
    public struct Part: Sendable, Equatable {
        /// The offset of the part in the text, in bytes.
        public var offset: Int
        /// The position of the part in the file.
        public var position: SettingPosition

        /// Creates a part.
        public init(offset: Int, position: SettingPosition) {
            self.offset = offset
            self.position = position
        }
    }

    /// Creates a node.
    public init(_ content: Content, at position: SettingPosition) {
        self.content = content
        self.position = position
    }

    /// The pairs of a mapping, or `nil` for any other content.
    public var pairs: [Pair]? {
        if case .mapping(let pairs) = self.content { pairs } else { nil }
    }

    /// Returns the value under a name of a mapping, or `nil` if there is none.
    public subscript(key: String) -> SettingNode? {
        self.pairs?.first { $0.key == key }?.value
    }

    /// The value as shown in messages: the text in quotes, or the kind of value.
    var shown: String {
        if case .scalar(let text, _) = self.content { return "\"\(text)\"" }
        return self.kindName
    }

    /// The kind of the value, for messages: `text`, `a list`.
    public var kindName: String {
        switch self.content {
        case .null: "nothing"
        case .scalar: "text"
        case .sequence: "a list"
        case .mapping: "a mapping"
        }
    }
}

/// An error in a configuration, with the position to correct.
public struct SettingIssue: Error, Sendable, Hashable {
    /// The position.
    public var position: SettingPosition
    /// The problem and its remedy: `decode: unknown type "int46" (did you mean int64?)`.
    public var message: String
    /// The part of the message that names the setting, such as `decode: fields`; empty if there is none.
    public var context: String

    /// Creates an issue; the message begins with the context, if there is one.
    public init(_ message: String, at position: SettingPosition, context: String = "") {
        self.position = position
        self.message = message
        self.context = context
    }
}

/// Collects errors, so that all of them are reported together.
public struct SettingIssues: Sendable {
    /// The issues, in the order found.
    public private(set) var all: [SettingIssue] = []
    /// The stage or section being read, which precedes every message.
    public var context: String

    /// Creates an empty collection.
    public init(context: String = "") {
        self.context = context
    }

    /// Adds an error; the context precedes the message.
    public mutating func add(_ message: String, at position: SettingPosition) {
        let text = self.context.isEmpty ? message : "\(self.context): \(message)"
        self.all.append(SettingIssue(text, at: position, context: self.context))
    }

    /// Runs `body` under another context.
    public mutating func within<R>(_ context: String, _ body: (inout SettingIssues) throws -> R) rethrows -> R {
        let outer = self.context
        self.context = context
        defer { self.context = outer }
        return try body(&self)
    }

    /// Adds errors that were found elsewhere, unchanged.
    public mutating func append(_ issues: [SettingIssue]) {
        self.all += issues
    }
}
