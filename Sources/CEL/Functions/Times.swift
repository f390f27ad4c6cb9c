/// The functions that return parts of timestamps and durations.
enum Times {
    /// Returns a part of a timestamp in a time zone (UTC if it is `nil`) or of a duration.
    static func apply(
        _ function: Function, _ value: Value, _ zone: String?, _ lookup: ExpressionEnvironment.TimeZoneLookup?
    ) throws(EvaluationError) -> Value {
        switch value {
        case .duration(let duration) where zone == nil:
            let parts = duration.truncated
            switch function {
            case .getHours: return .int(parts.seconds / 3600)
            case .getMinutes: return .int(parts.seconds / 60)
            case .getSeconds: return .int(parts.seconds)
            case .getMilliseconds: return .int(parts.nanoseconds / 1_000_000)
            default: throw .noOverload(function, [value])
            }
        case .timestamp(let timestamp):
            let offset = try zone.map { (zone) throws(EvaluationError) in
                try Self.offset(zone, timestamp.seconds, lookup)
            }
            let date = CivilDate(timestamp, offset: offset ?? 0)
            switch function {
            case .getFullYear: return .int(Int64(date.year))
            case .getMonth: return .int(Int64(date.month - 1))
            case .getDate: return .int(Int64(date.day))
            case .getDayOfMonth: return .int(Int64(date.day - 1))
            case .getDayOfWeek: return .int(Int64(date.weekday))
            case .getDayOfYear: return .int(Int64(date.dayOfYear))
            case .getHours: return .int(Int64(date.hour))
            case .getMinutes: return .int(Int64(date.minute))
            case .getSeconds: return .int(Int64(date.second))
            case .getMilliseconds: return .int(Int64(timestamp.nanoseconds / 1_000_000))
            default: break
            }
        default: break
        }
        throw .noOverload(function, zone.map { [value, .string($0)] } ?? [value])
    }

    /// The offset of a time zone: a name, or hours and minutes such as `-02:30`, with or without a sign.
    private static func offset(
        _ zone: String, _ seconds: Int64, _ lookup: ExpressionEnvironment.TimeZoneLookup?
    ) throws(EvaluationError) -> Int {
        if zone.isEmpty || ["UTC", "GMT", "Z"].contains(zone) { return 0 }
        var reader = DigitReader(zone)
        let isNegative = reader.take("-")
        if !isNegative { _ = reader.take("+") }
        if let hours = reader.number(2), reader.take(":"), let minutes = reader.number(2), reader.isAtEnd, hours < 24,
            minutes < 60
        {
            return (hours * 3600 + minutes * 60) * (isNegative ? -1 : 1)
        }
        guard let offset = lookup?(zone, seconds), Swift.abs(offset) < 86_400 else {
            throw EvaluationError("unknown time zone \(Texts.shown(.string(zone)))")
        }
        return offset
    }
}
