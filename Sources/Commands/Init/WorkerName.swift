/// The name of a user's package, and the names derived from it.
struct WorkerName {
    /// Maximum length of a name: it is used in paths and in module names.
    static let lengthLimit = 50

    /// The name of the package and of the executable: `my-worker`.
    let text: String

    /// Checks a name; throws the problem with it.
    init(_ text: String) throws(InitFailure) {
        let isPlain = text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
        guard isPlain, text.first?.isLetter == true, text.last != "-" else {
            throw InitFailure(
                "\"\(text)\" is not a valid name: use letters, digits, - and _, beginning with a letter, such as "
                    + "my-worker"
            )
        }
        guard text.count <= Self.lengthLimit else {
            throw InitFailure(
                "the name has \(text.count) characters: the maximum is \(Self.lengthLimit)")
        }
        let isTaken = Self.taken.contains(text.lowercased()) || text.lowercased().hasSuffix(Self.takenEnding)
        guard !isTaken else {
            throw InitFailure("\"\(text)\" is reserved: choose another name, such as my-\(text)")
        }
        self.text = text
    }

    /// Module names that the package's dependencies, the language or the build already use.
    private static let taken: Set = [
        "sluice", "worker", "stagekit", "stagetestkit", "pipelineengine", "snapshotstores", "redisstreams", "admin",
        "yaml", "resp", "json", "cel", "gateway", "httpbase", "csqlite", "sqlitestore", "filesource", "localfiles",
        "pluginloading", "fingerprint", "commands", "commandsupport",
        "componentkit", "deadletters", "documentation", "operations", "pipelinechecks", "pipelinetesting", "swift",
        "foundation", "testing", "main", "sources", "tests",
        "logging", "metrics", "coremetrics", "tracing", "instrumentation", "servicelifecycle", "unixsignals",
        "argumentparser", "hummingbird", "asynchttpclient", "niocore", "nioposix", "niossl", "collections",
    ]

    /// The ending of the module names of the standard stage types.
    private static let takenEnding = "stage"

    /// The library target with the types: `MyWorkerStages`.
    func module(_ kind: PackageKind) -> String {
        self.text.split { $0 == "-" || $0 == "_" }.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
            + kind.moduleEnding
    }

    /// The pipeline's name, which is a label of metrics: `my_worker`.
    var pipeline: String { self.text.map { $0 == "-" ? "_" : String($0).lowercased() }.joined() }
}

/// The package was not written.
struct InitFailure: Error, CustomStringConvertible {
    /// The problem and its remedy.
    var description: String

    /// Creates a failure.
    init(_ description: String) {
        self.description = description
    }
}
