import StageKit

/// Ends the snapshots of a store that have the event's value in an indexed field, and announces each as an eviction.
final class MatchingSnapshots {
    /// The limits between two announcements: as many snapshots as a worker reads entries at once while it catches up,
    /// and little memory for their records, which are kept until they were announced.
    private static let limit = IndexLimit(count: 4096, bytes: 1 << 20)

    private let ender: any SnapshotEnder
    private let match: FieldID
    private let matchName: String
    private let issuedBefore: FieldID?
    private let issuedBeforeName: String
    /// The column in which a key is passed to the handler.
    private let key: FieldID
    /// The reason in notifications for an event that has not failed: the stage's name.
    private let ownReason: String
    /// What can still be ended before the next announcement.
    private var left = limit

    /// Creates the part of a stage that ends snapshots; returns `nil` and adds the reasons to the issues if that is
    /// impossible.
    init?(_ settings: RevokeStage.Settings, match: LocatedName, _ setup: StageSetup) {
        self.match = setup.input(match)
        self.matchName = match.text
        self.issuedBefore = settings.issuedBefore.map { setup.input($0) }
        self.issuedBeforeName = settings.issuedBefore?.text ?? ""
        self.key = setup.temporaryField()
        self.ownReason = setup.stage
        setup.usesOtherKeys()
        guard let name = settings.store, let store = setup.store(name) else { return nil }
        guard let indexed = store.indexed else {
            setup.issues.add(
                "the store \"\(name.text)\" has no index by \"\(match.text)\": a store of type memory has one with the "
                    + "setting index: [\(match.text)]", at: match.position)
            return nil
        }
        guard let ender = indexed.makeEnder(by: match.text, issuedAt: settings.issuedAt) else {
            let hint = Nearest.hint(for: match.text, among: indexed.indexedFields.map(\.text))
            setup.issues.add(
                "the store \"\(name.text)\" has no index by \"\(match.text)\"\(hint): add the field to index in its "
                    + "settings", at: match.position)
            return nil
        }
        self.ender = ender
    }

    /// Whether snapshots were ended since the last announcement.
    var hasUnannounced: Bool { self.left != Self.limit }

    /// Finds the snapshots that the event ends.
    ///
    /// A blank value fails: it would end the sessions of everybody whose producer left the field empty.
    func begin(_ event: borrowing Event) throws(StageFailure) {
        guard let value = event.range(of: self.match), !event.withBytes(value, { Blank.isBlank($0) }) else {
            throw StageFailure("revoke: \(self.matchName) is missing or blank")
        }
        if let issuedBefore = self.issuedBefore, event.range(of: issuedBefore) == nil {
            throw StageFailure("revoke: missing \(self.issuedBeforeName)")
        }
        do {
            try self.ender.begin(event, value: value, issuedBefore: self.issuedBefore)
        } catch let failure as StageFailure {
            throw StageFailure("revoke: \(self.issuedBeforeName): \(failure.message)", reason: failure.reason)
        } catch {
            throw StageFailure("revoke: \(error)")
        }
    }

    /// Ends snapshots until all are ended or the limit is reached, and notifies the handler of each.
    ///
    /// - Returns: Whether all have been ended.
    func end(_ event: inout Event, handler: (any RevocationHandler)?) -> Bool {
        let (key, reason) = (self.key, event.failure?.reason ?? self.ownReason)
        return self.ender.end(&self.left) { bytes in
            guard let handler else { return }
            event.withTemporaryValue(bytes, of: key) { handler.evicted($0, key: key, reason: reason) }
        }
    }

    /// Records that everything ended so far was announced.
    func announced() {
        self.ender.announced()
        self.left = Self.limit
    }
}
