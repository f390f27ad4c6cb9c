import StageKit

/// Compares a store's content with a case's expectation.
struct StoreCheck {
    /// The store's name in the file.
    let name: String
    /// The expected content.
    let expected: StoreExpectation
    /// The content, sorted by key.
    let found: [Snapshot]

    /// Returns all differences.
    func failures() -> [CaseFailure] {
        var failures = self.expected.holds.compactMap { self.held($0, exactly: false) }
        failures += self.expected.absent.compactMap { key in
            self.snapshot(key.value).map { snapshot in
                CaseFailure(
                    position: key.position, what: self.what(key.value), expected: "not held",
                    found: ObservationText.fields(snapshot))
            }
        }
        if let exactly = self.expected.exactly {
            failures += exactly.value.compactMap { self.held($0, exactly: true) }
            let keys = Set(exactly.value.map(\.key))
            failures += self.found.filter { !keys.contains($0.key) }.map { snapshot in
                CaseFailure(
                    position: exactly.position, what: self.what(snapshot.key),
                    expected: "not held, because exactly does not list it",
                    found: ObservationText.fields(snapshot))
            }
        }
        if let count = self.expected.count, count.value != self.found.count {
            failures.append(
                CaseFailure(
                    position: count.position, what: "count of store \(self.name)", expected: "\(count.value)",
                    found: "\(self.found.count): \(ObservationText.keys(self.found.map(\.key)))"))
        }
        return failures
    }

    private func held(_ expected: StoreExpectation.Held, exactly: Bool) -> CaseFailure? {
        let text = ObservationText.fields(expected.fields.map { ($0.name, $0.value) })
        let origin = expected.entry.map { " of entry \($0)" } ?? ""
        guard let snapshot = self.snapshot(expected.key) else {
            return CaseFailure(
                position: expected.position, what: self.what(expected.key), expected: text + origin,
                found: "not held; the held keys are \(ObservationText.keys(self.found.map(\.key)))")
        }
        var isGood = expected.entry == nil || expected.entry == snapshot.entryID
        for field in expected.fields {
            isGood = isGood && snapshot.fields.first { $0.name == field.name }?.bytes == field.value
        }
        if exactly {
            isGood = isGood && snapshot.fields.count == expected.fields.count { $0.value != nil }
        }
        guard !isGood else { return nil }
        return CaseFailure(
            position: expected.position, what: self.what(expected.key), expected: text + origin,
            found: ObservationText.fields(snapshot) + (expected.entry == nil ? "" : " of entry \(snapshot.entryID)"))
    }

    private func snapshot(_ key: [UInt8]) -> Snapshot? {
        self.found.first { $0.key == key }
    }

    private func what(_ key: [UInt8]) -> String {
        "\(TestBytes.show(key)) in store \(self.name)"
    }
}
