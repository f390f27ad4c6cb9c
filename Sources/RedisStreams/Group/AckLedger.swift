import StageKit

/// The entries that have their outcome and are not yet acknowledged on the server; each is kept until the server has
/// confirmed it. Pure.
///
/// They are sent in pieces, several of which may be in flight. Pieces that were in flight when a connection ended are
/// sent again.
struct AckLedger: Sendable, Equatable {
    /// Maximum number of pieces in flight: enough to hide their round trips, and few enough that a lost connection
    /// leaves little unacknowledged.
    static let piecesAtOnce = 8

    /// The entries to acknowledge, oldest first; the first `sent` pieces are in flight.
    private var pieces: [[EntryID]] = []
    private var sent = 0

    /// Whether everything is acknowledged.
    var isEmpty: Bool { self.pieces.isEmpty }

    /// The number of entries that are not acknowledged.
    var count: Int { self.pieces.reduce(0) { $0 + $1.count } }

    /// Whether all pieces are in flight.
    var isOnTheWay: Bool { self.sent == self.pieces.count }

    /// Adds entries that have their outcome.
    mutating func owe(_ ids: [EntryID]) {
        var rest = ids[...]
        while !rest.isEmpty {
            self.pieces.append(Array(rest.prefix(GroupCommands.idsAtOnce)))
            rest = rest.dropFirst(GroupCommands.idsAtOnce)
        }
    }

    /// Returns the next piece to send, which is in flight from now on, or `nil` if all pieces or the maximum number of
    /// them are in flight.
    mutating func nextToSend() -> ArraySlice<EntryID>? {
        guard self.sent < self.pieces.count, self.sent < Self.piecesAtOnce else { return nil }
        self.sent += 1
        return self.pieces[self.sent - 1][...]
    }

    /// Records that the server has acknowledged the oldest piece in flight.
    mutating func confirmed() {
        precondition(self.sent > 0, "an acknowledgement that was never sent")
        self.pieces.removeFirst()
        self.sent -= 1
    }

    /// Marks all pieces as unsent, because those in flight may not have arrived.
    mutating func disconnected() {
        self.sent = 0
    }
}
