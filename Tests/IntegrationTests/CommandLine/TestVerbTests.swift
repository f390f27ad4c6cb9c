import Foundation
import Testing

@Suite struct TestVerbTests {
    private static let pipeline = """
        pipeline: p
        redis: { address: "127.0.0.1:1" }
        source: { redis_stream: { stream: s } }
        stages:
          - decode: { fields: { id: { required: true } } }
        """
    private static let cases = """
        pipeline: p.yaml
        cases:
          - name: an id is decoded
            entries: [ { fields: { id: a } } ]
            outcomes: [applied]
          - name: one without an id is dropped
            entries: [ { fields: { x: a } } ]
            outcomes: [applied]
        """

    @Test("Passing cases exit with 0, a failing one with 1 and its position, an invalid file with 78; all others run")
    func statuses() async throws {
        let files = ["p.yaml": Self.pipeline, "p.test.yaml": Self.cases, "wrong.yaml": "pipeline: p.yaml\ncase: []\n"]
        let good = try await sluice("test", "p.test.yaml", "--filter", "decoded", files: files)
        #expect(good.status == 0, "\(good.errors)")
        #expect(good.output == "p.test.yaml\n  ok      an id is decoded\n1 case: 1 passed\n")
        #expect(good.errors == "")

        let failing = try await sluice("test", "p.test.yaml", files: files)
        #expect(failing.status == 1)
        #expect(
            failing.output == """
                p.test.yaml
                  ok      an id is decoded
                  FAILED  one without an id is dropped
                          p.test.yaml:8:16: outcome of entry 1 (1-0)
                            expected: applied
                            found:    dropped, reason malformed_event, stage decode, no effects, \
                error "decode event: unsupported field \\"x\\""
                2 cases: 1 passed, 1 failed

                """)

        let wrong = try await sluice("test", "wrong.yaml", "p.test.yaml", files: files)
        #expect(wrong.status == 78)
        #expect(
            wrong.errors == """
                wrong.yaml:1:1: missing setting "cases"
                wrong.yaml:2:1: unknown setting "case" (did you mean cases?)

                """)
        #expect(wrong.output.hasSuffix("2 cases: 1 passed, 1 failed; 1 file is wrong and not run\n"))
    }

    @Test("The results are written as JUnit XML that an XML parser accepts")
    func junit() async throws {
        try await withFolder { folder in
            for (name, text) in ["p.yaml": Self.pipeline, "p.test.yaml": Self.cases] {
                try Data(text.utf8).write(to: folder.appendingPathComponent(name))
            }
            let ending = try await SluiceProcess(
                ["test", "p.test.yaml", "no.yaml", "--junit", "junit.xml"], in: folder
            ).end()
            #expect(ending.status == 78)
            #expect(ending.errors == "no.yaml: there is no such file\n")
            let text = try String(contentsOf: folder.appendingPathComponent("junit.xml"), encoding: .utf8)
            #expect(text.contains("<testsuites name=\"sluice test\" tests=\"3\" failures=\"1\" errors=\"1\""))
            #expect(text.contains("p.test.yaml:8:16: outcome of entry 1 (1-0)&#10;"))
        }
    }

    @Test("A filter without a matching case, and a JUnit file that cannot be written, exit with 1")
    func usage() async throws {
        let files = ["p.yaml": Self.pipeline, "p.test.yaml": Self.cases]
        let none = try await sluice("test", "p.test.yaml", "--filter", "colour", files: files)
        #expect(none.status == 1)
        #expect(none.errors == "sluice: --filter: no case with \"colour\" in its name\n")
        let folder = try await sluice("test", "p.test.yaml", "--junit", "/nowhere/at/all.xml", files: files)
        #expect(folder.status == 1)
        #expect(folder.errors.hasPrefix("sluice: --junit: cannot write /nowhere/at/all.xml"))
        let nothing = try await sluice("test")
        #expect(nothing.status == 64)
    }
}
