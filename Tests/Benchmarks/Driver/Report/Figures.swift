/// Numbers as people read them.
enum Figures {
    /// About three significant digits, thousands apart: `1,234,567`, `45.6`, `0.123`.
    static func text(_ value: Double) -> String {
        let size = abs(value)
        if !value.isFinite { return "-" }
        if size >= 100 { return Self.grouped(Int(value.rounded())) }
        let digits = size >= 10 ? 1 : size >= 1 ? 2 : 3
        return Self.fixed(value, digits: digits)
    }

    /// So many digits behind the point.
    static func fixed(_ value: Double, digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = Int((abs(value) * scale).rounded())
        let sign = value < 0 && scaled > 0 ? "-" : ""
        if digits == 0 { return "\(sign)\(scaled)" }
        let fraction = String(scaled % Int(scale))
        let padding = String(repeating: "0", count: digits - fraction.count)
        return "\(sign)\(scaled / Int(scale)).\(padding)\(fraction)"
    }

    private static func grouped(_ value: Int) -> String {
        var text = ""
        for (offset, digit) in String(abs(value)).reversed().enumerated() {
            if offset > 0, offset % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return (value < 0 ? "-" : "") + String(text.reversed())
    }
}
