/// One step of libyaml through a document, as a Swift value.
struct YAMLEvent: Equatable {
    /// The properties before a node: `&anchor` and `!tag`.
    struct Properties: Equatable {
        /// The name after `&`, if there is one.
        var anchor: String?
        /// The tag with its shorthand resolved (`tag:yaml.org,2002:str`), if there is one.
        var tag: String?
    }

    /// What happened.
    enum Kind: Equatable {
        /// A document begins; it may have brought `%TAG` lines.
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

    /// What happened.
    var kind: Kind
    /// Where.
    var mark: YAMLMark
}
