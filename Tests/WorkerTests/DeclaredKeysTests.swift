import ComponentKit
import PipelineEngine
import RedisClient
import StageKit
import StageTestKit
import Testing
import Worker

/// A stage of another package that sends to a stream.
private final class SendingStage: Stage {
    struct Settings: Sendable {
        var to = ""
    }

    static let declaration = StageDeclaration(
        name: "send", summary: "Sends events.",
        settings: .object(SettingsSchema(Settings(), [.required("to", \.to, .text, "The stream.")])),
        example: "send: { to: s }", failureReason: "send_failure",
        keys: { settings, _ in [ServerKey(.messages(stream: settings.to), from: "to")] })

    init(_ settings: Settings, _ setup: StageSetup) {}

    func process(_ event: inout Event) throws -> Verdict { .next }
}

/// Types of other packages that declare the keys that they use.
@Suite struct DeclaredKeysTests {
    private struct StoreSettings: Sendable {
        var prefix = ""
        var server: RedisSettings?

        static let type = SettingType.object(
            SettingsSchema(
                StoreSettings(),
                [
                    .required("prefix", \.prefix, .text, "The prefix."),
                    .optional("server", \.server, .optional(RedisSettings.type), "The server."),
                ]))
    }

    private static let catalogue: Catalogue = {
        var catalogue = Catalogue.standard
        catalogue.add(SendingStage.self)
        let nothing = SettingType<Bool>.object(SettingsSchema(true, []))
        catalogue.add(
            SourceType(
                name: "ticks", summary: "A source.", settings: nothing,
                keys: { _ in [ServerKey(.source(stream: "ticks"), from: "stream")] }
            ) { _, _ in MemorySource(stream: "ticks", entries: []) })
        catalogue.add(
            StoreType(
                name: "cache", summary: "A store.", settings: StoreSettings.type,
                keys: { settings, _ in [ServerKey(.store(prefix: settings.prefix), from: "prefix")] }
            ) { _, setup in RecordingStore(name: setup.name, key: "id") })
        return catalogue
    }()

    private func findings(store: String, stream: String = "out") -> FileFindings {
        let text = """
            pipeline: p
            redis: { address: "a:1" }
            source: { ticks: {} }
            stores: { things: { cache: { \(store) } } }
            stages:
              - decode: { fields: { id: { required: true, blank: reject } } }
              - upsert: { store: things }
              - send: { to: \(stream) }
            """
        return FileFindings(text, catalogue: Self.catalogue)
    }

    @Test("No other part of the file may use a key with a store's prefix")
    func prefixes() {
        #expect(self.findings(store: "prefix: \"things:\"") == self.findings(store: "prefix: \"other:\""))
        #expect(self.findings(store: "prefix: \"things:\"").errors == [])
        for (prefix, found) in [("ti", "\"ticks\" of source"), ("o", "\"out\" of send")] {
            let errors = self.findings(store: "prefix: \(prefix)").errors
            #expect(errors.count == 1, "\(errors)")
            #expect(
                errors.allSatisfy {
                    $0.hasPrefix("p.yaml:4:38: stores: things: the prefix \"\(prefix)\" covers the stream \(found)")
                }, "\(errors)")
        }
    }

    @Test("Errors in the settings of a store's server are reported")
    func servers() {
        #expect(self.findings(store: "prefix: ti, server: { address: \"b:1\" }").errors == [])
        #expect(self.findings(store: "prefix: ti, server: { address: \"a:1\" }").errors.count == 1)
        let sentinel = "sentinel: { master: m, addresses: [\"c:1\"], tls: false }"
        let warnings = self.findings(store: "prefix: x, server: { tls: true, \(sentinel) }").warnings
        #expect(warnings.contains { $0.contains("stores: things: server: sentinel: tls is false") }, "\(warnings)")
    }

    @Test("A stage that sends to the source's stream is a warning at its setting")
    func messages() {
        let warnings = self.findings(store: "prefix: \"things:\"", stream: "ticks").warnings
        #expect(
            warnings == [
                "8:17: send: the stream \"ticks\" is also used by source: its messages are read again as entries"
            ], "\(warnings)")
    }
}
