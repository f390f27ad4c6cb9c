import Logging
import PipelineEngine
import Testing

@testable import Worker

@Suite struct SecretFieldTests {
    @Test("Values derived from a secret field are secret, and the shipped file keeps public keys secret")
    func propagation() throws {
        let text = """
            pipeline: p
            redis: { address: "127.0.0.1:6379" }
            source: { redis_stream: { stream: s } }
            stores: { things: { memory: { key: id } } }
            stages:
              - decode: { fields: { id: { required: true, blank: reject }, token: { secret: true }, note: {} } }
              - set: { copy: "{token}", both: "{id}/{token}", plain: "{note}" }
              - rename: { copy: other, plain: words }
              - upsert: { store: things }
            """
        let services = PipelineServices(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let pipeline = try Pipeline(
            text: Array(text.utf8), file: "p.yaml", catalogue: .standard, services: services)
        #expect(pipeline.graph.secretFields == ["token", "copy", "both", "other"])
        let shipped = try Pipeline(contentsOf: LintTests.shippedPath, environment: [:], services: services)
        #expect(shipped.graph.secretFields == ["client_public_key"])
    }
}
