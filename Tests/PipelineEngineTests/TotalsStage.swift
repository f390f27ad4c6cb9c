import Logging
import StageKit
import StageTestKit

/// Adds up the numbers in a field, and adds events with the total after every third event.
final class TotalsStage: EmittingStage, StatefulStage {
    struct Settings: Sendable {
        var field = LocatedName.unread
        var copies = 1
        var isOrdered = true
    }

    /// The events so far and their total, saved as `total count last element`: the id of the last event, with the number
    /// of its element counted from 1, or 0.
    final class Totals: StageState {
        struct Content: Equatable {
            var total = 0
            var count = 0
            var last = EventID(.zero)
        }

        let content = OrderedMutex(Content())

        func save() -> [UInt8] {
            let content = self.content.withLock { $0 }
            let (entry, element) = (content.last.entry.milliseconds, (content.last.element ?? -1) + 1)
            return Array("\(content.total) \(content.count) \(entry) \(element)".utf8)
        }

        func restore(_ bytes: [UInt8]) throws(StageFailure) {
            let parts = String(decoding: bytes, as: UTF8.self).split(separator: " ").map { Int($0) ?? -1 }
            guard parts.count == 4, parts.allSatisfy({ $0 >= 0 }) else { throw StageFailure("not a total") }
            let entry = EntryID(milliseconds: UInt64(parts[2]), sequence: 0)
            let last = EventID(entry, element: parts[3] == 0 ? nil : parts[3] - 1)
            self.content.withLock { $0 = Content(total: parts[0], count: parts[1], last: last) }
        }
    }

    static let declaration = StageDeclaration(
        name: "totals", summary: "Adds events with totals.",
        settings: .object(
            SettingsSchema(
                Settings(),
                [
                    .required("field", \.field, .name, "What it adds up."),
                    .optional("copies", \.copies, .integer(), "How many events it adds at a time."),
                    .optional("ordered", \.isOrdered, .boolean, "Whether their ids are in order."),
                ])),
        example: "totals: { field: a }", failureReason: "totals_failure", remembers: true)

    let emitsInOrder: Bool
    var state: any StageState { self.totals }
    private let totals = Totals()
    private let copies: Int
    private let input: FieldID
    private let output: FieldID
    private let counted: ReasonID
    private var pending: [(id: UInt64, total: Int)] = []

    init(_ settings: Settings, _ setup: StageSetup) {
        self.input = setup.input(settings.field)
        self.output = setup.emits("total", type: .integer)
        self.counted = setup.reason("counted")
        self.copies = settings.copies
        self.emitsInOrder = settings.isOrdered
    }

    func process(_ event: inout Event) throws -> Verdict {
        guard let text = event.text(of: self.input), let number = Int(text) else { throw StageFailure("totals: none") }
        let id = event.eventID
        let first = id.entry.milliseconds * 100 + UInt64(id.element ?? 0) * 10
        self.pending += self.totals.content.withLock { content in
            guard id > content.last else { return [] }
            content.total += number
            content.count += 1
            content.last = id
            let total = content.total
            return content.count % 3 == 0 ? (0..<self.copies).map { (first + UInt64($0), total) } : []
        }
        return .finish(.applied, self.counted)
    }

    let followsTime = true

    /// Adds the total of the entries after the last total.
    func advance(to milliseconds: UInt64) {
        let content = self.totals.content.withLock { $0 }
        if content.count % 3 != 0 { self.pending.append((milliseconds, content.total)) }
    }

    var hasEmissions: Bool { !self.pending.isEmpty }

    func emit(into events: EmittedEvents) {
        for (id, total) in self.pending {
            events.add(id: EntryID(milliseconds: id, sequence: 1)) { event in
                event.set(self.output, copying: Array("\(total)".utf8))
            }
        }
        self.pending = []
    }
}

/// Records the text of a field in the log of the test, so that it can be compared.
final class NoteStage: Stage {
    static let declaration = StageDeclaration(
        name: "note", summary: "Notes a field.",
        settings: .object(
            SettingsSchema(LocatedName.unread, [.required("field", \.self, .name, "What it notes.")])),
        example: "note: { field: a }", failureReason: "note_failure")

    private let field: FieldID
    private let log: (String) -> Void

    init(_ settings: LocatedName, _ setup: StageSetup) {
        self.field = setup.input(settings)
        let logger = setup.logger
        self.log = { logger.info("\($0)") }
    }

    func process(_ event: inout Event) -> Verdict {
        self.log("\(event.id) \(event.text(of: self.field) ?? "none")")
        return .next
    }
}
