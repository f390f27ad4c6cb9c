import PipelineEngine

/// The layout of a graph's picture. Pure.
struct PictureLayout {
    /// A card with its location.
    struct Box {
        /// The part of the graph.
        var vertex: GraphDescription.Vertex
        /// Its location.
        var frame: GraphFrame
        /// Its text.
        var card: GraphCard
    }

    /// The background of a branch.
    struct Group {
        /// Its location.
        var frame: GraphFrame
        /// The branch's name.
        var title: String
        /// The kind of arrows that lead to the branch: failures, or routes if there are no failures.
        var kind: GraphDescription.Arrow.Kind
    }

    /// A line.
    struct Line {
        /// Its corners.
        var points: [GraphPoint]
        /// The kind of arrow.
        var kind: GraphDescription.Arrow.Kind
        /// Whether the line has an arrowhead; a line that joins another one has none.
        var hasHead = true
        /// The start.
        var from: GraphDescription.Vertex
        /// The end, even if the line joins another one before it.
        var to: GraphDescription.Vertex
    }

    /// The margin around the picture.
    static let margin = 24
    /// The height of the picture's title.
    static let titleHeight = 40
    /// The height of a card without small lines.
    static let cardHeight = 42
    /// Height of each small line.
    static let lineHeight = 17
    /// The distance from the cards to the edge of their group, and to the nearest vertical track.
    static let groupPadding = 20
    /// The height of a group's title.
    static let groupTitle = 22
    /// The distance between rows, not including tracks.
    static let rowGap = 22

    /// The picture's width.
    private(set) var width = 0
    /// The picture's height.
    private(set) var height = 0
    /// The top of the legend.
    private(set) var legendY = 0
    /// The cards, including stores.
    private(set) var boxes: [Box] = []
    /// The branches.
    private(set) var groups: [Group] = []
    /// The lines.
    private(set) var lines: [Line] = []
    /// The left edge of the rows' cards.
    let cardsX: Int
    /// The right edge of the widest row.
    let cardsRight: Int

    /// The position of the first track below each row.
    private var tracksY: [Int] = []

    /// Lays a graph out.
    init(_ graph: GraphDescription, widthLimit: Int = GraphRows.widthLimit, gap: Int = GraphRows.gap) {
        let rows = GraphRows(graph, widthLimit: widthLimit, gap: gap)
        let tracks = GraphTracks(graph, rows)
        let leftTracks = tracks.left.isEmpty ? 0 : tracks.left.count * GraphTracks.step + 8
        self.cardsX = Self.margin + Self.groupPadding + leftTracks
        let widths = rows.rows.map { row in
            row.vertices.reduce(0) { $0 + (rows.cards[$1]?.width ?? 0) } + (row.vertices.count - 1) * gap
        }
        self.cardsRight = self.cardsX + (widths.max() ?? 0)
        self.placeRows(graph, rows, tracks)
        self.placeStores(graph, tracks)
        self.lines = GraphLines(layout: self, rows: rows, tracks: tracks, tracksY: self.tracksY).lines(graph)
        self.width =
            (self.boxes.map(\.frame.right) + self.groups.map(\.frame.right)).max().map { $0 + Self.margin } ?? 0
        let bottom = (self.boxes.map(\.frame.bottom) + self.groups.map(\.frame.bottom)).max() ?? 0
        let lowest = max(bottom, self.lines.flatMap(\.points).map(\.y).max() ?? 0)
        self.legendY = lowest + 34
        self.height = self.legendY + Self.margin
    }

    /// The frame of a card.
    func frame(of vertex: GraphDescription.Vertex) -> GraphFrame? {
        self.boxes.first { $0.vertex == vertex }?.frame
    }

    private mutating func placeRows(_ graph: GraphDescription, _ rows: GraphRows, _ tracks: GraphTracks) {
        var y = Self.margin + Self.titleHeight
        var groupTop = 0
        for (index, row) in rows.rows.enumerated() {
            if row.branch != nil, !row.isContinued {
                groupTop = y
                y += Self.groupTitle + Self.groupPadding / 2
            }
            let lineCount = row.vertices.compactMap { rows.cards[$0]?.lines.count }.max() ?? 0
            let height = Self.cardHeight + lineCount * Self.lineHeight
            var x = self.cardsX
            for vertex in row.vertices {
                guard let card = rows.cards[vertex] else { continue }
                self.boxes.append(
                    Box(vertex: vertex, frame: GraphFrame(x: x, y: y, width: card.width, height: height), card: card))
                x += card.width + rows.gap
            }
            y += height
            if let branch = row.branch, !row.goesOn {
                y += Self.groupPadding * 3 / 4
                let frame = GraphFrame(
                    x: self.cardsX - Self.groupPadding, y: groupTop,
                    width: self.cardsRight - self.cardsX + 2 * Self.groupPadding, height: y - groupTop)
                self.groups.append(
                    Group(frame: frame, title: branch, kind: Self.kind(ofBranchAt: row.vertices.first, graph)))
            }
            self.tracksY.append(y + 16)
            let count = tracks.below[index].count + (row.goesOn ? 1 : 0)
            y += Self.rowGap + (count == 0 ? 0 : 6 + count * GraphTracks.step)
        }
    }

    /// Returns the kind of arrow that leads to a branch.
    private static func kind(
        ofBranchAt vertex: GraphDescription.Vertex?, _ graph: GraphDescription
    ) -> GraphDescription.Arrow.Kind {
        guard case .stage(let first) = vertex, let branch = graph.stages[first].branch else { return .failure }
        let stages = Set(graph.stages(in: branch).map { GraphDescription.Vertex.stage($0) })
        let arrows = graph.arrows.filter { stages.contains($0.to) && $0.kind != .next }
        return !arrows.isEmpty && arrows.allSatisfy { $0.kind == .route } ? .route : .failure
    }

    /// Stores are in a column on the right, vertically centred.
    private mutating func placeStores(_ graph: GraphDescription, _ tracks: GraphTracks) {
        let cards = graph.stores.map { store in
            GraphCard(
                title: store.name,
                lines: [.init(text: store.type, tone: .plain)]
                    + (store.keyField.isEmpty ? [] : [.init(text: "key \(store.keyField)", tone: .plain)]))
        }
        let height = Self.cardHeight + 2 * Self.lineHeight + 14
        let gap = 22
        let total = cards.count * (height + gap) - gap
        let top = self.boxes.map(\.frame.y).min() ?? 0
        let bottom = (self.boxes.map(\.frame.bottom) + self.groups.map(\.frame.bottom)).max() ?? 0
        var y = max(top, (top + bottom - total) / 2)
        let x = self.cardsRight + Self.groupPadding + 40 + tracks.right.count * GraphTracks.step
        let width = cards.map(\.width).max() ?? 0
        for (store, card) in zip(graph.stores, cards) {
            let frame = GraphFrame(x: x, y: y, width: width, height: height)
            self.boxes.append(Box(vertex: .store(store.name), frame: frame, card: card))
            y += height + gap
        }
    }
}
