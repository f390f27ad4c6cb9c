package import StageKit

/// Settings for sharing the entries of a stream with other workers, as one consumer of a group that the server keeps.
public struct GroupSettings: Sendable, Equatable {
    /// The group's name.
    public var name: String
    /// This worker's consumer name, or `nil` for the first of `HOST-1`, `HOST-2` and so on that no other process of
    /// this machine uses (`ConsumerLease`).
    public var consumer: String?
    /// How long an entry may stay without a heartbeat before another worker claims it.
    public var claimAfter = Duration.seconds(30)
    /// Maximum number of deliveries of an entry to the stages before it is refused.
    ///
    /// With 1, an entry that another process had is tried once more, because it may only have been read ahead.
    public var maxDeliveries = 10
    /// How long a consumer without pending entries must have sent no command before it is removed from the group, or
    /// `nil` to remove none.
    ///
    /// A day: far longer than a deployment or an outage, and short enough that a group whose workers get new names at
    /// each start does not grow without bound.
    public var removeConsumersAfter: Duration? = GroupSettings.consumerIdleLimit

    /// The default of `removeConsumersAfter`.
    private static let consumerIdleLimit = Duration.seconds(86_400)

    /// The value of `maxDeliveries` from which an entry survives two kills: a delivery counts when it is handed to the
    /// stages, and the second one after a kill is already the last with less.
    static let enoughDeliveries = 3
    /// Minimum of `claimAfter`: a heartbeat is sent four times in it, and a worker on a busy machine needs a while for
    /// each.
    static let minimumClaimAfter = Duration.milliseconds(500)

    /// Creates settings with default limits.
    public init(name: String) {
        self.name = name
    }

    private static let schema = SettingsSchema(
        GroupSettings(name: ""),
        [
            .required("name", \.name, .nonBlankText, "Name of the group; created at start if it does not exist."),
            .optional(
                "consumer", \.consumer, .optional(.nonBlankText),
                "Name of this worker in the group, the same at each start; default: the host name "
                    + "and the first number that no other worker on the host uses."),
            .optional(
                "claim_after", \.claimAfter, .duration(minimum: Self.minimumClaimAfter), default: "30s",
                "Idle time after which other workers claim an entry; the worker that has it refreshes the time."),
            .optional(
                "max_deliveries", \.maxDeliveries, .integer(1...Int.max), default: "10",
                "How often an entry is delivered to the stages without an outcome before source: on_failure handles it. With 1, "
                    + "an entry that another process had is tried once more, alone: it may only have been read ahead."),
            .optional(
                "remove_consumers_after", \.removeConsumersAfter, Self.removalType, default: "1d",
                "How long a consumer without pending entries must have been idle before it is removed from the group, or "
                    + "off; at least four times claim_after and check_interval. The own consumer is never removed."),
        ])

    /// A duration, or `off`.
    private static var removalType: SettingType<Duration?> {
        let (off, duration) = ("off", SettingType<Duration>.duration())
        return SettingType(shape: .either([.choice([off]), duration.shape])) { node, issues in
            if case .scalar(off, _) = node.content { return .some(nil) }
            return duration.decode(node, &issues).map { .some($0) }
        }
    }

    /// A name, or a mapping.
    static let type = SettingType<GroupSettings?>(
        shape: .either([.nonBlankText, .object(Self.schema.descriptions)])
    ) { node, issues in
        guard case .scalar = node.content else { return Self.schema.decode(node, &issues).map { .some($0) } }
        return SettingType<String>.nonBlankText.decode(node, &issues).map { .some(GroupSettings(name: $0)) }
    }
}

extension RedisStreamSettings {
    /// Reports settings of a group that are valid but probably not intended.
    package func warnGroup(_ node: SettingNode, _ warnings: inout SettingIssues) {
        guard let group = self.group, group.maxDeliveries < GroupSettings.enoughDeliveries else { return }
        warnings.add(
            "group: max_deliveries: \(group.maxDeliveries): an entry that is in flight when two workers are killed, for "
                + "whatever reason, is refused; \(GroupSettings.enoughDeliveries) or more leave room for a kill that the "
                + "entry did not cause", at: (node["group"]?["max_deliveries"] ?? node["group"] ?? node).position)
    }

    /// Reports settings that cannot be combined with a group, each with the reason, and applies the default of `on_gap`
    /// for groups.
    mutating func checkGroup(_ node: SettingNode, _ issues: inout SettingIssues) {
        guard self.group != nil else { return }
        func refuse(_ name: String, _ value: String, _ why: String) {
            issues.add("\(name)\(value) cannot be combined with group: \(why)", at: (node[name] ?? node).position)
        }
        if self.start == .resume {
            refuse("start", ": resume", "the server keeps the group's position; start only applies to a new group")
        }
        if self.bootstrap != .none {
            refuse(
                "bootstrap", "",
                "a group delivers each entry to one worker, so no worker could fill a store with all of them")
        }
        if self.stalenessLimit != .standard {
            refuse(
                "max_staleness", "", "a worker of a group reads part of the stream and cannot know how fresh a store is"
            )
        }
        switch self.onGap {
        case .goOn, .halt: break
        case .failClosed, .resync:
            if node["on_gap"] == nil { return self.onGap = .goOn }
            refuse(
                "on_gap", ": \(self.onGap.rawValue)",
                "no worker of a group can refill a store; use continue or halt")
        }
    }
}
