import Foundation
import Logging
import PipelineEngine
import StageKit
import Testing
import Worker

@testable import Documentation

@Suite struct GraphRenderTests {
    private static let silent = PipelineServices(
        logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))

    private func shipped() throws -> GraphDescription {
        try Pipeline(contentsOf: LintTests.shippedPath, environment: [:], services: Self.silent).graph
    }

    /// A graph of `count` main stages with branches, stores and routes drawn from a seed.
    static func graph(_ count: Int, branches: Int, stores: Int, seed: UInt64) -> GraphDescription {
        var random = SplitMix64(state: seed)
        var stages: [GraphDescription.Stage] = []
        var arrows: [GraphDescription.Arrow] = [.init(.source, .stage(0), .next)]
        func add(_ branch: String?, _ count: Int) {
            for position in 0..<count {
                let length = Int(random.next() % 20) + 1
                stages.append(
                    .init(
                        name: "\(branch.map { "\($0)/" } ?? "")stage-\(stages.count)"
                            + String(repeating: "n", count: length),
                        type: random.next() % 3 == 0 ? "other" : "stage", branch: branch,
                        condition: random.next() % 3 == 0 ? "status: revoked" : nil))
                if position > 0 { arrows.append(.init(.stage(stages.count - 2), .stage(stages.count - 1), .next)) }
            }
        }
        add(nil, count)
        var starts: [Int] = []
        for branch in 0..<branches {
            starts.append(stages.count)
            add("branch-\(branch)", Int(random.next() % 9) + 1)
        }
        for index in 0..<count {
            if let start = starts.randomElement(using: &random), random.next() % 2 == 0 {
                arrows.append(.init(.stage(index), .stage(start), .failure))
            }
            if let start = starts.randomElement(using: &random), random.next() % 4 == 0 {
                arrows.append(.init(.stage(index), .stage(start), .route, label: "case"))
            }
        }
        for index in stages.indices where stores > 0 && random.next() % 3 == 0 {
            arrows.append(.init(.stage(index), .store("store-\(random.next() % UInt64(stores))"), .store))
        }
        return GraphDescription(
            pipeline: "test", source: .init(type: "redis_stream", stream: "s"),
            stores: (0..<stores).map { .init(name: "store-\($0)", type: "memory", keyField: "id") },
            stages: stages, arrows: arrows)
    }

    @Test("The shipped graph is described with its conditions, stores, branch and arrows")
    func description() throws {
        let graph = try self.shipped()
        #expect(graph.pipeline == "session_subscriber")
        #expect(graph.source == .init(type: "redis_stream", stream: "gateway:session_events"))
        #expect(graph.stores == [.init(name: "sessions", type: "memory", keyField: "device_session_id")])
        #expect(
            graph.stages.map(\.name) == [
                "decode", "validate", "upsert", "revoke", "metrics", "evict/log", "evict/metrics", "evict/evict",
            ])
        #expect(graph.stages.map(\.branch).suffix(3) == ["evict", "evict", "evict"])
        #expect(graph.stages[3].condition == "status: revoked")
        #expect(graph.stages.map(\.effects) == [[], [], ["upsert"], ["revoke"], [], [], [], ["evict"]])
        #expect(graph.branches == ["evict"])
        for index in 0..<3 { #expect(graph.arrows(from: index, .failure).map(\.to) == [.stage(5)]) }
        for index in 3..<5 { #expect(graph.arrows(from: index, .failure).map(\.to) == [.end("drop")]) }
        #expect(graph.arrows.filter { $0.kind == .store }.map(\.from) == [.stage(2), .stage(7)])
    }

    @Test("The text is complete and within 80 columns")
    func text() throws {
        let text = GraphText.render(try self.shipped())
        #expect(
            text == """
                session_subscriber

                ● redis_stream gateway:session_events
                │
                ├─ decode    ✗ evict
                ├─ validate  ✗ evict
                ├─ upsert    → upsert sessions  ✗ evict
                ├─ revoke    when status: revoked  → revoke  ✗ drop
                └─ metrics   ✗ drop

                ◆ branch evict (from decode, validate, upsert)
                │
                ├─ log
                ├─ metrics
                └─ evict    → evict sessions

                stores
                  sessions: memory, key device_session_id
                """)
        for seed in 0..<20 {
            let graph = Self.graph(12, branches: 3, stores: 2, seed: UInt64(seed))
            for line in GraphText.render(graph).split(separator: "\n") where !line.contains("from") {
                #expect(line.count <= 80, "\(line)")
            }
        }
    }

    @Test("The README's picture shows the shipped pipeline")
    func picture() throws {
        let shown = URL(fileURLWithPath: LintTests.shippedPath).deletingLastPathComponent()
            .appendingPathComponent("Tests/pipeline.svg")
        #expect(
            try String(contentsOf: shown, encoding: .utf8) == GraphSVG.render(self.shipped()) + "\n",
            "run: sluice graph pipeline.yaml --format svg > Tests/pipeline.svg")
    }

    @Test("Cases of a route, retries and a halt are described beside their stage")
    func words() throws {
        let text = """
            pipeline: orders
            redis: { address: "127.0.0.1:6379" }
            source: { redis_stream: { stream: orders } }
            stages:
              - decode: { fields: { id: {}, status: {}, amount: { type: int64 } } }
                on_failure: halt
              - route:
                  cases:
                    - { when: { status: closed }, to: closed }
                    - { when: { amount: { at_least: 1000 } }, to: large }
                  default: next
              - log
            branches:
              closed: [ log ]
              large: [ log ]
            """
        let graph = try Pipeline(
            text: Array(text.utf8), file: "f", catalogue: .standard, services: Self.silent
        ).graph
        #expect(graph.arrows(from: 0, .failure).map(\.to) == [.end("halt")])
        let routes = graph.arrows(from: 1, .route)
        #expect(routes.map(\.label) == ["status: closed", "amount: { at_least: 1000 }"])
        let drawn = GraphText.render(graph)
        #expect(drawn.contains("├─ decode  ✗ halt"), "\(drawn)")
        #expect(drawn.contains("◇ status: closed → closed  ◇ amount: { at_least: 1000 } → large"), "\(drawn)")
        #expect(drawn.contains("◆ branch large (from route)"))
        #expect(GraphMermaid.render(graph).contains("s1 ==>|\"status: closed\"| s3"))
        #expect(XMLWellFormedness.problem(GraphSVG.render(graph)) == nil)
    }

    @Test("No line leads from a stage that passes no event")
    func dead() {
        var graph = Self.graph(3, branches: 0, stores: 0, seed: 1)
        #expect(PictureLayout(graph).lines.count == 3)
        graph.arrows.removeAll { $0.from == .stage(1) }
        #expect(PictureLayout(graph).lines.count == 2)
    }

    @Test("Mermaid and DOT name every stage, and no text is taken for syntax")
    func escaping() throws {
        var graph = try self.shipped()
        graph.stages[0].condition = "a: \"]; <b> \\ | & {x}"
        graph.pipeline = "x\"; y"
        let mermaid = GraphMermaid.render(graph)
        #expect(mermaid.hasPrefix("flowchart LR\n"))
        #expect(mermaid.contains("s0[\"decode<br/>when a: #34;#93;; #60;b#62; #92; #124; #38; #123;x#125;\"]"))
        #expect(mermaid.contains("    s0 -.->|failure| s5"))
        #expect(mermaid.contains("    s2 --> store0"))
        let dot = GraphDOT.render(graph)
        #expect(dot.hasPrefix("digraph \"x\\\"; y\" {\n") && dot.hasSuffix("\n}"))
        #expect(dot.contains(#"s0 [label="decode\nwhen a: \"]; <b> \\ | & {x}"];"#))
        #expect(dot.contains("    s0 -> s5 [style=dashed, color=firebrick];"))
        let svg = GraphSVG.render(graph)
        #expect(svg.contains("when a: &quot;]; &lt;b&gt; \\ | &amp; {x}"))
        #expect(GraphSVG.escaped("\u{1}<\u{FFFE}") == "\u{FFFD}&lt;\u{FFFD}")
    }

    @Test("The picture is well-formed XML for any text", arguments: [0, 1, 2, 3])
    func wellFormed(seed: UInt64) throws {
        var graph = Self.graph(9, branches: 2, stores: 2, seed: seed)
        graph.stages[0].name = "</text><script>&\u{0}\u{7}"
        graph.stores[0].keyField = "\"><x y='"
        #expect(XMLWellFormedness.problem(GraphSVG.render(graph)) == nil)
        #expect(GraphSVG.render(graph).contains("prefers-color-scheme:dark"))
    }

    @Test(
        "No cards overlap, no line crosses a card, and no lines of different kinds overlap", arguments: 1...40
    )
    func overlaps(count: Int) throws {
        for (branches, stores) in [(0, 0), (1, 1), (3, 2), (5, 4)] {
            let graph = Self.graph(count, branches: branches, stores: stores, seed: UInt64(count * 10 + branches))
            let layout = PictureLayout(graph)
            #expect(layout.boxes.count == graph.stages.count + 1 + stores)
            // One expectation for all pairs: evaluating one for each would take most of the time.
            var wrong: [String] = []
            for (index, box) in layout.boxes.enumerated() {
                #expect(box.frame.x >= 0 && box.frame.right <= layout.width && box.frame.bottom <= layout.height)
                for other in layout.boxes[(index + 1)...] where box.frame.overlaps(other.frame) {
                    wrong.append("\(box.vertex) and \(other.vertex)")
                }
            }
            for group in layout.groups {
                for other in layout.groups where other.title != group.title && group.frame.overlaps(other.frame) {
                    wrong.append("\(group.title) and \(other.title)")
                }
            }
            for line in layout.lines {
                for segment in Self.segments(line) {
                    for box in layout.boxes where box.frame.overlaps(segment) { wrong.append("\(box.vertex): \(line)") }
                }
            }
            wrong += Self.sharedTracks(layout)
            #expect(wrong.isEmpty, "\(wrong.prefix(5))")
        }
    }

    /// Lines of different kinds that run along each other; they may only cross.
    private static func sharedTracks(_ layout: PictureLayout) -> [String] {
        var shared: [String] = []
        let pieces = layout.lines.flatMap { line in Self.segments(line).map { (line.kind, $0) } }
        for (kind, piece) in pieces {
            for (otherKind, other) in pieces where otherKind != kind {
                let isAlong = (piece.width > piece.height) == (other.width > other.height)
                if isAlong, piece.overlaps(other) { shared.append("\(kind) \(piece) \(otherKind) \(other)") }
            }
        }
        return shared
    }

    /// A line's pieces as thin rectangles, without their ends, which touch cards.
    private static func segments(_ line: PictureLayout.Line) -> [GraphFrame] {
        zip(line.points, line.points.dropFirst()).compactMap { from, to in
            let (x, y) = (min(from.x, to.x), min(from.y, to.y))
            let (width, height) = (abs(from.x - to.x), abs(from.y - to.y))
            guard width > 2 || height > 2 else { return nil }
            return width > height
                ? GraphFrame(x: x + 1, y: y, width: width - 2, height: 1)
                : GraphFrame(x: x, y: y + 1, width: 1, height: height - 2)
        }
    }
}

