import StageKit
import Testing

@testable import HTTPBase

@Suite struct ListenRulesTests {
    private static let good = "0123456789abcdef"
    private static let local = ListenAddress.tcp(host: "127.0.0.1", port: 1)
    private static let remote = ListenAddress.tcp(host: "0.0.0.0", port: 1)
    private static let socket = ListenAddress.unix(path: "/run/s")

    /// The settings of a listener, and the beginnings of the expected messages.
    struct Case: Sendable, CustomTestStringConvertible {
        var listen: [ListenAddress] = [ListenRulesTests.local]
        var mode: UInt32?
        var token: String?
        var tokenFile: String?
        var tls: ServerTLS?
        var issues: [String] = []
        var testDescription: String { "\(self.listen) \(self.token ?? "no token") \(self.issues)" }
    }

    static let encrypted = ServerTLS()
    static let mutual: ServerTLS = {
        var tls = ServerTLS()
        tls.clientCAFile = LocatedName("/ca", at: SettingPosition(line: 7, column: 1))
        return tls
    }()

    static let cases = [
        Case(), Case(listen: [socket]), Case(listen: [.off]), Case(token: good), Case(tokenFile: "/t"),
        Case(listen: [remote], token: good), Case(listen: [remote], tokenFile: "/t"),
        Case(listen: [remote], tls: mutual), Case(listen: [socket, local], mode: 0o660, tls: encrypted),
        Case(listen: [remote], issues: ["1: listen: other machines reach 0.0.0.0:1: add token_file"]),
        Case(
            listen: [local, remote, .tcp(host: "::", port: 2)], tls: encrypted,
            issues: ["1: listen: other machines reach 0.0.0.0:1", "1: listen: other machines reach [::]:2"]),
        Case(token: "", issues: ["2: token: is empty: give a token, or remove the setting"]),
        Case(listen: [remote], token: "", issues: ["2: token: is empty"]),
        Case(listen: [remote], token: "", tls: mutual, issues: ["2: token: is empty"]),
        Case(
            token: "", tokenFile: "/t", issues: ["2: token: is empty", "3: token and token_file are both given"]),
        Case(token: good, tokenFile: "/t", issues: ["3: token and token_file are both given: keep one of them"]),
        Case(listen: [remote], token: "short", issues: ["2: token: must have at least 16 characters"]),
        Case(token: good + " ", issues: ["2: token: must be printable ASCII without spaces"]),
        Case(mode: 0o660, issues: ["4: mode: only a Unix socket has one, and listen has none"]),
        Case(listen: [socket], tls: encrypted, issues: ["1: tls: only a TCP address can be encrypted"]),
        Case(listen: [.off], tls: mutual, issues: ["1: tls: only a TCP address can be encrypted"]),
    ]

    @Test("Contradictory settings, unfit tokens and open addresses are reported", arguments: cases)
    func rules(_ example: Case) {
        func position(_ line: Int) -> SettingPosition { SettingPosition(line: line, column: 1) }
        var entries: [SettingNode.Pair] = []
        func add(_ name: String, _ value: String?, _ line: Int) {
            guard let value else { return }
            let node = SettingNode(.scalar(value, isPlain: true), at: position(line))
            entries.append(SettingNode.Pair(key: name, position: position(line), value: node))
        }
        add("listen", "given", 1)
        add("token", example.token, 2)
        add("token_file", example.tokenFile, 3)
        add("mode", example.mode.map(String.init), 4)
        var issues = SettingIssues(context: "")
        let section = SettingNode(.mapping(entries), at: position(9))
        let file = example.tokenFile.map { LocatedName($0, at: position(3)) }
        let hasToken = AccessToken.check(example.token ?? "", file: file, section, &issues)
        let rules = ListenRules(
            listen: example.listen, mode: example.mode, group: nil, tls: example.tls, hasSecret: hasToken)
        rules.check(section, &issues)
        let found = issues.all.map { "\($0.position.line): \($0.message)" }
        #expect(found.count == example.issues.count, "\(found)")
        for (found, expected) in zip(found, example.issues) {
            #expect(found.hasPrefix(expected))
        }
    }
}
