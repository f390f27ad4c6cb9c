package import PipelineEngine

/// A graph as a self-contained SVG picture: no scripts, no external fonts or files, light and dark.
package enum GraphSVG {
    /// Returns the picture.
    package static func render(_ graph: GraphDescription) -> String {
        let layout = PictureLayout(graph)
        var lines = [
            #"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \#(layout.width) \#(layout.height)" "#
                + #"width="\#(layout.width)" height="\#(layout.height)" role="img">"#,
            "<title>\(self.escaped("The stage graph of \(graph.pipeline)"))</title>",
            "<style>\(self.style)</style>",
            self.markers,
            #"<rect class="page" width="\#(layout.width)" height="\#(layout.height)" rx="12"/>"#,
            self.text(graph.pipeline, PictureLayout.margin, PictureLayout.margin + 14, "name"),
        ]
        lines += layout.groups.flatMap { self.group($0) }
        lines += layout.lines.map { self.line($0) }
        lines += layout.boxes.flatMap { self.box($0) }
        lines += self.legend(layout)
        return (lines + ["</svg>"]).joined(separator: "\n")
    }

    /// Colours by meaning; the class names of lines, groups and arrowheads end in the arrow's kind.
    private static let style = """

        text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;fill:#0f172a}
        .name{font-size:18px;font-weight:600}.title{font-size:14.5px;font-weight:600}
        .plain,.label,.failure,.route{font-size:12px}.branch{font-size:12.5px;font-weight:600}
        path{fill:none;stroke-width:1.6}.l-failure{stroke-dasharray:5 4}
        .page{fill:#fff}.card{fill:#f8fafc;stroke:#94a3b8}.source{fill:#e0f2fe;stroke:#0284c7}
        .store{fill:#ecfdf5;stroke:#059669}.g-failure{fill:#fef2f2;stroke:#fecaca}.g-route{fill:#f5f3ff;stroke:#ddd6fe}
        .plain,.label{fill:#475569}.failure{fill:#b91c1c}.route{fill:#6d28d9}
        .l-next{stroke:#64748b}.l-failure{stroke:#dc2626}.l-route{stroke:#7c3aed}.l-store{stroke:#059669}
        .m-next{fill:#64748b}.m-failure{fill:#dc2626}.m-route{fill:#7c3aed}.m-store{fill:#059669}
        @media (prefers-color-scheme:dark){
        text{fill:#e2e8f0}.page{fill:#0d1117}.card{fill:#1e293b;stroke:#64748b}.source{fill:#0c2d48;stroke:#38bdf8}
        .store{fill:#052e2b;stroke:#34d399}.g-failure{fill:#2a1215;stroke:#7f1d1d}.g-route{fill:#1e1635;stroke:#5b21b6}
        .plain,.label{fill:#a3b1c6}.failure{fill:#fca5a5}.route{fill:#c4b5fd}
        .l-next{stroke:#94a3b8}.l-failure{stroke:#f87171}.l-route{stroke:#a78bfa}.l-store{stroke:#34d399}
        .m-next{fill:#94a3b8}.m-failure{fill:#f87171}.m-route{fill:#a78bfa}.m-store{fill:#34d399}}

        """

    private static var markers: String {
        let kinds = GraphDescription.Arrow.Kind.allCases.map { kind in
            #"<marker id="\#(kind.rawValue)" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" "#
                + #"orient="auto"><path class="m-\#(kind.rawValue)" d="M0 0 8 4 0 8z"/></marker>"#
        }
        return "<defs>\(kinds.joined())</defs>"
    }

    private static func group(_ group: PictureLayout.Group) -> [String] {
        [
            #"<rect class="group g-\#(group.kind.rawValue)" \#(self.attributes(group.frame)) rx="12"/>"#,
            self.text(
                "branch \(group.title)", group.frame.x + PictureLayout.groupPadding, group.frame.y + 20,
                "branch \(group.kind.rawValue)"),
        ]
    }

    private static func box(_ box: PictureLayout.Box) -> [String] {
        let frame = box.frame
        var lines = ["<g><title>\(self.escaped(box.card.tooltip))</title>"]
        switch box.vertex {
        case .store: lines.append(self.cylinder(frame))
        case .source: lines.append(#"<rect class="source" \#(self.attributes(frame)) rx="\#(frame.height / 2)"/>"#)
        case .stage, .end: lines.append(#"<rect class="card" \#(self.attributes(frame)) rx="8"/>"#)
        }
        let middle = frame.x + frame.width / 2
        let height = 17 + box.card.lines.count * PictureLayout.lineHeight
        var y = frame.middleY - height / 2 + 14
        if case .store = box.vertex { y += 6 }
        lines.append(self.text(box.card.title, middle, y, "title", anchor: true))
        for line in box.card.lines {
            y += PictureLayout.lineHeight
            lines.append(self.text(line.text, middle, y, line.tone.rawValue, anchor: true))
        }
        return lines + ["</g>"]
    }

    /// Returns a store's shape, a cylinder.
    private static func cylinder(_ frame: GraphFrame) -> String {
        let (radius, depth) = (frame.width / 2, 8)
        let body =
            "M\(frame.x) \(frame.y + depth)a\(radius) \(depth) 0 0 1 \(frame.width) 0v\(frame.height - 2 * depth)"
            + "a\(radius) \(depth) 0 0 1 -\(frame.width) 0z"
        let rim = "M\(frame.x) \(frame.y + depth)a\(radius) \(depth) 0 0 0 \(frame.width) 0"
        return #"<path class="store" style="fill-opacity:1" d="\#(body)"/><path class="l-store" d="\#(rim)"/>"#
    }

    /// Returns a line with rounded corners.
    private static func line(_ line: PictureLayout.Line) -> String {
        let radius = 7
        var path = ""
        for (index, point) in line.points.enumerated() {
            if index == 0 {
                path += "M\(point.x) \(point.y)"
            } else if index == line.points.count - 1 {
                path += "L\(point.x) \(point.y)"
            } else {
                let before = self.towards(line.points[index - 1], from: point, radius)
                let after = self.towards(line.points[index + 1], from: point, radius)
                path += "L\(before.x) \(before.y)Q\(point.x) \(point.y) \(after.x) \(after.y)"
            }
        }
        let kind = line.kind.rawValue
        let head = line.hasHead ? #" marker-end="url(#\#(kind))""# : ""
        return #"<path class="l-\#(kind)"\#(head) d="\#(path)"/>"#
    }

    /// Returns a point between two corners, at most half of the distance from the first.
    private static func towards(_ to: GraphPoint, from: GraphPoint, _ radius: Int) -> GraphPoint {
        let (dx, dy) = (to.x - from.x, to.y - from.y)
        return GraphPoint(
            x: from.x + dx.signum() * min(radius, abs(dx) / 2), y: from.y + dy.signum() * min(radius, abs(dy) / 2))
    }

    /// Returns the legend: the kinds of lines in the picture with their meaning.
    private static func legend(_ layout: PictureLayout) -> [String] {
        let words: KeyValuePairs<GraphDescription.Arrow.Kind, String> = [
            .next: "next", .failure: "failed", .route: "routed", .store: "writes to a store",
        ]
        var x = PictureLayout.margin
        var lines: [String] = []
        for (kind, word) in words where layout.lines.contains(where: { $0.kind == kind }) {
            let y = layout.legendY
            let name = kind.rawValue
            lines.append(#"<path class="l-\#(name)" marker-end="url(#\#(name))" d="M\#(x) \#(y)h30"/>"#)
            lines.append(self.text(word, x + 38, y + 4, "label"))
            x += 60 + word.count * GraphCard.lineAdvance / 10
        }
        return lines
    }

    private static func attributes(_ frame: GraphFrame) -> String {
        #"x="\#(frame.x)" y="\#(frame.y)" width="\#(frame.width)" height="\#(frame.height)""#
    }

    private static func text(_ text: String, _ x: Int, _ y: Int, _ style: String, anchor: Bool = false) -> String {
        let middle = anchor ? #" text-anchor="middle""# : ""
        return #"<text class="\#(style)" x="\#(x)" y="\#(y)"\#(middle)>\#(self.escaped(text))</text>"#
    }

    /// Escapes text for XML; replaces characters that XML 1.0 does not allow.
    static func escaped(_ text: String) -> String {
        text.unicodeScalars.map { scalar in
            switch scalar {
            case "&": "&amp;"
            case "<": "&lt;"
            case ">": "&gt;"
            case "\"": "&quot;"
            case "\n": "\n"
            case _ where scalar.value < 0x20 || scalar.value == 0xFFFE || scalar.value == 0xFFFF: "\u{FFFD}"
            default: String(scalar)
            }
        }.joined()
    }
}
