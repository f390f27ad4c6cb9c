import Testing

@testable import PluginLoading

@Suite struct PluginImageTests {
    private func problem(_ bytes: [UInt8]) -> PluginImage.Problem? {
        do throws(PluginImage.Problem) {
            _ = try PluginImage(bytes, machine: .x86_64)
            return nil
        } catch {
            return error
        }
    }

    private func problem(_ change: (inout SampleImage) -> Void) -> PluginImage.Problem? {
        var image = SampleImage()
        change(&image)
        return self.problem(image.bytes)
    }

    @Test func `The stamp is read, also after other notes`() throws {
        #expect(try PluginImage(SampleImage().bytes, machine: .x86_64).stamp == SampleImage.stamp)
        var image = SampleImage()
        image.notes.insert(("GNU", 3, "some build id"), at: 0)
        image.notes.insert(("Sluice", 2, "another type"), at: 0)
        image.notes.insert(("", 1, ""), at: 0)
        #expect(try PluginImage(image.bytes, machine: .x86_64).stamp == SampleImage.stamp)
    }

    @Test func `A file that is not a plugin is reported with its kind`() {
        #expect(self.problem([]) == .notELF)
        #expect(self.problem(Array("#!/bin/sh\nexit 0\n".utf8)) == .notELF)
        #expect(self.problem([0x7F, 0x45, 0x4C, 0x46]) == .otherLayout)
        #expect(self.problem { $0.identification[4] = 1 } == .otherLayout)
        #expect(self.problem { $0.identification[5] = 2 } == .otherLayout)
        #expect(self.problem { $0.machine = 183 } == .otherMachine(183))
        #expect(self.problem { $0.type = 2 } == .notShared)
        #expect(self.problem { $0.segmentKind = 1 } == .noStamp)
        #expect(self.problem { $0.headerCount = 0 } == .noStamp)
        #expect(self.problem { $0.notes = [] } == .noStamp)
        #expect(self.problem { $0.notes = [("Sluice", 1, "entry=1\nmodule=x")] } == .noStamp)
        #expect(
            self.problem { $0.notes = [("Sluice", 1, SampleImage.stamp.text + String(repeating: "x", count: 4096))] }
                == .noStamp)
        #expect(self.problem { $0.notes = Array(repeating: ("GNU", 1, ""), count: 64) + $0.notes } == .noStamp)
    }

    @Test func `Offsets and lengths beyond the file are reported, not followed`() {
        #expect(self.problem { $0.table = .max } == .damaged)
        #expect(self.problem { $0.table = .max - 55 } == .damaged)
        #expect(self.problem { $0.segmentOffset = .max } == .damaged)
        #expect(self.problem { $0.segmentSize = .max } == .damaged)
        #expect(self.problem { $0.segmentSize = 1 << 40 } == .damaged)
        #expect(self.problem { $0.headerSize = 0 } == .damaged)
        #expect(self.problem { $0.headerCount = .max } == .damaged)
    }

    @Test func `A library that is cut off anywhere, or has any byte wrong, is refused or read, and never more`() {
        let whole = SampleImage().bytes
        for length in 0..<whole.count { #expect(self.problem(Array(whole[..<length])) != nil, "\(length) bytes") }
        for index in whole.indices {
            for value: UInt8 in [0, 1, 0x7F, 0x80, 0xFF] {
                var bytes = whole
                bytes[index] = value
                _ = self.problem(bytes)
            }
        }
        // A fixed seed, so that what is found once is found again.
        var state: UInt64 = 0x51C_1CE
        for _ in 0..<4_000 {
            var bytes = whole
            for _ in 0..<4 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                bytes[Int(state >> 33) % bytes.count] = UInt8(truncatingIfNeeded: state >> 24)
            }
            _ = self.problem(bytes)
        }
    }

    @Test func `A stamp reads back as it was written`() {
        #expect(PluginStamp(text: SampleImage.stamp.text.utf8) == SampleImage.stamp)
        #expect(PluginStamp(text: [0xFF]) == nil)
        #expect(PluginStamp(text: "entry=one\nmodule=m\nkits=s\ncompiler=c\n".utf8) == nil)
        let odd = PluginStamp(text: "entry=7\nmodule=m\nkits=a=b\ncompiler=\nmore=x\nnothing\n".utf8)
        #expect(odd == PluginStamp(entryVersion: 7, module: "m", kits: "a=b", compiler: ""))
        // So that a library of an older Sluice is refused for that reason.
        let old = PluginStamp(text: "entry=1\nmodule=m\nstagekit=s\ncompiler=c\n".utf8)
        #expect(old == PluginStamp(entryVersion: 1, module: "m", kits: "s", compiler: "c"))
    }
}
