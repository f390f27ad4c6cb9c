import PipelineEngine

/// Where everything of a graph's picture lies. Values in, values out.
struct GraphLayout {
    /// A card with its place.
    struct Box {
        /// What it stands for.
        var place: GraphDescription.Place
        /// Where it lies.
        var frame: GraphFrame
        /// What it says.
        var card: GraphCard
    }

    /// The background of a branch.
    struct Group {
        /// Where it lies.
        var frame: GraphFrame
        /// The branch's name.
        var title: String
        /// What leads to it: failures, or routes alone.
        var kind: GraphDescription.Arrow.Kind
    }

    /// A line.
    struct Line {
        /// Its corners.
        var points: [GraphPoint]
        /// What takes it.
        var kind: GraphDescription.Arrow.Kind
        /// Whether it has a head at its end; one that joins another line has none.
        var hasHead = true
        /// Where it begins.
        var from: GraphDescription.Place
        /// Where it leads, if it does not join another line before.
        var to: GraphDescription.Place
    }

    /// Around everything.
    static let margin = 24
    /// The height of the title above everything.
    static let titleHeight = 40
    /// From a card's upper edge to its lower one, without small lines.
    static let cardHeight = 42
    /// What each small line adds.
    static let lineHeight = 17
    /// From the cards to the edge of their group, and to the first lane beside them.
    static let groupPadding = 20
    /// The height of a group's title.
    static let groupTitle = 22
    /// Between rows, before what lanes add.
    static let rowGap = 22

    /// The picture's size.
    private(set) var width = 0
    /// The picture's size.
    private(set) var height = 0
    /// Where the legend begins.
    private(set) var legendY = 0
    /// The cards, stores among them.
    private(set) var boxes: [Box] = []
    /// The branches.
    private(set) var groups: [Group] = []
    /// The lines.
    private(set) var lines: [Line] = []
    /// Where the cards of rows begin.
    let cardsX: Int
    /// Where the widest row ends.
    let cardsRight: Int

    /// Below each row, where its first lane lies.
    private var lanesY: [Int] = []

    /// Lays a graph out.
    init(_ graph: GraphDescription, widthLimit: Int = GraphRows.widthLimit, gap: Int = GraphRows.gap) {
        let rows = GraphRows(graph, widthLimit: widthLimit, gap: gap)
        let tracks = GraphTracks(graph, rows)
        let leftLanes = tracks.left.isEmpty ? 0 : tracks.left.count * GraphTracks.step + 8
        self.cardsX = Self.margin + Self.groupPadding + leftLanes
        let widths = rows.rows.map { row in
            row.places.reduce(0) { $0 + (rows.cards[$1]?.width ?? 0) } + (row.places.count - 1) * gap
        }
        self.cardsRight = self.cardsX + (widths.max() ?? 0)
        self.placeRows(graph, rows, tracks)
        self.placeStores(graph, tracks)
        self.lines = GraphLines(layout: self, rows: rows, tracks: tracks, lanesY: self.lanesY).lines(graph)
        self.width =
            (self.boxes.map(\.frame.right) + self.groups.map(\.frame.right)).max().map { $0 + Self.margin } ?? 0
        let bottom = (self.boxes.map(\.frame.bottom) + self.groups.map(\.frame.bottom)).max() ?? 0
        let lowest = max(bottom, self.lines.flatMap(\.points).map(\.y).max() ?? 0)
        self.legendY = lowest + 34
        self.height = self.legendY + Self.margin
    }

    /// The frame of a card.
    func frame(of place: GraphDescription.Place) -> GraphFrame? {
        self.boxes.first { $0.place == place }?.frame
    }

    private mutating func placeRows(_ graph: GraphDescription, _ rows: GraphRows, _ tracks: GraphTracks) {
        var y = Self.margin + Self.titleHeight
        var groupTop = 0
        for (index, row) in rows.rows.enumerated() {
            if row.branch != nil, !row.isContinued {
                groupTop = y
                y += Self.groupTitle + Self.groupPadding / 2
            }
            let lineCount = row.places.compactMap { rows.cards[$0]?.lines.count }.max() ?? 0
            let height = Self.cardHeight + lineCount * Self.lineHeight
            var x = self.cardsX
            for place in row.places {
                guard let card = rows.cards[place] else { continue }
                self.boxes.append(
                    Box(place: place, frame: GraphFrame(x: x, y: y, width: card.width, height: height), card: card))
                x += card.width + rows.gap
            }
            y += height
            if let branch = row.branch, !row.goesOn {
                y += Self.groupPadding * 3 / 4
                let frame = GraphFrame(
                    x: self.cardsX - Self.groupPadding, y: groupTop,
                    width: self.cardsRight - self.cardsX + 2 * Self.groupPadding, height: y - groupTop)
                self.groups.append(
                    Group(frame: frame, title: branch, kind: Self.kind(ofBranchAt: row.places.first, graph)))
            }
            self.lanesY.append(y + 16)
            let lanes = tracks.below[index].count + (row.goesOn ? 1 : 0)
            y += Self.rowGap + (lanes == 0 ? 0 : 6 + lanes * GraphTracks.step)
        }
    }

    /// What leads to a branch that begins at a place.
    private static func kind(
        ofBranchAt place: GraphDescription.Place?, _ graph: GraphDescription
    ) -> GraphDescription.Arrow.Kind {
        guard case .stage(let first) = place, let branch = graph.stages[first].branch else { return .failure }
        let stages = Set(graph.stages(in: branch).map { GraphDescription.Place.stage($0) })
        let arrows = graph.arrows.filter { stages.contains($0.to) && $0.kind != .next }
        return !arrows.isEmpty && arrows.allSatisfy { $0.kind == .route } ? .route : .failure
    }

    /// Stores stand in a column on the right, in the middle of the height.
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
            self.boxes.append(Box(place: .store(store.name), frame: frame, card: card))
            y += height + gap
        }
    }
}
