import StageKit

/// The status of the response to each decision.
public struct HTTPAnswers: Sendable, Equatable {
    /// A session that may pass.
    public var allowed = 200
    /// A request without a key.
    public var missing = 401
    /// A key that the store does not hold.
    public var absent = 401
    /// A session that does not meet the condition.
    public var refused = 403
    /// A store that must not answer.
    public var stale = 503

    /// The status of a decision.
    subscript(_ decision: GatewayDecision) -> Int {
        switch decision {
        case .allowed: self.allowed
        case .missing: self.missing
        case .absent: self.absent
        case .refused: self.refused
        case .stale: self.stale
        }
    }

    /// Statuses that let a request pass. Envoy accepts only 200.
    private static let passing = SettingType<Int>.integer(200...299)
    /// Statuses that do not let a request pass at any gateway; a redirection would lack its target.
    private static let denying = SettingType<Int>.integer(400...599)

    /// The setting type.
    static let type = SettingType<HTTPAnswers>.object(
        SettingsSchema(
            HTTPAnswers(),
            [
                .optional("allowed", \.allowed, Self.passing, default: "200", "A session that may pass."),
                .optional("missing", \.missing, Self.denying, default: "401", "A request without a key."),
                .optional("absent", \.absent, Self.denying, default: "401", "A key that the store does not hold."),
                .optional(
                    "refused", \.refused, Self.denying, default: "403", "A session that does not meet the condition."),
                .optional(
                    "stale", \.stale, Self.denying, default: "503",
                    "A store that must not answer. nginx's auth_request knows only 401 and 403."),
            ]))
}
