import PipelineEngine

/// A point of a picture, in pixels from its upper left corner.
struct GraphPoint: Equatable {
    /// The distance from the left edge.
    var x: Int
    /// The distance from the upper edge.
    var y: Int
}

/// A rectangle of a picture, in pixels.
struct GraphFrame: Equatable {
    /// The left edge.
    var x: Int
    /// The upper edge.
    var y: Int
    /// The width.
    var width: Int
    /// The height.
    var height: Int

    /// The right edge.
    var right: Int { self.x + self.width }
    /// The lower edge.
    var bottom: Int { self.y + self.height }
    /// The middle between upper and lower edge.
    var middleY: Int { self.y + self.height / 2 }

    /// Whether two rectangles share more than an edge.
    func overlaps(_ other: GraphFrame) -> Bool {
        self.x < other.right && other.x < self.right && self.y < other.bottom && other.y < self.bottom
    }
}

/// The text of one card of a picture, cut to the available space.
struct GraphCard: Equatable {
    /// The meaning of a line, which decides its colour.
    enum Tone: String, Equatable {
        /// The stage and the condition for entering it.
        case plain
        /// The consequence of failures.
        case failure
        /// The targets of its cases.
        case route
    }

    /// A small line below the title.
    struct Line: Equatable {
        /// The line's text.
        var text: String
        /// The meaning.
        var tone: Tone
    }

    /// The assumed width of a character, in tenths of a pixel: more than the average of common sans-serif fonts.
    static let titleAdvance = 86
    /// The same for small lines.
    static let lineAdvance = 67
    /// Horizontal space for the text, both sides together.
    static let padding = 28
    /// Longer names are cut, so that no card fills a row alone.
    static let characterLimit = 34
    /// The minimum width of a card.
    static let leastWidth = 92

    /// The name.
    var title: String
    /// The lines below the title.
    var lines: [Line]
    /// The complete text, for a tooltip.
    var tooltip: String

    /// Creates a card and cuts text that is too long.
    init(title: String, lines: [Line]) {
        self.tooltip = ([title] + lines.map(\.text)).joined(separator: "\n")
        self.title = Self.cut(title)
        self.lines = lines.map { Line(text: Self.cut($0.text), tone: $0.tone) }
    }

    /// The card of a stage.
    init(_ graph: GraphDescription, stage index: Int) {
        let stage = graph.stages[index]
        var lines = GraphWords.label(stage).dropFirst().map { Line(text: $0, tone: .plain) }
        for arrow in graph.arrows(from: index, .route) {
            let target = GraphWords.vertex(arrow.to, graph)
            lines.append(Line(text: (arrow.label.map { "\($0) → " } ?? "→ ") + target, tone: .route))
        }
        for arrow in graph.arrows(from: index, .failure) {
            if let label = arrow.label {
                lines.append(Line(text: "\(label), then \(GraphWords.vertex(arrow.to, graph))", tone: .failure))
            } else if case .end(let word) = arrow.to, word != "drop" {
                lines.append(Line(text: "failure: \(word)", tone: .failure))
            }
        }
        self.init(title: GraphWords.shortName(stage), lines: lines)
    }

    /// The required width of the card.
    var width: Int {
        let title = self.title.count * Self.titleAdvance
        let line = (self.lines.map(\.text.count).max() ?? 0) * Self.lineAdvance
        return max(Self.leastWidth, max(title, line) / 10 + Self.padding)
    }

    private static func cut(_ text: String) -> String {
        text.count <= self.characterLimit ? text : text.prefix(self.characterLimit - 1) + "…"
    }
}
