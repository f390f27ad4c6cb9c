import ComponentKit
import Logging
import Synchronization
import Testing

@testable import Operations

/// What a worker logs while it catches up with its stream.
@Suite struct CatchUpProgressTests {
    private struct Recorder: LogHandler {
        let lines: Lines
        var metadata: Logger.Metadata = [:]
        var metadataProvider: Logger.MetadataProvider?
        var logLevel = Logger.Level.trace

        init(lines: Lines) { self.lines = lines }

        subscript(metadataKey name: String) -> Logger.Metadata.Value? {
            get { self.metadata[name] }
            set { self.metadata[name] = newValue }
        }

        func log(event: LogEvent) {
            let metadata = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            self.lines.all.withLock { $0.append("\(event.message): \(metadata.joined(separator: " "))") }
        }
    }

    private final class Lines: Sendable {
        let all = Mutex<[String]>([])
    }

    private func status(lag: UInt64? = nil, isCaughtUp: Bool = false, isFilling: Bool = false) -> SourceStatus {
        var status = SourceStatus(state: .reading, isCaughtUp: isCaughtUp)
        status.lagEntries = lag
        status.isFilling = isFilling
        return status
    }

    @Test("A worker far behind logs the entries read, the rate, the part that is done and the time left, then its end")
    func behind() {
        let lines = Lines()
        var time = ContinuousClock.now
        var progress = CatchUpProgress(
            logger: Logger(label: "test", factory: { _ in Recorder(lines: lines) }), now: { time })
        var isOver = [
            progress.update(read: 0, SourceStatus(state: .connecting)),
            progress.update(read: 0, self.status(isFilling: true)),
        ]
        time += .seconds(10)
        // From the beginning of a stream, the stores count as being filled.
        isOver.append(progress.update(read: 2000, self.status(lag: 6000, isFilling: true)))
        time += .seconds(10)
        isOver.append(progress.update(read: 3000, self.status()))
        isOver.append(progress.update(read: 8000, self.status(lag: 0, isCaughtUp: true)))
        #expect(isOver == [false, false, false, false, true])
        #expect(
            lines.all.withLock(\.self) == [
                "catching up with the stream: entries=2000 per_second=200 percent=25 seconds_left=30",
                "catching up with the stream: entries=3000 per_second=100",
                "caught up with the stream: entries=8000 milliseconds=20000",
            ])
    }

    @Test("A worker that is soon caught up logs nothing")
    func soon() {
        let lines = Lines()
        var progress = CatchUpProgress(logger: Logger(label: "test", factory: { _ in Recorder(lines: lines) }))
        let isOver = [
            progress.update(read: 5, self.status(lag: 5)),
            progress.update(read: 10, self.status(lag: 0, isCaughtUp: true)),
        ]
        #expect(isOver == [false, true])
        #expect(lines.all.withLock(\.self) == [])
    }
}
