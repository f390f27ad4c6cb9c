import LookupStage
import StageKit
import StageTestKit
import Testing

/// Lookups of Redis hashes.
@Suite struct HashLookupTests {
    private struct WrongPassword: Error {}

    private let fixture: StageFixture
    private let hashes: RecordingHashReader

    init() throws {
        self.fixture = StageFixture(fields: ["device"])
        self.hashes = try #require(self.fixture.hashes)
        self.hashes.hold("device:d1", ["max": "80.5", "room": "kitchen"])
        self.hashes.hold("device:d2", ["max": "hot"])
    }

    private func settings(_ missing: SettingNode, _ defaults: SettingNode? = nil) -> SettingNode {
        let fields: SettingNode = ["limit": ["field": "max", "type": "double"], "room": "room"]
        if let defaults {
            return ["hash": "device:{device}", "fields": fields, "missing": missing, "defaults": defaults]
        }
        return ["hash": "device:{device}", "fields": fields, "missing": missing]
    }

    private func run(_ settings: SettingNode, _ devices: String...) async throws -> [EventReport] {
        let harness = try StageHarness(LookupStage.self, settings, in: self.fixture)
        return try await harness.complete(harness.process(devices.map { SampleEntry(["device": $0]) }))
    }

    @Test("A lookup of hashes keeps the contract of stages")
    func conformance() async {
        let violations = await StageConformance.check(
            LookupStage.self, self.settings("pass"),
            entries: [SampleEntry(["device": "d1"]), SampleEntry(["device": "none"]), SampleEntry([:])],
            in: self.fixture)
        #expect(violations == [])
    }

    @Test("The values of all events are requested in one call, each hash once")
    func oneCall() async throws {
        let reports = try await self.run(self.settings("pass"), "d1", "none", "d1")
        #expect(reports.map { $0.text("room") } == ["kitchen", nil, "kitchen"])
        #expect(reports.map { $0.values["limit"]?.typed } == [.double(80.5), nil, .double(80.5)])
        let fields = ["max", "room"].map { Array($0.utf8) }
        let keys = ["device:d1", "device:none"].map { Array($0.utf8) }
        #expect(self.hashes.calls == [keys.map { HashRequest(key: $0, fields: fields) }])
    }

    @Test("A missing hash and a missing field fail the event, or get the default")
    func missing() async throws {
        let failed = try await self.run(self.settings("fail"), "none", "d1")
        #expect(
            failed.map(\.failureMessage) == ["lookup: hash device:{device} has no max", nil])
        #expect(failed[0].failure?.reason == "lookup_failure")
        let replaced = try await self.run(self.settings("default", ["limit": "30", "room": ""]), "none")
        #expect(replaced[0].values["limit"]?.typed == .double(30))
        #expect(replaced[0].text("room") == "")
    }

    @Test("A value of another type fails its own event only")
    func mismatch() async throws {
        let reports = try await self.run(self.settings("pass"), "d2", "d1")
        #expect(
            reports.map(\.failureMessage) == [
                #"lookup: hash device:{device}: limit: "hot" is not a number (type double)"#, nil,
            ])
    }

    @Test("An event without the field of the key, or with an empty one, fails")
    func withoutKey() async throws {
        let harness = try StageHarness(LookupStage.self, self.settings("pass"), in: self.fixture)
        let reports = try await harness.complete(
            harness.process([SampleEntry([:]), SampleEntry(["device": ""]), SampleEntry(["device": "d1"])]))
        #expect(
            reports.map(\.failureMessage) == [
                "lookup: hash device:{device}: device is missing", "lookup: hash device:{device}: device is empty", nil,
            ])
    }

    @Test("A refused request fails its events; the others continue", arguments: ["pass", "fail", "default"])
    func refused(missing: String) async throws {
        self.hashes.refuse("device:d1", with: HashFailure("HMGET: the key holds another type"))
        let defaults: SettingNode? = missing == "default" ? ["limit": "1", "room": "x"] : nil
        self.hashes.hold("device:d3", ["max": "1", "room": "x"])
        let reports = try await self.run(self.settings(.text(missing), defaults), "d1", "d3", "d1")
        let message = "lookup: hash device:{device}: HMGET: the key holds another type"
        #expect(reports.map(\.failureMessage) == [message, nil, message])
    }

    @Test(
        "A server that does not answer fails every event of the batch and is asked once", arguments: ["pass", "fail"])
    func outage(missing: String) async throws {
        for number in 0..<600 {
            self.hashes.refuse("device:\(number)", with: HashFailure("gave up after 30s", isOutage: true))
        }
        let harness = try StageHarness(LookupStage.self, self.settings(.text(missing)), in: self.fixture)
        let entries = (0..<600).map { SampleEntry(["device": "\($0)"]) }
        let reports = try await harness.complete(harness.process(entries))
        #expect(reports.allSatisfy { $0.failureMessage == "lookup: hash device:{device}: gave up after 30s" })
        #expect(self.hashes.calls.count == 1)
    }

    @Test("A server that cannot be used at all ends the run")
    func unusable() async throws {
        self.hashes.fail(with: WrongPassword())
        await #expect(throws: WrongPassword.self) { try await self.run(self.settings("pass"), "d1") }
    }

    @Test("A pipeline without a server is refused, as are settings that exclude each other")
    func mistakes() {
        var fixture = StageFixture(fields: ["device"])
        fixture.hashes = nil
        #expect(
            StageHarness<LookupStage>.mistakes(self.settings("pass"), in: fixture)
                == ["1:1: lookup: there is no server to read hashes from: add the section redis"])
        let both: SettingNode = [
            "hash": "a", "store": .text("devices").at(2, 3), "key": "device", "fields": ["a": "b"],
        ]
        #expect(
            StageHarness<LookupStage>.mistakes(both, in: self.fixture)
                == ["2:3: lookup: store and hash are both given: keep one of them"])
    }
}
