/// libyaml's report of a syntax error, and a message that helps the author of the document.
///
/// libyaml names the failed rule of its grammar; the messages here name the problem and the remedy.
struct YAMLSyntaxProblem {
    /// libyaml's `problem`.
    var problem: String
    /// The position of the error.
    var position: YAMLPosition
    /// libyaml's `context`: the construct that it was parsing.
    var context: String?
    /// The start of that construct.
    var contextPosition: YAMLPosition
    /// The text at `position`.
    var spot: YAMLText.Spot

    /// The error to throw.
    var error: YAMLError {
        if let message = Self.messagesAtStart[self.problem] ?? self.unclosedQuote {
            return YAMLError(position: self.contextPosition, message: message)
        }
        let message =
            self.characterMessage ?? self.afterValueMessage ?? self.collectionMessage
            ?? Self.messages[self.problem] ?? self.literal
        return YAMLError(position: self.position, message: message)
    }

    /// `12:3`, the position of the construct's start.
    private var start: String { "\(self.contextPosition.line):\(self.contextPosition.column)" }

    /// Problems that are best reported at the start of the construct, because libyaml detects them only lines later.
    private static let messagesAtStart = [
        "could not find expected ':'":
            "expected \":\" after the key that starts here (it must fit on one line, in 1024 characters)"
    ]

    /// The message for a quote that is open at the end of the document, reported at its start.
    private var unclosedQuote: String? {
        guard self.problem == "found unexpected end of stream" else { return nil }
        return "the quoted text that starts here has no closing quote"
    }

    /// Messages that depend on the character found.
    private var characterMessage: String? {
        switch self.problem {
        case "found character that cannot start any token":
            guard let character = self.spot.scalar else { return nil }
            if character == "\t" { return Self.tab }
            return "a value cannot start with \"\(character)\": put it in quotes"
        case "did not find expected alphabetic or numeric character":
            let sign = self.context == "while scanning an alias" ? "*" : "&"
            return "the name after \"\(sign)\" may have only letters, digits, \"-\" and \"_\": "
                + "put the value in quotes if it is text"
        case "found unexpected document indicator":
            return "found \"---\" or \"...\" inside the quoted text that starts at \(self.start): close the quote first"
        default:
            return nil
        }
    }

    /// For text after a value on its line, as in `'it's'`: libyaml then expects the next key or item.
    private var afterValueMessage: String? {
        let problems = [
            "did not find expected key", "did not find expected '-' indicator",
            "did not find expected <document start>",
        ]
        guard !self.spot.startsLine, problems.contains(self.problem) else { return nil }
        return "the value before this has already ended: check its quotes or brackets"
    }

    /// Messages that name the list or mapping in which something else was expected.
    private var collectionMessage: String? {
        switch self.problem {
        case "did not find expected key":
            "expected a key of the mapping that starts at \(self.start), or its end: check the indentation"
        case "did not find expected '-' indicator":
            "expected \"- \" for the list that starts at \(self.start), or its end: check the indentation"
        case "did not find expected ',' or ']'":
            "expected \",\" or \"]\" in the list that starts at \(self.start)"
        case "did not find expected ',' or '}'":
            "expected \",\" or \"}\" in the mapping that starts at \(self.start)"
        default:
            nil
        }
    }

    /// The message for a tab in the indentation, for which libyaml has several problems.
    private static let tab = "found a tab where indentation was expected: use spaces"

    /// Messages that depend on the problem alone.
    private static let messages = [
        "found a tab character where an indentation space is expected": tab,
        "found a tab character that violates indentation": tab,
        "mapping values are not allowed in this context":
            "found \":\" where no key is allowed: check the indentation, or quote text that contains \": \"",
        "block sequence entries are not allowed in this context":
            "a list entry (\"- \") cannot start here: put it on a line of its own and check the indentation",
        "mapping keys are not allowed in this context":
            "a key (\"? \") cannot start here: put it on a line of its own and check the indentation",
        "did not find expected node content":
            "expected a value here",
        "did not find expected <document start>":
            "the document's value has already ended: check the indentation and that \"---\" follows directives",
        "found unknown escape character":
            "unknown escape in double quotes: write \"\\\\\" for a backslash, or use single quotes",
        "did not find expected hexdecimal number":
            "expected hexadecimal digits: 2 after \"\\x\", 4 after \"\\u\", 8 after \"\\U\"",
        "found invalid Unicode character escape code":
            "this escape is not a Unicode character",
        "found unexpected ':'":
            "found \":\" inside unquoted text between brackets: put a space after it, or the text in quotes",
        "did not find expected comment or line break":
            "expected the end of the line here, or a comment after a space",
        "found an indentation indicator equal to 0":
            "the indentation after \"|\" or \">\" must be 1 to 9",
        "found undefined tag handle":
            YAMLTreeBuilder.unsupportedTag,
        "did not find expected whitespace or line break":
            "expected a space or the end of the line here",
        "found incompatible YAML document":
            "this YAML version is not supported: write %YAML 1.2, or remove the line",
        "found unknown directive name":
            "unknown directive: put text that starts with \"%\" in quotes, or remove the line",
        "Maximum nesting level reached, set with yaml_set_max_nest_level())":
            "nested too deep",
    ]

    /// libyaml's own message, for the remaining rare cases.
    private var literal: String {
        guard let context = self.context else { return self.problem }
        return "\(self.problem) \(context)"
    }
}
