import PipelineEngine

/// The tracks for the lines between cards, so that lines do not overlap or cross a card.
///
/// Failures and routes run to the left of all cards, store changes to the right, in one vertical track per target. Below
/// each row there is a horizontal track for every target of the row's cards, and one for the row's continuation.
struct GraphTracks {
    /// The lines that share a track: those of one kind to one target.
    struct Bundle: Hashable {
        /// The kind of the lines.
        var kind: GraphDescription.Arrow.Kind
        /// The target.
        var to: GraphDescription.Vertex
    }

    /// The distance between two parallel tracks.
    static let step = 13

    /// Tracks left of the cards, nearest first.
    let left: [Bundle]
    /// Tracks right of the cards, nearest first.
    let right: [Bundle]
    /// The tracks below each row, uppermost first; the continuation comes after them.
    let below: [[Bundle]]

    /// Determines the tracks of a graph.
    init(_ graph: GraphDescription, _ rows: GraphRows) {
        let drawn = graph.arrows.filter { Self.isDrawn($0) }
        let rowOf = Dictionary(
            rows.rows.enumerated().flatMap { index, row in row.vertices.map { ($0, index) } },
            uniquingKeysWith: { first, _ in first })
        var left: [Bundle] = []
        var right: [Bundle] = []
        var below = rows.rows.map { _ in [Bundle]() }
        for arrow in drawn {
            let bundle = Bundle(kind: arrow.kind, to: arrow.to)
            guard let row = rowOf[arrow.from] else { continue }
            if !below[row].contains(bundle) { below[row].append(bundle) }
            if arrow.kind == .store {
                if !right.contains(bundle) { right.append(bundle) }
            } else if !left.contains(bundle) {
                left.append(bundle)
            }
        }
        self.left = left
        self.right = right
        self.below = below.map { bundles in
            bundles.filter { $0.kind != .store } + bundles.filter { $0.kind == .store }
        }
    }

    /// Whether an arrow is drawn as a line; the others are described in text or follow from the order of the cards.
    static func isDrawn(_ arrow: GraphDescription.Arrow) -> Bool {
        switch (arrow.kind, arrow.to) {
        case (.next, _), (_, .end), (_, .source): false
        case (.failure, .stage), (.route, .stage), (.store, .store): true
        default: false
        }
    }
}
