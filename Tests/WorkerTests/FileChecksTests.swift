import Testing

@Suite struct FileChecksTests {
    private func warnings(
        _ head: String, publish: String = "", source: String = "{ stream: s }"
    ) throws -> [String] {
        let text = """
            pipeline: p
            \(head)
            source: { redis_stream: \(source) }
            stores: { things: { memory: { key: id } } }
            stages:
              - decode: { fields: { id: { required: true, blank: reject } } }
              - upsert: { store: things }
            \(publish)
            """
        let findings = FileFindings(text)
        try #require(findings.errors == [])
        return findings.warnings
    }

    @Test(
        "A plaintext sentinel beside an encrypted server is a warning",
        arguments: [
            ("tls: true", "", 0), ("tls: true", ", tls: true", 0), ("tls: true", ", tls: { ca_file: x }", 0),
            ("tls: false", ", tls: false", 0), ("tls: false", "", 0), ("tls: true", ", tls: false", 1),
        ])
    func sentinels(server: String, sentinel: String, count: Int) throws {
        let found = try self.warnings(
            "redis: { \(server), sentinel: { master: m, addresses: [\"a:1\"]\(sentinel) } }"
        ).filter { $0.contains("sentinel") }
        #expect(found.count == count)
        #expect(found.allSatisfy { $0.hasPrefix("2:69: redis: sentinel: tls is false although redis.tls is on") })
    }

    @Test(
        "A delivery limit that two kills exhaust is a warning",
        arguments: [
            ("g", 0), ("{ name: g }", 0), ("{ name: g, max_deliveries: 3 }", 0),
            ("{ name: g, max_deliveries: 2 }", 1), ("{ name: g, max_deliveries: 1 }", 1),
        ])
    func deliveries(group: String, count: Int) throws {
        let head = #"redis: { address: "a:1" }"#
        let found = try self.warnings(head, source: "{ stream: s, group: \(group) }")
            .filter { $0.contains("max_deliveries") }
        #expect(found.count == count)
        #expect(found.allSatisfy { $0.hasPrefix("3:72: source: redis_stream: group: max_deliveries: ") }, "\(found)")
    }

    @Test("Messages to the source's stream or to the revocation stream are warnings")
    func targets() throws {
        let head = #"redis: { address: "a:1" }"#
        #expect(try self.warnings(head, publish: "  - publish: { stream: other }").isEmpty)
        #expect(
            try self.warnings(head, publish: "  - publish: { stream: s }") == [
                "8:24: publish: the stream \"s\" is also used by source: its messages are read again as entries"
            ])
        let both = try self.warnings(
            "revocations: { publish: { channel: c } }\n\(head)", publish: "  - publish: { channel: c }")
        #expect(both.count == 1 && both[0].contains("channel \"c\" is also used by revocations"), "\(both)")
    }
}