/// Finds what is not well-formed in an XML document, as far as a stack of tags and escapes tell.
enum XMLWellFormedness {
    /// What is wrong, nil where nothing is.
    static func problem(_ text: String) -> String? {
        var open: [Substring] = []
        var rest = text[...]
        while let start = rest.firstIndex(of: "<") {
            let content = rest[..<start]
            if content.contains(where: { $0 == ">" }) { return "a bare > in \(content.suffix(40))" }
            guard let end = rest[start...].firstIndex(of: ">") else { return "a tag without end" }
            let tag = rest[rest.index(after: start)..<end]
            if tag.contains("<") { return "< within a tag" }
            if tag.filter({ $0 == "\"" }).count % 2 == 1 { return "an odd quote in \(tag)" }
            if tag.hasPrefix("/") {
                guard open.popLast() == tag.dropFirst() else { return "\(tag) closes something else" }
            } else if !tag.hasSuffix("/") {
                open.append(tag.prefix { $0 != " " })
            }
            rest = rest[rest.index(after: end)...]
        }
        if text.unicodeScalars.contains(where: { $0.value < 0x20 && $0 != "\n" }) { return "a control character" }
        for part in text.split(separator: "&").dropFirst() {
            if !["amp;", "lt;", "gt;", "quot;"].contains(where: { part.hasPrefix($0) }) { return "a bare &" }
        }
        return open.isEmpty ? nil : "\(open) stay open"
    }
}
