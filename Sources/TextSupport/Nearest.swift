/// Finds the name that was most likely intended.
public enum Nearest {
    /// The maximum length of compared names, because the work grows with the product of the lengths.
    static let lengthLimit = 64

    /// Returns the candidate nearest to `name`, or `nil` if none is near: at most a third of the letters may differ.
    public static func name(to name: String, among candidates: some Sequence<String>) -> String? {
        guard name.count <= self.lengthLimit else { return nil }
        let allowed = Swift.max(1, name.count / 3)
        var best: (name: String, distance: Int)?
        for candidate in candidates where candidate.count <= self.lengthLimit {
            let distance = self.distance(Array(name.lowercased()), Array(candidate.lowercased()))
            if distance <= allowed, distance < best?.distance ?? Int.max { best = (candidate, distance) }
        }
        return best?.name
    }

    /// Returns ` (did you mean x?)` if a candidate is near, otherwise ` (one of a, b, c)`, or an empty text without
    /// candidates.
    public static func hint(for name: String, among candidates: some Collection<String>) -> String {
        if let near = self.name(to: name, among: candidates) { return " (did you mean \(near)?)" }
        return candidates.isEmpty ? "" : " (one of \(candidates.joined(separator: ", ")))"
    }

    /// Returns the edit distance, with a transposition counted as one edit (optimal string alignment).
    static func distance(_ left: [Character], _ right: [Character]) -> Int {
        if left.isEmpty || right.isEmpty { return left.count + right.count }
        var before: [Int] = []
        var previous = Array(0...right.count)
        for row in 1...left.count {
            var current = [row]
            for column in 1...right.count {
                let cost = left[row - 1] == right[column - 1] ? 0 : 1
                var value = Swift.min(previous[column] + 1, current[column - 1] + 1, previous[column - 1] + cost)
                if row > 1, column > 1, left[row - 1] == right[column - 2], left[row - 2] == right[column - 1] {
                    value = Swift.min(value, before[column - 2] + 1)
                }
                current.append(value)
            }
            before = previous
            previous = current
        }
        return previous[right.count]
    }
}
