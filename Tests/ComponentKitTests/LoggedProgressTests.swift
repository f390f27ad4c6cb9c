import ComponentKit
import Logging
import StageKit
import Synchronization
import Testing

@Suite struct LoggedProgressTests {
    /// Records lines.
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
            self.lines.all.withLock { $0.append("\(event.level) \(event.message) \(metadata.joined(separator: " "))") }
        }
    }

    private final class Lines: Sendable {
        let all = Mutex<[String]>([])
    }

    @Test("Long work logs a line per interval, with the number under the name of its unit")
    func lines() {
        let lines = Lines()
        var time = ContinuousClock.now
        var progress = LoggedProgress(
            "loading the checkpoint", unit: "bytes", total: 4000,
            logger: Logger(label: "test", factory: { _ in Recorder(lines: lines) }), now: { time })
        var isLogged = [progress.update(0)]
        time += .seconds(10)
        isLogged += [progress.update(1000), progress.update(1001)]
        #expect(isLogged == [false, true, false])
        #expect(
            lines.all.withLock(\.self) == [
                "notice loading the checkpoint bytes=1000 per_second=100 percent=25 seconds_left=30"
            ])
    }
}
