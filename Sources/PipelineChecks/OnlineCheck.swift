package import Admin
package import Checkpoints
package import ComponentKit
package import Gateway
import Logging
package import PipelineEngine
import RESP
package import RedisClient
package import RedisStreams
import StageKit

/// Checks all external resources that a pipeline needs; changes nothing there.
package struct OnlineCheck {
    /// The checked pipeline.
    package let pipeline: Pipeline
    /// The settings of the connection to the server, or `nil` if the file names none.
    package let redis: RedisSettings?
    /// The settings of the HTTP interface.
    package let admin: AdminSettings
    /// The settings of the gateway's doors, or `nil` for none.
    package let gateway: GatewaySettings?
    /// The settings of the revocation publisher, or `nil` for none.
    package let revocations: RevocationSettings?
    /// The settings of the checkpoint, or `nil` for none.
    package let checkpoint: CheckpointSettings?

    /// Creates a check of a pipeline.
    package init(_ pipeline: Pipeline) throws {
        self.pipeline = pipeline
        if pipeline.hasSection("redis") {
            var redis = try pipeline.section("redis", RedisSettings.type).used(for: "check")
            redis.clientName.pipeline = pipeline.name
            self.redis = redis
        } else {
            self.redis = nil
        }
        self.admin = try pipeline.section("admin", AdminSettings.type)
        self.gateway = try? pipeline.section("gateway", GatewaySettings.type)
        self.revocations = try? pipeline.section("revocations", RevocationSettings.type)
        self.checkpoint = try? pipeline.section("checkpoint", CheckpointSettings.type)
    }

    /// Performs all checks; never throws, because each failure is a step.
    package func steps() async -> [CheckStep] {
        let loop = RedisEventLoop()
        let silent = Logger(label: "sluice", factory: { _ in SwiftLogNoOpLogHandler() })
        var steps: [CheckStep] = []
        if let redis { steps += await self.server(redis, loop, silent) }
        steps += await self.pipeline.source.check()
        steps += await self.stores(loop, silent)
        await loop.shutDown()
        return SecretFiles.steps(self.redis, self.admin, self.gateway) + steps
            + [self.checkpoint.map { CheckpointCheck.step($0, self.pipeline) }, AdminCheck.step(self.admin)]
            .compactMap(\.self)
            + GatewayCheck.steps(self.gateway)
    }

    /// The keys of the streams that the pipeline reads from the server.
    private var streams: [String] { self.pipeline.source.serverUse?.streams ?? [] }

    /// Checks the server of the section `redis`.
    private func server(_ redis: RedisSettings, _ loop: RedisEventLoop, _ logger: Logger) async -> [CheckStep] {
        do throws(RedisError) {
            let connection = try await RedisConnection.connect(
                redis, for: self.streams.first ?? "", on: loop, logger: logger)
            var steps = [ServerAnswers.reached(connection.address, redis), ServerAnswers.encryption(redis)]
            steps += await self.inside(connection, redis)
            connection.close()
            // In a cluster, each stream may be on a different server.
            for stream in self.streams.dropFirst() {
                let connection = try await RedisConnection.connect(redis, for: stream, on: loop, logger: logger)
                steps.append(await self.content(of: stream, connection))
                connection.close()
            }
            return steps
        } catch {
            return ServerAnswers.refused(error, redis)
        }
    }

    /// Performs the checks over an authenticated connection.
    private func inside(_ connection: RedisConnection, _ redis: RedisSettings) async -> [CheckStep] {
        let identity = await self.answer(connection, RESPCommand("ACL", "WHOAMI"))
        let information = await self.answer(connection, RESPCommand("INFO"))
        let hello = await self.answer(connection, RESPCommand("HELLO"))
        var steps = [
            ServerAnswers.login(identity.value, redis),
            ServerAnswers.server(
                information.value, hello: hello.value, isShared: self.pipeline.source.groupName != nil),
            MemoryPolicy.step("memory policy", await self.memory(connection, information.value), of: .stream),
        ]
        let needs = CommandNeed.all(of: self.pipeline, self.revocations) + CommandNeed.naming(redis.clientName)
        let findings = RightsFindings(user: identity.value?.string, version: ServerVersion(information.value))
        steps.append(await self.rights(findings, needs, connection))
        guard let stream = self.streams.first else { return steps }
        steps.append(await self.content(of: stream, connection))
        if let group = self.pipeline.source.groupName {
            let groups = await self.answer(connection, RESPCommand("XINFO", "GROUPS", stream))
            steps.append(ServerAnswers.group(group, groups.value))
        }
        return steps
    }

    /// Checks the content of a stream.
    private func content(of stream: String, _ connection: RedisConnection) async -> CheckStep {
        let type = await self.answer(connection, RESPCommand("TYPE", stream))
        let contents = await self.answer(connection, RESPCommand("XINFO", "STREAM", stream))
        return ServerAnswers.stream(
            stream, type: type.value, information: contents.value, problem: contents.error?.message)
    }

    /// Tries the commands that change nothing, and asks the server about the others.
    private func rights(
        _ findings: RightsFindings, _ needs: [CommandNeed], _ connection: RedisConnection
    ) async -> CheckStep {
        var findings = findings
        for need in needs {
            findings.add(need, await self.finding(need, findings.user, connection))
        }
        return findings.step
    }

    /// Tries a command that changes nothing, or asks the server about another one.
    private func finding(
        _ need: CommandNeed, _ user: String?, _ connection: RedisConnection
    ) async -> RightsFindings.Finding {
        if need.isHarmless {
            switch await self.answer(connection, need.command).error {
            case let error? where error.code == .permission: return .refused(error.message)
            case let error? where error.code == .unknownCommand: return .missing
            default: return .granted
            }
        }
        let arguments = ["DRYRUN", user ?? "default"].map { Array($0.utf8) } + need.command.arguments
        let answer = await self.answer(connection, RESPCommand("ACL", arguments: arguments))
        switch answer.value?.string {
        case "OK": return .granted
        case let text?: return .refused("\(need.name): \(text)")
        case nil: break
        }
        let information = await self.answer(
            connection, RESPCommand("COMMAND", arguments: ["INFO".respBytes, need.command.arguments[0]]))
        return information.value?.array == [.null] ? .missing : .unknown
    }

    /// The initial content of a store in memory.
    private var beginning: String {
        guard self.checkpoint != nil else { return "empty at each start" }
        if !self.pipeline.source.startsAtCheckpoint {
            return "empty at each start: the checkpoint is written, and read with start: resume"
        }
        return "kept in the checkpoint"
    }

    /// The step of a store that has nothing to check.
    private func inProcess(_ name: String, _ retention: StoreRetention, _ type: String) -> CheckStep {
        switch retention {
        case .checkpoint: CheckStep(name, .good, "in this process's memory, \(self.beginning)")
        case .process: CheckStep(name, .good, "in this process's memory, empty at each start")
        case .own: CheckStep(name, .unknown, "\(type): cannot be checked")
        }
    }

    private func stores(_ loop: RedisEventLoop, _ logger: Logger) async -> [CheckStep] {
        var steps: [CheckStep] = []
        for store in self.pipeline.graph.stores {
            guard let component = self.pipeline.stores[store.name] else { continue }
            let before = steps.count
            if let remote = component.remote { steps.append(await self.lookup(remote, store.type)) }
            steps += await component.check()
            if !component.serverCommands.isEmpty { steps += await self.server(of: component, loop, logger) }
            if steps.count == before {
                steps.append(self.inProcess("store \(store.name)", component.retention, store.type))
            }
        }
        return steps
    }

    /// Tests that the server of a store answers.
    private func lookup(_ store: any RemoteSnapshotStore, _ type: String) async -> CheckStep {
        let name = "store \(store.name)"
        let step: CheckStep
        do {
            // No snapshot has a blank key, so this only tests that the server answers. (The empty key holds the
            // heartbeat.)
            _ = try await store.lookUp([UInt8(ascii: " ")])
            step = CheckStep(name, .good, "\(type): the server responds")
        } catch {
            step = CheckStep(name, .bad, "\(type): \(error)")
        }
        await store.shutDown()
        return step
    }

    /// Checks the permissions and the memory policy on the server of a store.
    private func server(
        of store: any SnapshotStore, _ loop: RedisEventLoop, _ logger: Logger
    ) async -> [CheckStep] {
        let name = "store \(store.name)"
        // An unreachable server was already reported by the lookup, or by the check of the section.
        guard let server = self.settings(ofServerOf: store.name),
            let connection = try? await RedisConnection.connect(server, for: name, on: loop, logger: logger)
        else { return [] }
        defer { connection.close() }
        let identity = await self.answer(connection, RESPCommand("ACL", "WHOAMI"))
        let information = await self.answer(connection, RESPCommand("INFO"))
        let findings = RightsFindings(
            name: "\(name) permissions", user: identity.value?.string, version: ServerVersion(information.value))
        return [
            await self.rights(findings, store.serverCommands.map { CommandNeed($0) }, connection),
            MemoryPolicy.step("\(name) memory", await self.memory(connection, information.value), of: .store),
        ]
    }

    /// The settings of the server of a store: those of its setting `server`, otherwise those of the section `redis`.
    private func settings(ofServerOf store: String) -> RedisSettings? {
        guard let node = self.pipeline.settings(ofStore: store)?["server"] else { return self.redis }
        var settings = FileOutline.decode(node, RedisSettings.type)
        settings?.clientName.pipeline = self.pipeline.name
        return settings?.used(for: "check")
    }

    /// Returns the server's eviction policy from its reply to INFO, or to CONFIG GET if INFO does not contain it.
    private func memory(_ connection: RedisConnection, _ information: RESPValue?) async -> MemoryPolicy? {
        if let policy = MemoryPolicy(information: information) { return policy }
        let policy = await self.answer(connection, RESPCommand("CONFIG", "GET", "maxmemory-policy"))
        let limit = await self.answer(connection, RESPCommand("CONFIG", "GET", "maxmemory"))
        return MemoryPolicy(policy: policy.value, limit: limit.value)
    }

    private func answer(
        _ connection: RedisConnection, _ command: RESPCommand
    ) async -> (value: RESPValue?, error: RedisError?) {
        do throws(RedisError) {
            return (try await connection.command(command), nil)
        } catch {
            return (nil, error)
        }
    }
}
