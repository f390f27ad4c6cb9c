import Hummingbird
import StageKit
import Synchronization

/// `/v1/live`: the data of the dashboard and `sluice top` as server-sent events, one document per second.
struct LiveRoute {
    /// Provides the documents.
    let context: AdminContext
    /// The open streams.
    let streams: EventStreams

    /// Adds the route.
    func add(to router: AdminRouter) {
        router.get("v1/live") { _, _ in
            let last = Mutex<ContinuousClock.Instant?>(nil)
            return try self.streams.response(.live) {
                let now = ContinuousClock.now
                let isDue = last.withLock { last in
                    // A beat may come slightly early.
                    if let time = last, now - time < AdminLimits.liveInterval { return false }
                    last = now
                    return true
                }
                guard isDue else { return [] }
                var bytes: [UInt8] = []
                EventText.append("state", data: self.context.live(), to: &bytes)
                return bytes
            }
        }
    }
}

/// `/v1/tap?stage=NAME&outcome=NAME&key=TEXT`: events as they get their outcomes, including failed events.
///
/// An `event` contains one line of JSON; `missed` contains the number of events that did not fit.
struct TapRoute {
    /// The source of the events.
    let taps: TapHub
    /// The open streams.
    let streams: EventStreams

    /// Adds the route.
    func add(to router: AdminRouter) {
        router.get("v1/tap") { request, _ in
            let watcher = Watching(TapWatcher(try Self.filter(request)), self.taps)
            return try self.streams.response(.tap, wakenBy: watcher.watcher.wakes) {
                let (lines, missed) = watcher.watcher.drain()
                var bytes: [UInt8] = []
                for line in lines { EventText.append("event", data: line, to: &bytes) }
                if missed > 0 { EventText.append("missed", data: #"{"events":\#(missed)}"#, to: &bytes) }
                return bytes
            }
        }
    }

    private static func filter(_ request: Request) throws -> TapWatcher.Filter {
        var filter = TapWatcher.Filter()
        for (name, value) in request.uri.queryParameters {
            switch name {
            case "stage": filter.stage = String(value)
            case "outcome":
                guard Outcome.allCases.contains(where: { $0.name == value }) else {
                    let names = Outcome.allCases.map(\.name).joined(separator: ", ")
                    throw AdminFailure.badRequest("outcome must be one of \(names)")
                }
                filter.outcome = String(value)
            case "key": filter.key = Array(value.utf8)
            default: throw AdminFailure.badRequest("unknown parameter \(name): expected stage, outcome or key")
            }
        }
        return filter
    }

    /// Registers a watcher with the hub for the lifetime of its stream.
    private final class Watching: Sendable {
        let watcher: TapWatcher
        private let taps: TapHub

        init(_ watcher: TapWatcher, _ taps: TapHub) {
            self.watcher = watcher
            self.taps = taps
            taps.add(watcher)
        }

        deinit {
            self.taps.remove(self.watcher)
        }
    }
}
