import Logging
import PipelineEngine
import StageKit
import Testing

@Suite struct GraphCheckTests {
    private static let head = "pipeline: test\nsource: { memory: {} }\nstages:\n"
    private static let forms: String =
        "expected a branch, drop, halt, dead_letter, { dead_letter: ... } or { retry: ... }, found"

    /// What is said of an `on_failure`; the value begins at 5:17.
    static let rules: [(value: String, line: String)] = [
        ("[drop]", "p.yaml:5:17: probe: on_failure: \(forms) a list"),
        ("{ retry: {}, dead_letter: {} }", "p.yaml:5:17: probe: on_failure: \(forms) 2 names"),
        ("{ retyr: {} }", "p.yaml:5:19: probe: on_failure: unknown setting \"retyr\" (did you mean retry?)"),
        (
            "{ retry: { attempts: 1 } }",
            "p.yaml:5:38: probe: on_failure: retry: attempts: 1 is out of range: it must be from 2 to 100"
        ),
        (
            "{ retry: { backoff: 61s, max_backoff: 60s } }",
            "p.yaml:5:37: probe: on_failure: retry: backoff: 61s is too long: the maximum is 1m"
        ),
        (
            "{ retry: { backoff: 6s } }",
            "p.yaml:5:26: probe: on_failure: retry: backoff 6s is longer than max_backoff 5s"
        ),
        ("{ retry: { then: retry } }", "p.yaml:5:34: probe: on_failure: retry: then: retry cannot follow a retry"),
        (
            "{ retry: { then: { retry: {} } } }",
            "p.yaml:5:36: probe: on_failure: retry: then: retry cannot follow a retry"
        ),
        (
            "{ retry: { then: hlt } }",
            "p.yaml:5:34: probe: on_failure: no branch \"hlt\" (did you mean halt?)"
        ),
        (
            "{ dead_letter: { steam: x } }",
            "p.yaml:5:34: dead_letter: unknown setting \"steam\" (did you mean stream?)"
        ),
    ]

