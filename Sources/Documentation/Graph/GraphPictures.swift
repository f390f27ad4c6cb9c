package import PipelineEngine

/// Two layouts of a graph's picture, for a page that shows rates next to the lines: one for a wide page and one for a
/// phone.
package enum GraphPictures {
    /// The distance between two cards of a row, with room for a rate.
    private static let gap = 52
    /// The maximum width of a row on a wide page.
    private static let wide = 950
    /// The maximum width of a row on a phone, which usually fits one card.
    private static let narrow = 150

    /// Returns both pictures: `wide` and `narrow`, each with `width`, `height`, `boxes`, `groups` and `lines`.
    package static func members(_ graph: GraphDescription) -> JSONValue {
        .members([
            "wide": self.picture(graph, PictureLayout(graph, widthLimit: self.wide, gap: self.gap)),
            "narrow": self.picture(graph, PictureLayout(graph, widthLimit: self.narrow, gap: self.gap)),
        ])
    }

    private static func picture(_ graph: GraphDescription, _ layout: PictureLayout) -> JSONValue {
        .members([
            "width": .integer(layout.width), "height": .integer(layout.legendY),
            "boxes": .array(
                layout.boxes.map { box in
                    self.frame(box.frame).adding(
                        .members([
                            "place": .string(GraphJSON.id(box.vertex, graph)), "title": .string(box.card.title),
                            "tooltip": .string(box.card.tooltip),
                            "lines": .array(
                                box.card.lines.map {
                                    .members(["text": .string($0.text), "tone": .string($0.tone.rawValue)])
                                }),
                        ]))
                }),
            "groups": .array(
                layout.groups.map { group in
                    self.frame(group.frame).adding(
                        .members(["title": .string(group.title), "kind": .string(group.kind.rawValue)]))
                }),
            "lines": .array(
                layout.lines.map { line in
                    .members([
                        "kind": .string(line.kind.rawValue), "head": .boolean(line.hasHead),
                        "from": .string(GraphJSON.id(line.from, graph)), "to": .string(GraphJSON.id(line.to, graph)),
                        "points": .array(line.points.map { .array([.integer($0.x), .integer($0.y)]) }),
                    ])
                }),
        ])
    }

    private static func frame(_ frame: GraphFrame) -> JSONValue {
        .members([
            "x": .integer(frame.x), "y": .integer(frame.y), "width": .integer(frame.width),
            "height": .integer(frame.height),
        ])
    }
}
