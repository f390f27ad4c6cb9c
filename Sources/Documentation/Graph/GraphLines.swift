import PipelineEngine

/// Draws the lines of a graph whose cards have been laid out.
struct GraphLines {
    /// The locations of the cards.
    let layout: PictureLayout
    /// The cards in rows.
    let rows: GraphRows
    /// The tracks.
    let tracks: GraphTracks
    /// The position of the first track below each row.
    let tracksY: [Int]

    /// Returns all lines.
    func lines(_ graph: GraphDescription) -> [PictureLayout.Line] {
        var lines: [PictureLayout.Line] = []
        let goingOn = Set(graph.arrows.filter { $0.kind == .next }.map(\.from))
        for (index, row) in self.rows.rows.enumerated() {
            for (from, to) in zip(row.vertices, row.vertices.dropFirst()) where goingOn.contains(from) {
                guard let start = self.layout.frame(of: from), let end = self.layout.frame(of: to) else { continue }
                lines.append(
                    .init(
                        points: [.init(x: start.right, y: start.middleY), .init(x: end.x, y: end.middleY)], kind: .next,
                        from: from, to: to))
            }
            if row.goesOn, row.vertices.last.map(goingOn.contains) == true { lines += self.continuation(index) }
        }
        for bundle in self.tracks.left + self.tracks.right { lines += self.lines(of: bundle, graph) }
        return lines
    }

    /// Returns the line from the end of a row to the beginning of the next.
    private func continuation(_ index: Int) -> [PictureLayout.Line] {
        guard let last = self.rows.rows[index].vertices.last, let next = self.rows.rows[index + 1].vertices.first,
            let from = self.layout.frame(of: last), let to = self.layout.frame(of: next)
        else { return [] }
        let y = self.trackY(index, self.tracks.below[index].count)
        let (right, left) = (from.right + 12, to.x - 14)
        return [
            .init(
                points: [
                    .init(x: from.right, y: from.middleY), .init(x: right, y: from.middleY), .init(x: right, y: y),
                    .init(x: left, y: y), .init(x: left, y: to.middleY), .init(x: to.x, y: to.middleY),
                ], kind: .next, from: last, to: next)
        ]
    }

    /// Returns the lines of a bundle: down from each card, along the track below its row, along the vertical track, and
    /// to the target.
    ///
    /// If two lines share a track, the one from farther away is drawn completely, and the other ends at the junction.
    private func lines(of bundle: GraphTracks.Bundle, _ graph: GraphDescription) -> [PictureLayout.Line] {
        guard let to = self.layout.frame(of: bundle.to), let (side, targetY) = self.side(bundle, to) else { return [] }
        var lines: [PictureLayout.Line] = []
        var joins: [(from: GraphDescription.Vertex, y: Int, points: [GraphPoint])] = []
        for (row, content) in self.rows.rows.enumerated() {
            guard let track = self.tracks.below[row].firstIndex(of: bundle) else { continue }
            let y = self.trackY(row, track)
            let starts = content.vertices.flatMap { vertex in
                self.starts(of: bundle, at: vertex, graph).map { (vertex: vertex, point: $0) }
            }
            guard let farthest = starts.max(by: { abs($0.point.x - side) < abs($1.point.x - side) }) else { continue }
            for (vertex, start) in starts where start != farthest.point {
                lines.append(
                    .init(
                        points: [start, .init(x: start.x, y: y)], kind: bundle.kind, hasHead: false, from: vertex,
                        to: bundle.to))
            }
            let start = farthest.point
            joins.append((farthest.vertex, y, [start, .init(x: start.x, y: y), .init(x: side, y: y)]))
        }
        for half in [joins.filter { $0.y <= targetY }, joins.filter { $0.y > targetY }] {
            let trunk = half.map { abs($0.y - targetY) }.max()
            for join in half {
                let isTrunk = abs(join.y - targetY) == trunk
                let end = isTrunk ? [GraphPoint(x: side, y: targetY), GraphPoint(x: to.x, y: targetY)] : []
                lines.append(
                    .init(
                        points: join.points + end, kind: bundle.kind, hasHead: isTrunk, from: join.from, to: bundle.to))
            }
        }
        return lines
    }

    /// Returns the starting points of a card's lines of a bundle, one per bundle along the lower edge.
    private func starts(
        of bundle: GraphTracks.Bundle, at vertex: GraphDescription.Vertex, _ graph: GraphDescription
    ) -> [GraphPoint] {
        guard let frame = self.layout.frame(of: vertex) else { return [] }
        var bundles: [GraphTracks.Bundle] = []
        for arrow in graph.arrows where arrow.from == vertex && GraphTracks.isDrawn(arrow) {
            let found = GraphTracks.Bundle(kind: arrow.kind, to: arrow.to)
            if !bundles.contains(found) { bundles.append(found) }
        }
        guard let position = bundles.firstIndex(of: bundle) else { return [] }
        return [GraphPoint(x: frame.x + frame.width * (position + 1) / (bundles.count + 1), y: frame.bottom)]
    }

    /// Returns the x position of the bundle's vertical track, and the y position of its entry at the target. Bundles
    /// with the same target enter below each other.
    private func side(_ bundle: GraphTracks.Bundle, _ to: GraphFrame) -> (x: Int, y: Int)? {
        let tracks = bundle.kind == .store ? self.tracks.right : self.tracks.left
        guard let index = tracks.firstIndex(of: bundle) else { return nil }
        let sameTarget = tracks.filter { $0.to == bundle.to }
        let position = sameTarget.firstIndex(of: bundle) ?? 0
        let y = to.middleY + position * 12 - (sameTarget.count - 1) * 6
        let distance = PictureLayout.groupPadding + 12 + index * GraphTracks.step
        return (bundle.kind == .store ? self.layout.cardsRight + distance : self.layout.cardsX - distance, y)
    }

    private func trackY(_ row: Int, _ track: Int) -> Int { self.tracksY[row] + track * GraphTracks.step }
}
