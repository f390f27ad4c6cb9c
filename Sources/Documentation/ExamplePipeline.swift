import Logging
package import PipelineEngine
package import StageKit

/// A stage type's example as a complete pipeline file that `sluice validate` accepts.
package enum ExamplePipeline {
    private static let head = """
        pipeline: example
        redis: { address: "127.0.0.1:6379" }
        source: { redis_stream: { stream: orders } }

        """
    private static let stores = "stores: { orders: { memory: { key: order_id } } }\n"
    /// The fields that examples refer to.
    private static let decode = """
          - decode:
              fields: { order_id: { required: true }, status: {}, region: {}, amount: { type: int64 } }
              unknown_fields: ignore

        """

    /// The fields of examples with a list.
    private static let decodeList = """
          - decode:
              fields: { order_id: { required: true }, items: { type: json } }

        """

    /// The branches that examples refer to.
    private static let branches = """
        branches:
          closed: [ log ]
          large: [ log ]

        """

    /// Returns the shortest valid candidate, which contains only what the example needs.
    ///
    /// Returns `nil` if none is valid. That is not an error of the example if the catalogue lacks the types used here.
    package static func text(for type: StageType, catalogue: Catalogue) -> String? {
        let silent = PipelineServices(logger: Logger(label: "sluice", factory: { _ in SwiftLogNoOpLogHandler() }))
        return self.candidates(type).first { text in
            (try? Pipeline(text: Array(text.utf8), file: type.name, catalogue: catalogue, services: silent)) != nil
        }
    }

    /// Returns the candidates, shortest first.
    static func candidates(_ type: StageType) -> [String] {
        let lines = type.example.split(separator: "\n", omittingEmptySubsequences: false)
        let item = lines.enumerated().map { ($0 == 0 ? "  - " : "    ") + $1 }.joined(separator: "\n")
        let surroundings = [("", "", ""), ("", self.decode, ""), (self.stores, self.decode, "")]
        let others = [("", self.decode, self.branches), ("", self.decodeList, "")]
        return (surroundings + others).map { stores, decode, branches in
            "\(self.head)\(stores)stages:\n\(decode)\(item)\n\(branches)"
        }
    }
}
