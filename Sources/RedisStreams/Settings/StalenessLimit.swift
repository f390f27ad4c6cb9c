import StageKit

/// How old the last proof that the stores are up to date may be before lookups are refused.
public enum StalenessLimit: Sendable, Equatable {
    /// The default: 30 s, or twice `read_block` and `read_margin` together if that is longer.
    case standard
    /// Any age: once filled, the stores answer for ever.
    case off
    /// This long.
    case after(Duration)

    /// The spelling of `off` in the file.
    static let offWord = "off"
    /// The shortest limit.
    static let minimum = Duration.milliseconds(10)
    /// The default for short reads: long enough for a reconnect and a failover, short enough for a revoked session.
    private static let standardMinimum = Duration.seconds(30)

    /// The default for a source with these times. On an idle stream each read proves freshness when its block is over, and
    /// a dead connection is noticed after block and margin; a second attempt after that still proves it in time.
    static func standard(readBlock: Duration, readMargin: Duration) -> Duration {
        max(self.standardMinimum, (readBlock + readMargin) * 2)
    }
}

extension SettingType where Value == StalenessLimit {
    /// A duration, or `off`.
    static var stalenessLimit: SettingType<StalenessLimit> {
        let duration = SettingType<Duration>.duration(minimum: StalenessLimit.minimum)
        return SettingType(shape: .either([.choice([StalenessLimit.offWord]), duration.shape])) { node, issues in
            if case .scalar(StalenessLimit.offWord, _) = node.content { return .off }
            return duration.decode(node, &issues).map { .after($0) }
        }
    }
}
