import ArgumentParser
import CommandSupport
import Documentation
import PipelineEngine

/// `sluice graph`: prints the checked graph of a pipeline file.
struct GraphCommand: AsyncParsableCommand {
    /// The output format.
    enum Format: String, ExpressibleByArgument, CaseIterable {
        /// Text for a terminal.
        case text
        /// A Mermaid flowchart.
        case mermaid
        /// Graphviz DOT.
        case dot
        /// An SVG picture.
        case svg
    }

    static let configuration = CommandConfiguration(
        commandName: "graph", abstract: "Print the stage graph of a pipeline file without connecting to anything.")

    @Argument(help: "The pipeline file.")
    var file = "pipeline.yaml"

    @OptionGroup var pipeline: PipelineOptions

    @Option(help: "Output format: text, mermaid, dot or svg.")
    var format = Format.text

    func run() async throws {
        try await CommandErrors.reported {
            let pipeline = try self.pipeline.pipeline(self.file)
            switch self.format {
            case .text: try Terminal.result(GraphText.render(pipeline.graph))
            case .mermaid: try Terminal.result(GraphMermaid.render(pipeline.graph))
            case .dot: try Terminal.result(GraphDOT.render(pipeline.graph))
            case .svg: try Terminal.result(GraphSVG.render(pipeline.graph))
            }
        }
    }
}
