/// One event of libyaml's parser as a Swift value.
struct YAMLEvent: Equatable {
    /// The properties before a node: `&anchor` and `!tag`.
    struct Properties: Equatable {
        /// The name after `&`, or `nil`.
        var anchor: String?
        /// The tag with its shorthand resolved (`tag:yaml.org,2002:str`), or `nil`.
        var tag: String?
    }

    /// The kind of event.
    enum Kind: Equatable {
        /// A document begins; it may have `%TAG` directives.
        case documentStart(hasTagDirectives: Bool)
        /// A document ends.
        case documentEnd
        /// `*name`.
        case alias(String)
        /// A scalar.
        case scalar(YAMLScalar, Properties)
        /// A sequence begins.
        case sequenceStart(Properties)
        /// A mapping begins.
        case mappingStart(Properties)
        /// The innermost sequence or mapping ends.
        case collectionEnd
    }

    /// The kind of event.
    var kind: Kind
    /// Its position.
    var position: YAMLPosition
}
