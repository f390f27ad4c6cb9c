import PipelineEngine

/// The cards of a graph in rows: each list of stages starts a new row and continues in the next one if it is too long.
struct GraphRows {
    /// Cards side by side.
    struct Row {
        /// The branch that the row belongs to, or `nil` for the main stages.
        var branch: String?
        /// The cards from left to right.
        var vertices: [GraphDescription.Vertex]
        /// Whether the list continues in the next row.
        var goesOn = false
        /// Whether the list began in an earlier row.
        var isContinued = false
    }

    /// Maximum width of a row in pixels, so that a page does not shrink the text too much.
    static let widthLimit = 900
    /// Distance between two cards of a row without text between them.
    static let gap = 34

    /// The distance between two cards of a row.
    let gap: Int

    /// The rows from top to bottom.
    let rows: [Row]
    /// The cards' texts.
    let cards: [GraphDescription.Vertex: GraphCard]

    /// Arranges a graph's cards in rows; a row is no wider than `widthLimit` unless it has a single card.
    init(_ graph: GraphDescription, widthLimit: Int = Self.widthLimit, gap: Int = Self.gap) {
        var cards: [GraphDescription.Vertex: GraphCard] = [
            .source: GraphCard(title: graph.source.type, lines: [.init(text: graph.source.stream, tone: .plain)])
        ]
        for index in graph.stages.indices { cards[.stage(index)] = GraphCard(graph, stage: index) }
        var rows: [Row] = []
        for branch in [nil] + graph.branches.map(Optional.some) {
            let stages = graph.stages(in: branch).map { GraphDescription.Vertex.stage($0) }
            let vertices = branch == nil ? [.source] + stages : stages
            rows += Self.rows(of: vertices, branch, cards, widthLimit, gap)
        }
        self.gap = gap
        self.rows = rows
        self.cards = cards
    }

    private static func rows(
        of vertices: [GraphDescription.Vertex], _ branch: String?, _ cards: [GraphDescription.Vertex: GraphCard],
        _ widthLimit: Int, _ gap: Int
    ) -> [Row] {
        var rows = [Row(branch: branch, vertices: [])]
        var width = 0
        for vertex in vertices {
            let own = cards[vertex]?.width ?? 0
            if !rows[rows.count - 1].vertices.isEmpty, width + gap + own > widthLimit {
                rows[rows.count - 1].goesOn = true
                rows.append(Row(branch: branch, vertices: [], isContinued: true))
                width = 0
            }
            width += own + (rows[rows.count - 1].vertices.isEmpty ? 0 : gap)
            rows[rows.count - 1].vertices.append(vertex)
        }
        return rows
    }
}
