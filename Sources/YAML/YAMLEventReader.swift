import CLibYAML

/// libyaml's parser over bytes that the caller keeps alive.
///
/// Owns the C parser and frees it. Not thread-safe. Must not be used after it has thrown an error.
@safe struct YAMLEventReader: ~Copyable {
    /// On the heap because libyaml keeps a pointer to the parser inside the parser: it must not move.
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    /// The document; the caller of `init` keeps it alive.
    private let input: UnsafeBufferPointer<UInt8>
    /// The position just after the last character.
    private let end: YAMLPosition

    /// Starts to parse `input`, UTF-8, which must not be empty and must outlive the reader, because libyaml keeps the
    /// pointer. `end` is the position just after the last character.
    @unsafe init(input: UnsafeBufferPointer<UInt8>, end: YAMLPosition) throws(YAMLError) {
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        unsafe parser.initialize(to: yaml_parser_t())
        guard unsafe yaml_parser_initialize(parser) == 1 else {
            unsafe parser.deallocate()
            throw YAMLError(position: YAMLPosition(line: 1, column: 1), message: "out of memory")
        }
        unsafe yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        unsafe yaml_parser_set_input_string(parser, input.baseAddress, input.count)
        unsafe self.parser = parser
        unsafe self.input = input
        self.end = end
    }

    deinit {
        unsafe yaml_parser_delete(self.parser)
        unsafe self.parser.deallocate()
    }

    /// Returns the next event, or `nil` at the end of the input.
    mutating func next() throws(YAMLError) -> YAMLEvent? {
        while true {
            var event = unsafe yaml_event_t()
            guard unsafe yaml_parser_parse(self.parser, &event) == 1 else { throw self.error() }
            // The strings below are copied before the event that owns them is freed.
            defer { unsafe yaml_event_delete(&event) }
            let type = unsafe event.type
            if type == YAML_STREAM_END_EVENT || type == YAML_NO_EVENT { return nil }
            if let kind = unsafe Self.kind(of: event) {
                return unsafe YAMLEvent(kind: kind, position: self.position(event.start_mark))
            }
        }
    }

    /// Returns the Swift value of an event, or `nil` for the start of the stream, which carries no information.
    private static func kind(of event: yaml_event_t) -> YAMLEvent.Kind? {
        switch unsafe event.type {
        case YAML_DOCUMENT_START_EVENT:
            let tags = unsafe event.data.document_start.tag_directives
            return unsafe .documentStart(hasTagDirectives: tags.start != tags.end)
        case YAML_DOCUMENT_END_EVENT:
            return .documentEnd
        case YAML_ALIAS_EVENT:
            return unsafe .alias(self.string(event.data.alias.anchor) ?? "")
        case YAML_SCALAR_EVENT:
            let scalar = unsafe event.data.scalar
            // Uses the length instead of a terminating zero: "\0" is a character that a document may contain.
            let text = unsafe String(
                decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
            return unsafe .scalar(
                YAMLScalar(text: text, isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE),
                self.properties(anchor: scalar.anchor, tag: scalar.tag))
        case YAML_SEQUENCE_START_EVENT:
            let start = unsafe event.data.sequence_start
            return unsafe .sequenceStart(self.properties(anchor: start.anchor, tag: start.tag))
        case YAML_MAPPING_START_EVENT:
            let start = unsafe event.data.mapping_start
            return unsafe .mappingStart(self.properties(anchor: start.anchor, tag: start.tag))
        case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT:
            return .collectionEnd
        default:
            return nil
        }
    }

    /// The properties before a node.
    private static func properties(
        anchor: UnsafeMutablePointer<yaml_char_t>?, tag: UnsafeMutablePointer<yaml_char_t>?
    ) -> YAMLEvent.Properties {
        unsafe YAMLEvent.Properties(anchor: self.string(anchor), tag: self.string(tag))
    }

    /// A copy of a C string.
    private static func string(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        guard let pointer = unsafe pointer else { return nil }
        return unsafe String(cString: pointer)
    }

    /// Returns the error that libyaml stopped at, with a message of our own.
    private func error() -> YAMLError {
        guard let problem = unsafe self.parser.pointee.problem else {
            // Only a failed allocation leaves no text.
            return unsafe YAMLError(position: self.position(self.parser.pointee.mark), message: "out of memory")
        }
        let index = unsafe self.parser.pointee.problem_mark.index
        let spot = unsafe YAMLText.spot(at: index, in: self.input)
        let context = unsafe self.parser.pointee.context
        return unsafe YAMLSyntaxProblem(
            problem: String(cString: problem),
            position: self.position(self.parser.pointee.problem_mark),
            context: context.map { unsafe String(cString: $0) },
            contextPosition: self.position(self.parser.pointee.context_mark),
            spot: spot
        ).error
    }

    /// Returns the position of a libyaml mark, which counts from 0.
    ///
    /// At the end of a document whose last line has no line feed, libyaml moves on to a line that does not exist.
    private func position(_ position: yaml_mark_t) -> YAMLPosition {
        let line = Int(position.line) + 1
        return line > self.end.line ? self.end : YAMLPosition(line: line, column: Int(position.column) + 1)
    }
}
