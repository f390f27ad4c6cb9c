import Hummingbird
import NIOCore
import StageKit
import Synchronization

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
///
/// With `?state=all`, a client that does not continue gets what is refused now first: see `RefusedState`.
struct RevocationRoute {
    /// Reports whether the worker is ready.
    let context: AdminContext
    /// The events to send.
    let log: RevocationLog
    /// The open streams.
    let streams: EventStreams
    /// Reads whole stores.
    let exporter: SnapshotExporter

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
            let state = try RefusedState(request, self.context)
            var start = try self.reader(id)
            var opening: EventStreams.Opening?
            if let state {
                let gap = start.gap ?? self.log.page(after: start.cursor, limit: 1).gap
                if gap != nil || id?.isEmpty ?? true {
                    // What changes from here on follows the state, which is read later.
                    start = Reader(cursor: self.log.end)
                    opening = try self.opening(state, gap)
                }
            }
            let reader = Mutex(start)
            return try self.streams.response(.revocations, wakenBy: self.log.wakes, opening: opening) {
                reader.withLock { self.next(&$0) }
            }
        }
    }

    /// Returns what writes the state. None of its events has an id: a client that came back with one would have only a
    /// part of the state.
    private func opening(
        _ state: RefusedState, _ gap: RevocationLog.Gap?
    ) throws(AdminFailure) -> EventStreams.Opening {
        let refusal = { @Sendable [context = self.context] in
            context.staleness(state.store.name).map { AdminFailure.unavailable("stale", $0) }
        }
        if let failure = refusal() { throw failure }
        // Given back when the state is written, not when the stream ends.
        let permit = Mutex<SnapshotExporter.Permit?>(try self.exporter.permit())
        return { writer in
            if let gap {
                var bytes: [UInt8] = []
                EventText.append("gap", data: #"{"reason":"\#(gap.rawValue)"}"#, to: &bytes)
                try await writer.write(ByteBuffer(bytes: bytes))
            }
            try await self.exporter.stream(unless: refusal, to: &writer) { pipe in
                try state.write(to: pipe) { self.exporter.isEnding }
            }
            // Also after the last piece: an incomplete store must not pass for a complete one.
            if let failure = refusal() { throw failure }
            try await writer.write(ByteBuffer(bytes: state.end))
            permit.withLock { $0 = nil }
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
            let before = (page.notices.first?.number ?? page.cursor + 1) - 1
            self.append(gap, at: before, to: &bytes)
        }
        for entry in page.notices {
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
    static func event(of entry: RevocationLog.Notice) -> (name: String, data: String) {
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