    @Test("An invalid on_failure is reported with its position", arguments: rules)
    func rule(value: String, line: String) {
        let error = #expect(throws: ConfigurationError.self) {
            try Probes.pipeline(Self.head + "  - probe: {}\n    on_failure: \(value)\n")
        }
        #expect(error?.lines == [line])
    }

    /// What is said of a `when`; the value begins at 6:11.
    static let conditions: [(value: String, line: String)] = [
        ("{ a: { at_lest: 1 } }", "p.yaml:6:18: probe: when: a: unknown setting \"at_lest\" (did you mean at_least?)"),
        (
            "{ a: {} }",
            "p.yaml:6:16: probe: when: a: expected a test (exists, at_least, at_most, above, below), found none"
        ),
        ("{ a: { above: 5, below: 6 } }", "p.yaml:6:16: probe: when: a: no number is within these bounds"),
        (
            "{ a: { exists: false, above: 1 } }",
            "p.yaml:6:16: probe: when: a: exists: false cannot be combined with bounds of a number"
        ),
        ("{ any: [] }", "p.yaml:6:18: probe: when: any: expected a list with at least 1 item"),
        ("{ all: a }", "p.yaml:6:18: probe: when: all: expected a list, found text"),
        ("{ not: [a] }", "p.yaml:6:18: probe: when: not: expected an expression, or names with values, found a list"),
        (
            "{ any: [ { a: x }, { not: { b: x } } ] }",
            "p.yaml:6:39: probe: when: no earlier stage provides the field \"b\" (did you mean a?)"
        ),
    ]

    @Test("An invalid condition is reported with its position", arguments: conditions)
    func condition(value: String, line: String) {
        let error = #expect(throws: ConfigurationError.self) {
            try Probes.pipeline(Self.head + "  - take: { fields: [a] }\n  - probe: {}\n    when: \(value)\n")
        }
        #expect(error?.lines == [line])
    }

    /// Graphs with what is wrong with them; the text begins at line 4.
    static let graphs: [ConfigurationTests.Mistake] = [
        .init(
            "  - take: {}\n    on_failure: { retry: {} }",
            "p.yaml:5:19: take: on_failure: a retry gives the same result, because take depends only on the event"),
        .init(
            "  - take: {}\n    on_failure: retry",
            "p.yaml:5:17: take: on_failure: a retry gives the same result, because take depends only on the event"),
        .init(
            """
              - take: { fields: [key] }
              - split: { keys: [a], to: b, default: c }
              - probe: {}
            branches: { b: [ probe ], c: [ probe ] }
            """,
            "p.yaml:6:5: probe: unreachable: \"split\" before it passes no event on"),
        .init(
            "  - dead_letter\n  - probe\n  - probe",
            "p.yaml:5:5: probe: unreachable: \"dead_letter\" before it passes no event on"),
        .init(
            """
              - take: { fields: [key] }
              - split: { keys: [a], to: b }
            branches:
              b:
                - split: { keys: [a], to: c }
              c:
                - probe: {}
                  on_failure: b
            """,
            "p.yaml:7:3: branches: \"b\" forms a cycle", "p.yaml:9:3: branches: \"c\" forms a cycle"),
        .init(
            "  - take: { fields: [key] }\n  - split: { keys: [a], to: x }", "p.yaml:5:29: split: no branch \"x\""),
        .init(
            "  - take\nbranches: { next: [ probe ] }",
            "p.yaml:5:13: branches: \"next\" is reserved in route"),
        .init(
            """
              - take: { fields: [a] }
                on_failure: b
              - take: { fields: [later] }
            branches:
              b: [ probe: { field: later } ]
            """,
            "p.yaml:8:24: probe: no earlier stage provides the field \"later\" (one of a)"),
        .init(
            """
              - probe
            branches:
              alone: [ { probe: , on_failure: other } ]
              other: [ probe ]
            """,
            "p.yaml:6:3: branches: no stage leads to \"alone\" (by on_failure or route)"),
    ]

    @Test("Errors in the paths of a graph are reported with their position", arguments: graphs)
    func graph(_ mistake: ConfigurationTests.Mistake) {
        let error = #expect(throws: ConfigurationError.self) { try Probes.pipeline(Self.head + mistake.text + "\n") }
        #expect(error?.lines == mistake.lines)
    }

    /// Graphs that are good though they look as if they were not.
    static let allowed: [String] = [
        // The condition lets other events by.
        "  - take: { fields: [a] }\n  - dead_letter:\n    when: { a: x }\n  - probe",
        // A failed event goes on behind a stage that fails as well.
        "  - probe: {}\n    on_failure: b\nbranches: { b: [ dead_letter, probe ] }",
        // A branch knows the fields of every way that leads to it, and what the failing stage was to provide.
        """
          - take: { fields: [a] }
            on_failure: b
          - take: { fields: [late] }
          - probe: {}
            on_failure: b
        branches: { b: [ { probe: { field: a } }, { probe: { field: late } } ] }
        """,
        // Two stages of a kind, and one with the name that the second would have had.
        "  - probe\n  - probe\n  - probe: {}\n    name: probe-2",
    ]

    @Test("Valid graphs are accepted", arguments: allowed)
    func good(text: String) {
        #expect(throws: Never.self) { try Probes.pipeline(Self.head + text + "\n") }
    }

    @Test("dead_letters needs the dead_letter stage type")
    func deadLetters() {
        let text = Self.head + "  - probe: {}\n    on_failure: dead_letter\n"
        let error = #expect(throws: ConfigurationError.self) {
            try Pipeline(
                text: Array(text.utf8), file: "p.yaml", catalogue: Probes.catalogue(withoutDeadLetters: true),
                services: PipelineServices(logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })))
        }
        #expect(error?.lines == ["p.yaml:5:17: probe: on_failure: this worker has no stage type \"dead_letter\""])
    }

    @Test("An unused store is a warning, not an error")
    func unusedStore() throws {
        let text = "pipeline: test\nsource: { memory: {} }\nstores: { s: { recording: {} } }\nstages: [ probe ]\n"
        let warnings = try Probes.pipeline(text).warnings
        #expect(
            warnings == [
                SettingIssue(
                    "stores: no stage uses \"s\"", at: SettingPosition(line: 3, column: 11), context: "stores")
            ])
    }

    @Test("The stages of a dead-letter branch are named after the failing stage")
    func names() throws {
        let text =
            Self.head + """
                  - probe: {}
                    on_failure: dead_letter
                  - probe: {}
                    name: second
                    on_failure: { retry: { then: { dead_letter: { stream: s } } } }
                """
        let names = try Probes.pipeline(text).statistics.stages.map(\.name)
        #expect(names == ["probe", "second", "probe/dead_letter", "second/dead_letter"])
    }
}
