package import StageKit

/// What a running source shows to other threads.
package struct SourceBoard: Sendable {
    /// How it is doing.
    package var status = SourceStatus()
    /// What is remembered of the stream, for a checkpoint; nil while there can be none.
    package var mark: StreamMark?
    /// The epoch of the mark.
    package var epoch = 0

    /// Shows nothing yet.
    package init() {}
}

extension [SourceBoard] {
    /// How several streams are doing together: as the one that is furthest behind.
    var status: SourceStatus {
        guard var all = self.first?.status else { return SourceStatus() }
        for board in self.dropFirst() {
            let status = board.status
            if all.state == .reading || status.state == .stopped { all.state = status.state }
            all.reconnects += status.reconnects
            all.pulses &+= status.pulses
            all.lastError = status.lastError ?? all.lastError
            all.isCaughtUp = all.isCaughtUp && status.isCaughtUp
            all.isFilling = all.isFilling || status.isFilling
            all.lagEntries = all.lagEntries.flatMap { lag in status.lagEntries.map { lag &+ $0 } }
            all.gaps.merge(status.gaps) { $0 + $1 }
        }
        all.cursor = self.cursor
        return all
    }

    /// Where the stream is that is furthest behind: one that is caught up is behind no other, however old its last entry is.
    /// Where all are, the newest entry of any; nil where one that is behind has no place yet.
    private var cursor: EntryID? {
        let behind = self.filter { !$0.status.isCaughtUp }
        if behind.isEmpty { return self.compactMap(\.status.cursor).max() }
        let cursors = behind.compactMap(\.status.cursor)
        return cursors.count == behind.count ? cursors.min() : nil
    }
}
