import StageKit

/// Checks of the declarations of a stage.
extension ConformanceCheck {
    /// Checks that no capability is lost: a property that returns `nil` although the stage conforms to the protocol is
    /// often one that a base class provides.
    func capabilities() throws -> [String] {
        let stage = try StageHarness(S.self, self.settings, in: self.fixture.copy()).stage
        var found: [String] = []
        if stage is any EmittingStage, stage.emitting == nil {
            found.append("emitting is nil although the stage conforms to EmittingStage: its events would be lost")
        }
        if stage is any StatefulStage, stage.stateful == nil {
            found.append("stateful is nil although the stage conforms to StatefulStage: its state would not be saved")
        }
        return found
    }

    /// Checks that a stage whose result depends on events with other keys says so: with lanes, each instance receives a
    /// part of the keys.
    ///
    /// Two samples certainly have different keys if both have all fields of the fixture, and each has another value.
    func otherKeys(_ entries: [SampleEntry]) async throws -> [String] {
        let declared = try StageHarness(S.self, self.settings, in: self.fixture.copy()).usesOtherKeys
        guard !S.declaration.remembers, !declared, !self.fixture.fields.isEmpty else { return [] }
        let numbered = Self.number(entries, from: 1_000_000)
        for (index, entry) in numbered.enumerated() {
            let earlier = numbered[..<index].filter { self.areUnrelated($0, entry) }
            if earlier.isEmpty { continue }
            let alone = try await self.results([entry])
            let behind = try await self.results(earlier + [entry])
            if alone.last != behind.last {
                return [
                    "the result for an event depends on events with other values: declare remembers: true, or call "
                        + "setup.usesOtherKeys()"
                ]
            }
        }
        return []
    }

    private func results(_ entries: [SampleEntry]) async throws -> [EventReport] {
        try await self.withHarness(in: self.fixture.copy()) { harness in try await Self.work(harness, entries) }
    }

    private func areUnrelated(_ left: SampleEntry, _ right: SampleEntry) -> Bool {
        self.fixture.fields.allSatisfy { name in
            let values = [left, right].map { entry in entry.fields.last { $0.name == Array(name.utf8) }?.value }
            return values[0] != nil && values[1] != nil && values[0] != values[1]
        }
    }

    /// Checks the ids of the events that a stage adds, if it declares that they are in order.
    func additions(_ entries: [SampleEntry]) async throws -> [String] {
        try await self.withHarness(in: self.fixture.copy()) { harness in
            guard harness.stage.emitting?.emitsInOrder == true else { return [] }
            var found: [String] = []
            var last: EntryID?
            for (index, entry) in (entries + entries).enumerated() {
                // An hour apart, so that a stage for windows of time closes some.
                var entry = entry
                let id = EntryID(milliseconds: 1_000_000 + UInt64(index) * 3_600_000, sequence: 0)
                entry.id = id
                let count = harness.emitted.count
                _ = try await Self.work(harness, [entry])
                for added in harness.emitted[count...] {
                    if let last, added.id <= last {
                        found.append(
                            "emitsInOrder is true, but the added event \(added.id) is not newer than the entry \(last)")
                    }
                }
                last = id
            }
            return found
        }
    }
}
