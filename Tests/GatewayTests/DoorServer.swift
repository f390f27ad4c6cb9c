import HTTPBase
import Logging
import ServiceLifecycle
import StageKit
import Testing

@testable import Gateway

/// Runs the doors of the tests.
enum DoorServer {
    /// A logger that logs nothing.
    static let silent = Logger(label: "gateway") { _ in SwiftLogNoOpLogHandler() }

    /// Runs a door, calls `body` with its actual addresses, and shuts it down.
    static func run(
        _ settings: HTTPDoorSettings, _ form: DoorForm = .http, connections: Int = 10,
        metrics: CountingMetrics = CountingMetrics(), _ body: ([ListenAddress]) async throws -> Void
    ) async throws {
        try await self.run(addresses: settings.listen.count) { onListening in
            GatewayServer(
                settings, form, secrets: try GatewaySecrets(settings, form), store: FixedGatewayStore(),
                metrics: metrics, connectionLimit: connections, logger: Self.silent, onListening: onListening)
        } _: {
            try await body($1)
        }
    }

    /// Runs a service that listens on this number of addresses, calls `body` with it and its actual addresses, and shuts
    /// it down.
    static func run<Door: Service>(
        addresses count: Int, _ make: (@escaping @Sendable (ListenAddress) -> Void) throws -> Door,
        _ body: (Door, [ListenAddress]) async throws -> Void
    ) async throws {
        let (addresses, continuation) = AsyncStream.makeStream(of: ListenAddress.self)
        let door = try make { continuation.yield($0) }
        let services = ServiceGroup(configuration: ServiceGroupConfiguration(services: [door], logger: Self.silent))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { continuation.finish() }
                try await services.run()
            }
            var actual: [ListenAddress] = []
            for await address in addresses {
                actual.append(address)
                if actual.count == count { break }
            }
            // Fewer if the door could not listen, which is thrown below.
            if actual.count == count { try await body(door, actual) }
            await services.triggerGracefulShutdown()
            try await group.waitForAll()
        }
    }
}
