import PipelineEngine

/// The lanes that lines between cards run in, so that none lies on another or crosses a card.
///
/// Failures and routes run to the left of all cards, changes of stores to the right, one vertical lane for each target.
/// Below each row, every target that the row's cards lead to has a horizontal lane, and the row's continuation has one.
struct GraphTracks {
    /// What shares a lane: lines of one kind to one target.
    struct Bundle: Hashable {
        /// The kind of the lines.
        var kind: GraphDescription.Arrow.Kind
        /// The target.
        var to: GraphDescription.Place
    }

    /// Between two lanes side by side.
    static let step = 13

    /// Lanes left of the cards, the nearest first.
    let left: [Bundle]
    /// Lanes right of the cards, the nearest first.
    let right: [Bundle]
    /// For each row the lanes below it, the uppermost first; the continuation comes after them.
    let below: [[Bundle]]

    /// Finds out which lanes a graph needs.
    init(_ graph: GraphDescription, _ rows: GraphRows) {
        let drawn = graph.arrows.filter { Self.isDrawn($0) }
        let rowOf = Dictionary(
            rows.rows.enumerated().flatMap { index, row in row.places.map { ($0, index) } },
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

    /// Whether an arrow is drawn as a line; the others are described in words or follow from the order of the cards.
    static func isDrawn(_ arrow: GraphDescription.Arrow) -> Bool {
        switch (arrow.kind, arrow.to) {
        case (.next, _), (_, .end), (_, .source): false
        case (.failure, .stage), (.route, .stage), (.store, .store): true
        default: false
        }
    }
}
