import ComponentKit
package import PipelineEngine
package import StageKit

/// The documentation of one type of the catalogue.
package struct CataloguePage {
    /// The type's role in a file.
    package enum Kind: String, CaseIterable {
        /// A step in the graph.
        case stage
        /// Where events come from.
        case source
        /// Where snapshots are kept.
        case store
        /// A section at the file's top level.
        case section

        /// The position of the type in a pipeline file.
        package var place: String {
            switch self {
            case .stage: "an item of stages, or of a list in branches"
            case .source: "below source"
            case .store: "below a name in stores"
            case .section: "at the top level"
            }
        }
    }

    /// The type's role.
    package let kind: Kind
    /// Its name in the file.
    package let name: String
    /// The summary, one sentence.
    package let summary: String
    /// The shape of its settings.
    package let shape: SettingShape
    /// The stage type, if it is one.
    package let stage: StageType?

    /// A stage type's page.
    init(_ type: StageType) {
        self.kind = .stage
        self.name = type.name
        self.summary = type.summary
        self.shape = type.shape
        self.stage = type
    }

    /// Another type's page.
    init(_ kind: Kind, name: String, summary: String, shape: SettingShape) {
        self.kind = kind
        self.name = name
        self.summary = summary
        self.shape = shape
        self.stage = nil
    }

    /// Returns all pages of a catalogue, in the order of `Kind`.
    package static func all(of catalogue: Catalogue) -> [CataloguePage] {
        catalogue.stages.map { CataloguePage($0) }
            + catalogue.sources.map { CataloguePage(.source, name: $0.name, summary: $0.summary, shape: $0.shape) }
            + catalogue.stores.map { CataloguePage(.store, name: $0.name, summary: $0.summary, shape: $0.shape) }
            + FileShape(catalogue).sections.map {
                CataloguePage(.section, name: $0.name, summary: $0.summary, shape: $0.shape)
            }
    }

    /// Returns the page for a terminal; `example` is a complete pipeline file with the stage.
    package func text(example: String?) -> String {
        var lines = ["\(self.name): a \(self.kind.rawValue), written \(self.kind.place)", ""]
        lines += TextWrap.lines(self.summary, indent: "  ")
        if let stage = self.stage {
            lines += ["", "Runs"]
            lines += TextWrap.lines(Self.running(stage), indent: "  ")
            lines += TextWrap.lines(
                "A failure without its own reason counts as \(stage.failureReason).", indent: "  ")
        }
        lines += ["", "Settings"] + SettingTable(self.shape).text
        if let example {
            lines += ["", "Example, a complete file"]
            lines += Self.indented(example)
        } else if let stage = self.stage {
            // The example names fields, stores or branches that only its author's file has.
            lines +=
                ["", "Example, an item of stages"] + Self.indented("- " + stage.example.replacing("\n", with: "\n  "))
        }
        return lines.joined(separator: "\n")
    }

    private static func indented(_ text: String) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { $0.isEmpty ? "" : "  \($0)" }
    }

    /// Describes how the engine calls the stage.
    private static func running(_ stage: StageType) -> String {
        if stage.waits {
            return
                "Waits: the requests for all events of a batch are in flight together while the batch waits; the "
                + "order of events is kept."
        }
        return stage.isPure
            ? "Pure: it only reads and sets fields of the event, or fails, so at the head of a graph it can run some "
                + "events ahead."
            : "Processes events one by one, in stream order."
    }

    /// Returns the page for programs.
    package func json(example: String?) -> JSONValue {
        let table = SettingTable(self.shape)
        return .members([
            "name": .string(self.name),
            "kind": .string(self.kind.rawValue),
            "summary": .string(self.summary),
            "pure": self.stage.map { .boolean($0.isPure) },
            "waits": self.stage.map { .boolean($0.waits) },
            "failure_reason": self.stage.map { .string($0.failureReason) },
            "accepts": table.root.map { .string($0) },
            "settings": table.json,
            "example": (example ?? self.stage?.example).map { .string($0) },
        ])
    }

    /// Returns the catalogue as a table for a terminal.
    package static func table(_ pages: [CataloguePage]) -> String {
        let width = pages.map(\.name.count).max() ?? 0
        let sections = Kind.allCases.map { kind -> String in
            let rows = pages.filter { $0.kind == kind }.flatMap { page in
                let lines = TextWrap.lines(page.summary, indent: String(repeating: " ", count: width + 4))
                let padding = String(repeating: " ", count: width - page.name.count + 2)
                return ["  \(page.name)\(padding)\(lines.first?.drop { $0 == " " } ?? "")"] + lines.dropFirst()
            }
            let title = "\(kind.rawValue.prefix(1).uppercased())\(kind.rawValue.dropFirst())s (\(kind.place))"
            return ([title] + (rows.isEmpty ? ["  none"] : rows)).joined(separator: "\n")
        }
        return sections.joined(separator: "\n\n")
    }
}
