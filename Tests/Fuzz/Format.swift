/// What reads bytes from outside.
enum Format: String, CaseIterable {
    case resp, yaml, checkpoint, http

    /// What it is given.
    var input: any FuzzedInput.Type {
        switch self {
        case .resp: RESPInput.self
        case .yaml: YAMLInput.self
        case .checkpoint: CheckpointInput.self
        case .http: HTTPInput.self
        }
    }
}
