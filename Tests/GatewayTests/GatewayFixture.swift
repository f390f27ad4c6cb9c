import CoreMetrics
import Foundation
import NIOCore
import NIOEmbedded
import NIOHTTP1
import StageKit
import Synchronization

@testable import Gateway

/// A store that knows some keys: `good`, `bad` (refused), `old` (stale), and `user:X`, which is allowed with the user X.
struct FixedGatewayStore: GatewayStore {
    func decide(_ key: Span<UInt8>, _ values: inout GatewayValues) -> GatewayDecision {
        let text = String(decoding: [UInt8](copying: key), as: UTF8.self)
        switch text {
        case "bad": return .refused
        case "old": return .stale
        case "good":
            values.add(Array("alice".utf8))
            values.add(nil)
            return .allowed
        case _ where text.hasPrefix("user:"):
            let user = Array(text.utf8.dropFirst("user:".utf8.count)).map { $0 == UInt8(ascii: "~") ? 0x0A : $0 }
            values.add(user)
            values.add(Array("key".utf8))
            return .allowed
        default: return .absent
        }
    }
}

extension GatewayValues {
    /// Adds the next value.
    mutating func add(_ value: [UInt8]) { self.add(value.span) }
}

/// Counts what is counted.
final class CountingMetrics: MetricsFactory {
    private final class Count: CounterHandler {
        let value = Atomic<Int64>(0)
        func increment(by amount: Int64) { self.value.wrappingAdd(amount, ordering: .relaxed) }
        func reset() {}
    }

    private let counts = Mutex<[String: Count]>([:])

    func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        let count = Count()
        let name = ([label] + dimensions.map(\.1)).joined(separator: " ")
        self.counts.withLock { $0[name] = count }
        return count
    }

    func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        NOOPMetricsHandler.instance
    }
    func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler { NOOPMetricsHandler.instance }
    func destroyCounter(_ handler: any CounterHandler) {}
    func destroyRecorder(_ handler: any RecorderHandler) {}
    func destroyTimer(_ handler: any TimerHandler) {}

    /// What was counted, by label and dimensions, without zeros.
    var all: [String: Int] {
        self.counts.withLock { counts in
            counts.compactMapValues { count in
                let value = Int(count.value.load(ordering: .relaxed))
                return value == 0 ? nil : value
            }
        }
    }
}

/// A connection of the HTTP door without a socket.
final class DoorConnection {
    let channel = EmbeddedChannel()
    let loop = DoorLoop()
    let metrics = CountingMetrics()
    let connections = DoorConnections(limit: 10)

    /// Settings with two headers, for keys in a header, a cookie and a bearer token.
    static var settings: HTTPDoorSettings {
        let position = SettingPosition(line: 1, column: 1)
        var settings = HTTPDoorSettings()
        settings.key = [.header("X-Session"), .cookie("sid"), .bearer]
        settings.headers = [("X-User", "user_id"), ("X-Key", "public_key")].map {
            NamedSetting(name: $0.0, position: position, value: LocatedName($0.1, at: position))
        }
        return settings
    }

    init(
        _ settings: HTTPDoorSettings = DoorConnection.settings, token: String? = nil, readsPlain: Bool = true
    ) throws {
        let parts = HTTPDoorParts(settings, token: token.map { Array($0.utf8) }, store: FixedGatewayStore())
        _ = self.connections.enter()
        let handler = HTTPDoorHandler(
            parts, self.loop, self.connections,
            GatewayMetrics(self.metrics, door: "http", refusals: GatewayMetrics.Refusal.http))
        try GatewayServer.addHandlers(handler, to: self.channel.pipeline.syncOperations, readsPlain: readsPlain)
        try self.channel.connect(to: SocketAddress(unixDomainSocketPath: "/x")).wait()
    }

    deinit {
        _ = try? self.channel.finish(acceptAlreadyClosed: true)
    }

    /// Sends bytes and returns what is written then.
    func send(_ bytes: [UInt8]) throws -> String {
        try self.channel.writeInbound(ByteBuffer(bytes: bytes))
        var text = ""
        while let buffer = try self.channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: buffer) }
        return text
    }

    /// Sends text and returns what is written then.
    func send(_ text: String) throws -> String { try self.send(Array(text.utf8)) }

    /// Sends one request with these header lines and returns the response.
    func request(_ lines: [String] = [], method: String = "GET", target: String = "/") throws -> String {
        try self.send("\(method) \(target) HTTP/1.1\r\n\((lines + ["", ""]).joined(separator: "\r\n"))")
    }
}

/// Calls `body` with a new directory, which is removed afterwards.
func withDirectory(_ body: (String) async throws -> Void) async throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    try await body(directory.path)
}
