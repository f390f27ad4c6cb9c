import HTTPBase
import StageKit
import Testing

@testable import Admin

@Suite struct AdminSettingsTests {
    private func decode(_ text: String) -> (settings: AdminSettings?, issues: [String]) {
        let position = SettingPosition(line: 1, column: 1)
        let value = SettingNode(.scalar(text, isPlain: true), at: position)
        let node = SettingNode(
            .mapping([SettingNode.Pair(key: "listen", position: position, value: value)]), at: position)
        var issues = SettingIssues(context: "admin")
        let settings = AdminSettings.type.decode(node, &issues)
        return (settings, issues.all.map(\.message))
    }

    @Test(
        "Loopback addresses, Unix sockets and off are accepted and keep their text",
        arguments: [
            ("127.0.0.1:9191", ListenAddress.tcp(host: "127.0.0.1", port: 9191), nil),
            ("127.9.8.7:0", .tcp(host: "127.9.8.7", port: 0), nil),
            ("[::1]:65535", .tcp(host: "::1", port: 65535), nil),
            ("localhost:80", .tcp(host: "127.0.0.1", port: 80), "127.0.0.1:80"),
            ("unix:/run/sluice.sock", .unix(path: "/run/sluice.sock"), nil),
            ("off", .off, nil),
        ] as [(String, ListenAddress, String?)])
    func accepted(text: String, address: ListenAddress, written: String?) {
        let decoded = self.decode(text)
        #expect(decoded.settings?.listen == address)
        #expect(decoded.issues == [])
        #expect(address.description == written ?? text)
    }

    @Test(
        "Everything else is refused with the expected form",
        arguments: [
            ("0.0.0.0:9191", "admin: listen: other machines reach 0.0.0.0:9191: add token_file"),
            ("[::]:9191", "other machines reach [::]:9191"),
            ("10.0.0.1:1", "other machines"), ("127.1:9191", "other machines"), ("127.0.0.256:1", "other machines"),
            ("127.0.0.1.evil.org:1", "other machines"), ("example.org:9191", "other machines"),
            ("::1:9191", "expected 127"), (":9191", "expected 127"), ("a b:1", "expected 127"),
            ("[x]:1", "expected 127"),
            ("9191", "expected 127.0.0.1:PORT, HOST:PORT, [ADDRESS]:PORT, unix:/path or off"),
            ("127.0.0.1:65536", "expected 127"), ("127.0.0.1:+1", "expected 127"), ("127.0.0.1:", "expected 127"),
            ("", "expected 127"), ("unix:relative", "expected an absolute path"),
            ("unix:/", "expected an absolute path"),
            ("unix:/\(String(repeating: "x", count: 107))", "at most 107 bytes, found 108"),
        ])
    func refused(text: String, message: String) {
        let decoded = self.decode(text)
        #expect(decoded.settings == nil)
        #expect(decoded.issues.count == 1)
        #expect(decoded.issues.first?.contains(message) == true, "\(decoded.issues)")
    }

    @Test("A section without settings listens on the default")
    func defaults() {
        var issues = SettingIssues()
        let settings = AdminSettings.type.decode(SettingNode(.null, at: SettingPosition(line: 1, column: 1)), &issues)
        #expect(settings == AdminSettings())
        #expect(settings?.listen.description == AdminSettings.type.defaultText)
    }
}

extension SettingType {
    /// The default of the first setting, as documentation shows it.
    fileprivate var defaultText: String? {
        if case .object(let settings) = self.shape { settings.first?.defaultText } else { nil }
    }
}
