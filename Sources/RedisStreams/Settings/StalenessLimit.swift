import StageKit

/// The maximum time since freshness was last confirmed before lookups are refused.
public enum StalenessLimit: Sendable, Equatable {
    /// The default: 30 s, or twice `read_block` and `read_margin` together if that is longer.
    case standard
    /// No limit: once filled, the stores always answer.
    case off
    /// This duration.
    case after(Duration)

    /// The spelling of `off` in the file.
    static let offWord = "off"
    /// The minimum limit.
    static let minimum = Duration.milliseconds(10)
    /// The minimum of the default: long enough for a reconnect and a failover, short enough for a revoked session.
    private static let standardMinimum = Duration.seconds(30)

    /// Returns the default for a source with these times. On an idle stream, each read confirms freshness at the end of
    /// its block. A dead connection is detected after block and margin, and a second attempt then still confirms
    /// freshness in time.
    static func standard(readBlock: Duration, readMargin: Duration) -> Duration {
        max(self.standardMinimum, (readBlock + readMargin) * 2)
    }
}

extension SettingType where Value == StalenessLimit {
    /// The setting type: a duration, or `off`.
    static var stalenessLimit: SettingType<StalenessLimit> {
        let duration = SettingType<Duration>.duration(minimum: StalenessLimit.minimum)
        return SettingType(shape: .either([.choice([StalenessLimit.offWord]), duration.shape])) { node, issues in
            if case .scalar(StalenessLimit.offWord, _) = node.content { return .off }
            return duration.decode(node, &issues).map { .after($0) }
        }
    }
}
