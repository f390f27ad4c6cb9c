package import ComponentKit
import StageKit

/// The state that a running source shows to other threads.
package struct SourceBoard: Sendable {
    /// The status of the source.
    package var status = SourceStatus()
    /// The bookmark of the stream for a checkpoint, or `nil` while no checkpoint is possible.
    package var bookmark: StreamBookmark?
    /// The epoch of the bookmark.
    package var epoch = 0

    /// Creates an empty board.
    package init() {}
}

extension [SourceBoard] {
    /// The combined status of several streams, as that of the stream that is furthest behind.
    var status: SourceStatus {
        guard var all = self.first?.status else { return SourceStatus() }
        for board in self.dropFirst() {
            let status = board.status
            if all.state == .reading || status.state == .stopped { all.state = status.state }
            all.reconnects += status.reconnects
            all.pulses &+= status.pulses
            all.lastError = status.lastError ?? all.lastError
            all.isCaughtUp = all.isCaughtUp && status.isCaughtUp
            all.detectsGaps = all.detectsGaps && status.detectsGaps
            all.isFilling = all.isFilling || status.isFilling
            all.lagEntries = all.lagEntries.flatMap { lag in status.lagEntries.map { lag &+ $0 } }
            all.gaps.merge(status.gaps) { $0 + $1 }
        }
        all.cursor = self.cursor
        return all
    }

    /// The cursor of the stream that is furthest behind; a stream that is caught up is not behind, however old its last
    /// entry is. If all are caught up, the newest cursor of any; `nil` if a stream that is behind has no cursor yet.
    private var cursor: EntryID? {
        let behind = self.filter { !$0.status.isCaughtUp }
        if behind.isEmpty { return self.compactMap(\.status.cursor).max() }
        let cursors = behind.compactMap(\.status.cursor)
        return cursors.count == behind.count ? cursors.min() : nil
    }
}
