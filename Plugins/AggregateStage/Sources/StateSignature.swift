/// The settings that determine the meaning of a saved state, as text: a line for each of the settings below, then a line
/// for each value.
enum StateSignature {
    /// The settings of the first lines.
    private static let names = ["window", "lateness", "key", "time"]

    /// Returns the text of settings: those of `names` in their order, and the values.
    static func text(window: Int64, lateness: Int64, key: String, time: String, values: [String]) -> String {
        (["\(window)", "\(lateness)", key, time] + values).joined(separator: "\n")
    }

    /// Returns the names of the settings that differ, separated by commas.
    static func changes(from old: String, to new: String) -> String {
        let lines = [old, new].map { $0.split(separator: "\n", omittingEmptySubsequences: false) }
        guard lines.allSatisfy({ $0.count >= self.names.count }) else { return "all" }
        var changed = self.names.indices.filter { lines[0][$0] != lines[1][$0] }.map { self.names[$0] }
        if lines[0].dropFirst(self.names.count) != lines[1].dropFirst(self.names.count) { changed.append("values") }
        return changed.joined(separator: ", ")
    }
}
