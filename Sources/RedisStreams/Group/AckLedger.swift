import StageKit

/// The entries that have their outcome and that the server has not confirmed yet: none is forgotten before it has. Pure.
///
/// They leave in pieces, several of which may be on their way; what was on its way when a connection ended is sent again.
struct AckLedger: Sendable, Equatable {
    /// Pieces on their way at once: enough to hide the round trip of each, and what a lost connection leaves open is small.
    static let piecesAtOnce = 8

    /// What is owed, oldest first; the first `sent` pieces are on their way.
    private var pieces: [[EntryID]] = []
    private var sent = 0

    /// Whether everything is confirmed.
    var isEmpty: Bool { self.pieces.isEmpty }

    /// How many entries are not confirmed.
    var count: Int { self.pieces.reduce(0) { $0 + $1.count } }

    /// Whether all that is owed is on its way.
    var isOnTheWay: Bool { self.sent == self.pieces.count }

    /// Adds entries that have their outcome.
    mutating func owe(_ ids: [EntryID]) {
        var rest = ids[...]
        while !rest.isEmpty {
            self.pieces.append(Array(rest.prefix(GroupCommands.idsAtOnce)))
            rest = rest.dropFirst(GroupCommands.idsAtOnce)
        }
    }

    /// The next piece to send, which is on its way from now on; nil where all are, or enough.
    mutating func nextToSend() -> ArraySlice<EntryID>? {
        guard self.sent < self.pieces.count, self.sent < Self.piecesAtOnce else { return nil }
        self.sent += 1
        return self.pieces[self.sent - 1][...]
    }

    /// The server has confirmed the oldest piece on its way.
    mutating func confirmed() {
        precondition(self.sent > 0, "a confirmation of what was not sent")
        self.pieces.removeFirst()
        self.sent -= 1
    }

    /// What was on its way may not have come.
    mutating func disconnected() {
        self.sent = 0
    }
}
