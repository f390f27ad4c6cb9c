import Hummingbird
import StageKit
import Synchronization

/// `/v1/live`: what the dashboard and `sluice top` show, as server-sent events, one document a second.
struct LiveRoute {
    /// Knows the worker.
    let context: AdminContext
    /// The streams that are open.
    let streams: EventStreams

    /// Adds the route.
    func add(to router: AdminRouter) {
        router.get("v1/live") { _, _ in
            let last = Mutex<ContinuousClock.Instant?>(nil)
            return try self.streams.response(.live) {
                let now = ContinuousClock.now
                let isDue = last.withLock { last in
                    // A beat may come a little early.
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

/// `/v1/tap?stage=NAME&outcome=NAME&key=TEXT`: events as they get their outcomes, the failed ones included.
///
/// Events `event` hold a line of JSON, `missed` says how many there were that no room was left for.
struct TapRoute {
    /// Where events come from.
    let taps: TapHub
    /// The streams that are open.
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
                    throw AdminFailure.badRequest("outcome is one of \(names)")
                }
                filter.outcome = String(value)
            case "key": filter.key = Array(value.utf8)
            default: throw AdminFailure.badRequest("unknown parameter \(name): tap knows stage, outcome and key")
            }
        }
        return filter
    }

    /// Keeps a watcher with the hub for as long as its stream lives.
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

/// `/v1/revocations`: everything that ends a session, as server-sent events that continue after the `Last-Event-ID` of a
/// client.
///
/// - `hello`, first, with the id to come back with where nothing follows.
/// - `revocation`, `{"key":"ds-1","entry":"1700000000000-0"}`, with its id.
/// - `eviction`, the same with `"reason":"malformed_event"`: the entry names the key and cannot be relied on.
/// - `reset`, `{"key":"","entry":"0-0","store":"sessions","reason":"trimmed"}`: the store was emptied. The client has to
///   look up every key that it holds open.
/// - `gap`, `{"reason":"expired"}`: events may be missing before the next one, with the same consequence. Reasons are
///   those of `RevocationLog.Gap`.
/// - `status`, `{"ready":false,"reasons":["..."]}`, first and at each change: while it is not ready, no news is no proof.
struct RevocationRoute {
    /// Knows whether the worker is ready.
    let context: AdminContext
    /// Holds what is sent.
    let log: RevocationLog
    /// The streams that are open.
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

    /// Where a client goes on that has this id; at the end where it has none.
    private func reader(_ id: String?) throws(AdminFailure) -> Reader {
        guard let id, !id.isEmpty else { return Reader(cursor: self.log.end) }
        let parts = id.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let number = UInt64(parts[1]) else {
            throw AdminFailure.badRequest("Last-Event-ID: \"\(id)\" is none of this feed's ids")
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
            // Before what is missed was told, the client must not come back with a newer id.
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

    /// The event's name and its JSON body.
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
