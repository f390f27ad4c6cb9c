/// A table of text: the first `leading` columns to the left, numbers to the right.
struct TextTable {
    private let header: [String]
    private let leading: Int
    private var rows: [[String]] = []

    /// Makes a table without rows.
    init(header: [String], leading: Int) {
        self.header = header
        self.leading = leading
    }

    /// Adds a row; cells beyond the header are left out, missing ones are empty.
    mutating func add(_ cells: [String]) {
        let missing = Swift.max(0, self.header.count - cells.count)
        self.rows.append(Array(cells.prefix(self.header.count)) + Array(repeating: "", count: missing))
    }

    /// The lines, two spaces between columns, nothing behind the last one.
    var text: String {
        let all = [self.header] + self.rows
        let widths = self.header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                line += (column == 0 ? "" : "  ") + (column < self.leading ? cell + padding : padding + cell)
            }
            while line.last == " " { line.removeLast() }
            return line
        }.joined(separator: "\n")
    }
}
