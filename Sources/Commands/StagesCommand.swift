import ArgumentParser
import CommandSupport
import Documentation
import PipelineEngine
import StageKit

/// `sluice stages`: lists the types that pipeline files may name.
struct StagesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stages", abstract: "List the types that pipeline files can name, or print the settings of one.")

    @Argument(help: "Name of a stage type, source, store or section; default: list all.")
    var type: String?

    @Option(help: "Output format: text or json.")
    var format = OutputFormat.text

    @OptionGroup var plugins: PluginOptions

    func run() throws {
        let catalogue = try self.plugins.catalogue()
        let pages = CataloguePage.all(of: catalogue)
        guard let type = self.type else {
            switch self.format {
            case .text:
                try Terminal.result(CataloguePage.table(pages) + "\n\n`sluice stages NAME` prints the settings of one.")
            case .json: try Terminal.result(JSONValue.array(pages.map { $0.json(example: nil) }).pretty)
            }
            return
        }
        let found = pages.filter { $0.name == type }
        guard !found.isEmpty else {
            throw ValidationError("unknown type \"\(type)\"\(Nearest.hint(for: type, among: pages.map(\.name)))")
        }
        let examples = found.map { page in page.stage.flatMap { ExamplePipeline.text(for: $0, catalogue: catalogue) } }
        let both = zip(found, examples)
        switch self.format {
        case .text: try Terminal.result(both.map { $0.text(example: $1) }.joined(separator: "\n\n"))
        case .json:
            let documents = both.map { $0.json(example: $1) }
            try Terminal.result(documents.count == 1 ? documents[0].pretty : JSONValue.array(documents).pretty)
        }
    }
}

/// `sluice schema`: prints the JSON Schema of the pipeline file.
struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema", abstract: "Print the JSON Schema (2020-12) of the pipeline file, for editors.",
        discussion: """
            Save it beside the file, and begin the file with a line for the editor's YAML language server:
            # yaml-language-server: $schema=sluice.schema.json
            """)

    @OptionGroup var plugins: PluginOptions

    func run() throws {
        try Terminal.result(PipelineSchema.document(try self.plugins.catalogue()).pretty)
    }
}
