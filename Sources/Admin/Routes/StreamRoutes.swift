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

/// `/v1/revocations`: everything that ends a session, as server-sent events that continue after the client's
/// `Last-Event-ID`.
///
/// - `hello`, first, with the id to resume from if nothing follows.
/// - `revocation`, `{"key":"ds-1","entry":"1700000000000-0"}`, with its id.
/// - `eviction`, the same with `"reason":"malformed_event"`: the entry names the key and cannot be relied on.
/// - `reset`, `{"key":"","entry":"0-0","store":"sessions","reason":"trimmed"}`: the store was emptied. The client must
///   look up every key that it holds open.
/// - `gap`, `{"reason":"expired"}`: events may be missing before the next one, with the same consequence. The reasons
///   are those of `RevocationLog.Gap`.
/// - `status`, `{"ready":false,"reasons":["..."]}`, first and at each change: while the worker is not ready, the
///   absence of revocations proves nothing.
struct RevocationRoute {
    /// Reports whether the worker is ready.
    let context: AdminContext
    /// The events to send.
    let log: RevocationLog
    /// The open streams.
    let streams: EventStreams

    private struct Reader {
        var cursor: UInt64
        var gap: RevocationLog.Gap?
        var isNew = true
        var status: String?
    }

    /// Adds the route.
    func add(to router: AdminRouter) {
        router.get("v1/revocations", isUrgent: true) { request, _ in
            let id = request.headers[values: .init("Last-Event-ID")!].last.map { String($0) }
            let reader = Mutex(try self.reader(id))
            return try self.streams.response(.revocations, wakenBy: self.log.wakes) {
                reader.withLock { self.next(&$0) }
            }
        }
    }

    /// Returns a reader that continues after this id, or at the end if there is no id.
    private func reader(_ id: String?) throws(AdminFailure) -> Reader {
        guard let id, !id.isEmpty else { return Reader(cursor: self.log.end) }
        let parts = id.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let number = UInt64(parts[1]) else {
            throw AdminFailure.badRequest("Last-Event-ID: \"\(id)\" is not an id of this feed")
        }
        let end = self.log.end
        guard parts[0] == self.log.run, number <= end else { return Reader(cursor: end, gap: .restarted) }
        return Reader(cursor: number)
    }

    private func next(_ reader: inout Reader) -> [UInt8] {
        var bytes: [UInt8] = []
        if reader.isNew {
            reader.isNew = false
            let run = #"{"run":"\#(self.log.run)"}"#
            // The gap is sent before any newer id: otherwise a client could reconnect with an id that skips the gap.
            if let gap = reader.gap {
                self.append(gap, at: reader.cursor, to: &bytes)
            } else {
                EventText.append("hello", id: self.id(reader.cursor), data: run, to: &bytes)
            }
        }
        let page = self.log.page(after: reader.cursor)
        if let gap = page.gap {
            let before = (page.entries.first?.number ?? page.cursor + 1) - 1
            self.append(gap, at: before, to: &bytes)
        }
        for entry in page.entries {
            let (name, data) = Self.event(of: entry)
            EventText.append(name, id: self.id(entry.number), data: data, to: &bytes)
        }
        reader.cursor = page.cursor
        let reasons = self.context.readiness()
        var status = Array("{\"ready\":\(reasons.isEmpty),\"reasons\":".utf8)
        JSONText.append(reasons, to: &status)
        status.append(UInt8(ascii: "}"))
        let text = String(decoding: status, as: UTF8.self)
        if text != reader.status {
            EventText.append("status", data: text, to: &bytes)
            reader.status = text
        }
        return bytes
    }

    /// Returns the event's name and its JSON body.
    private static func event(of entry: RevocationLog.Entry) -> (name: String, data: String) {
        var data = [UInt8(ascii: "{")]
        func add(_ name: String, _ text: String) {
            data.append(UInt8(ascii: ","))
            JSONText.appendMember(name, text, to: &data)
        }
        JSONText.appendMember("key", entry.key, to: &data)
        add("entry", entry.entry.description)
        let name: String
        switch entry.kind {
        case .revocation:
            name = "revocation"
        case .eviction(let reason):
            name = "eviction"
            add("reason", reason)
        case .reset(let store, let reason):
            name = "reset"
            add("store", store)
            add("reason", reason)
        }
        data.append(UInt8(ascii: "}"))
        return (name, String(decoding: data, as: UTF8.self))
    }

    private func append(_ gap: RevocationLog.Gap, at number: UInt64, to bytes: inout [UInt8]) {
        EventText.append("gap", id: self.id(number), data: #"{"reason":"\#(gap.rawValue)"}"#, to: &bytes)
    }

    private func id(_ number: UInt64) -> String { "\(self.log.run)-\(number)" }
}
