import ComponentKit
import Foundation
import StageKit
import Testing

@testable import PluginLoading

@Suite struct PluginLoaderTests {
    private let fit = PluginLoader.Fit(kits: "abc", compiler: "Swift version 6.3.1")

    @Test func `A plugin of the same build is accepted, any other is refused with advice`() {
        #expect(self.fit.problem(SampleImage.stamp) == nil)
        var other = SampleImage.stamp
        other.kits = "def"
        #expect(
            self.fit.problem(other)
                == """
                was built against another build of Sluice (def, this worker has abc): rebuild it with this worker \
                (sluice plugin build DIR)
                """)
        other.compiler = "Swift version 6.2"
        #expect(
            self.fit.problem(other)
                == """
                was built by Swift version 6.2, this worker by Swift version 6.3.1: rebuild it with this worker \
                (sluice plugin build DIR)
                """)
        other.entryVersion = 1
        #expect(self.fit.problem(other)?.hasPrefix("was built for another version of Sluice") == true)
    }

    @Test func `This build knows its own fingerprint and compiler`() {
        #expect(KitBuild.fingerprint.count == 32)
        #expect(KitBuild.fingerprint.allSatisfy { $0.isHexDigit })
        #expect(KitBuild.compiler.hasPrefix("Swift version 6."))
    }

    @Test(arguments: [
        ("/a.so: undefined symbol: $s8StageKit9StageTypeVMn", "this program does not export StageKit: link it with "),
        (
            "/a.so: undefined symbol: $s12ComponentKit9StoreTypeVMn",
            "this program does not export ComponentKit: link it with "
        ),
        ("/a.so: undefined symbol: swift_retain", "needs the shared libraries of the Swift runtime"),
        ("/a.so: undefined symbol: $sSSN", "needs the shared libraries of the Swift runtime"),
        ("/a.so: undefined symbol: frob", "uses a symbol that this worker does not have"),
        ("/a.so: invalid ELF header", "cannot be loaded: /a.so: invalid ELF header"),
    ])
    func `A missing symbol or library is explained`(message: String, explanation: String) {
        #expect(PluginLoader.explain(message).hasPrefix(explanation))
    }

    private func refusal(_ path: String) -> String? {
        do throws(SettingRefusal) {
            _ = try PluginLoader().load(path)
            return nil
        } catch {
            return error.message
        }
    }

    @Test func `Files that are no plugins are refused before any of their code can run`() throws {
        let folder = FileManager.default.temporaryDirectory.resolvingSymlinksInPath()
            .appendingPathComponent("plugins-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        defer { try? FileManager.default.removeItem(at: folder) }
        func file(_ name: String, _ bytes: [UInt8], mode: Int = 0o644) throws -> String {
            let file = folder.appendingPathComponent(name)
            try Data(bytes).write(to: file)
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file.path)
            return file.path
        }
        #expect(self.refusal("\(folder.path)/none.so") == "\(folder.path)/none.so: No such file or directory")
        #expect(self.refusal(folder.path) == "\(folder.path): is not a file")
        #expect(self.refusal("/dev/zero") == "/dev/zero: is not a file")
        let text = try file("text.so", Array("hello".utf8))
        #expect(self.refusal(text) == "\(text): is not a shared library (not an ELF file)")
        let open = try file("open.so", SampleImage().bytes, mode: 0o666)
        #expect(self.refusal(open)?.contains("chmod go-w") == true)
        let link = folder.appendingPathComponent("link.so")
        try FileManager.default.createSymbolicLink(at: link, withDestinationURL: URL(fileURLWithPath: open))
        #expect(self.refusal(link.path)?.contains("chmod go-w \(open)") == true)
        var image = SampleImage()
        image.machine = try #require(PluginImage.Machine.current).rawValue
        let other = try file("other.so", image.bytes)
        #expect(self.refusal(other)?.hasPrefix("\(other): was built by Swift version 6.3.1, this worker by") == true)
        image.machine = 40
        let arm = try file("arm.so", image.bytes)
        #expect(self.refusal(arm)?.contains("is a shared library for another architecture (ELF machine 40") == true)
    }
}
