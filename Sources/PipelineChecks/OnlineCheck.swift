package import Admin
import ComponentKit
package import Gateway
import Logging
package import PipelineEngine
import RESP
package import RedisStreams
package import SnapshotStores
import StageKit

/// Checks all external resources that a pipeline needs; changes nothing there.
package struct OnlineCheck {
    /// The checked pipeline.
    package let pipeline: Pipeline
    /// The settings of the connection to the server.
    package let redis: RedisSettings
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
        var redis = try pipeline.section("redis", RedisSettings.type).used(for: "check")
        redis.clientName.pipeline = pipeline.name
        self.redis = redis
        self.admin = try pipeline.section("admin", AdminSettings.type)
        self.gateway = try? pipeline.section("gateway", GatewaySettings.type)
        self.revocations = try? pipeline.section("revocations", RevocationSettings.type)
        self.checkpoint = try? pipeline.section("checkpoint", CheckpointSettings.type)
    }

    /// Performs all checks; never throws, because each failure is a step.
    package func steps() async -> [CheckStep] {
        let loop = RedisEventLoop()
        let silent = Logger(label: "sluice", factory: { _ in SwiftLogNoOpLogHandler() })
        var steps: [CheckStep]
        do throws(RedisError) {
            let connection = try await RedisConnection.connect(
                self.redis, for: self.streams[0], on: loop, logger: silent)
            steps = [ServerAnswers.reached(connection.address, self.redis), ServerAnswers.encryption(self.redis)]
            steps += await self.inside(connection)
            connection.close()
            // In a cluster, each stream may be on a different server.
            for stream in self.streams.dropFirst() {
                let connection = try await RedisConnection.connect(self.redis, for: stream, on: loop, logger: silent)
                steps.append(await self.look(at: stream, connection))
                connection.close()
            }
        } catch {
            steps = ServerAnswers.refused(error, self.redis)
        }
        steps += await self.stores(loop, silent)
        await loop.shutDown()
        return SecretFiles.steps(self.redis, self.admin, self.gateway) + steps
            + [self.checkpoint.map(CheckpointCheck.step), AdminCheck.step(self.admin)].compactMap(\.self)
            + GatewayCheck.steps(self.gateway)
    }

    /// The keys of the streams that the pipeline reads.
    private var streams: [String] {
        self.pipeline.source.streams
    }

    /// Performs the checks over an authenticated connection.
    private func inside(_ connection: RedisConnection) async -> [CheckStep] {
        let identity = await self.answer(connection, RESPCommand("ACL", "WHOAMI"))
        let information = await self.answer(connection, RESPCommand("INFO"))
        let hello = await self.answer(connection, RESPCommand("HELLO"))
        var steps = [
            ServerAnswers.login(identity.value, self.redis),
            ServerAnswers.server(information.value, hello: hello.value, isShared: self.group != nil),
            MemoryPolicy.step("memory policy", await self.memory(connection, information.value), of: .stream),
        ]
        let needs = CommandNeed.all(of: self.pipeline, self.revocations) + CommandNeed.naming(self.redis.clientName)
        let findings = RightsFindings(user: identity.value?.string, version: ServerVersion(information.value))
        steps.append(await self.rights(findings, needs, connection))
        steps.append(await self.look(at: self.streams[0], connection))
        if let group = self.group {
            let groups = await self.answer(connection, RESPCommand("XINFO", "GROUPS", self.streams[0]))
            steps.append(ServerAnswers.group(group.name, groups.value))
        }
        return steps
    }

    /// Checks the content of a stream.
    private func look(at stream: String, _ connection: RedisConnection) async -> CheckStep {
        let type = await self.answer(connection, RESPCommand("TYPE", stream))
        let contents = await self.answer(connection, RESPCommand("XINFO", "STREAM", stream))
        return ServerAnswers.stream(
            stream, type: type.value, information: contents.value, problem: contents.error?.message)
    }

    /// The consumer group that shares the source's entries, or `nil` if the source reads all entries.
    private var group: GroupSettings? { (self.pipeline.source as? RedisStreamSource)?.group }

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
        let start = (self.pipeline.source as? RedisStreamSource)?.streamSettings.start
        return start == .resume
            ? "kept in the checkpoint" : "empty at each start: the checkpoint is written, and read with start: resume"
    }

    private func stores(_ loop: RedisEventLoop, _ logger: Logger) async -> [CheckStep] {
        var steps: [CheckStep] = []
        for store in self.pipeline.graph.stores {
            let name = "store \(store.name)"
            guard let remote = self.pipeline.stores[store.name]?.remote else {
                steps.append(
                    store.type == "memory"
                        ? CheckStep(name, .good, "in this process's memory, \(self.beginning)")
                        : CheckStep(name, .unknown, "\(store.type): cannot be checked"))
                continue
            }
            do {
                // No snapshot has a blank key, so this only tests that the server answers. (The empty key holds the
                // heartbeat.)
                _ = try await remote.lookUp([UInt8(ascii: " ")])
                steps.append(CheckStep(name, .good, "\(store.type): the server responds"))
            } catch {
                steps.append(CheckStep(name, .bad, "\(store.type): \(error)"))
            }
            await remote.shutDown()
            guard let redis = remote as? RedisStore,
                // An unreachable server was already reported by the lookup.
                let connection = try? await RedisConnection.connect(
                    redis.server.used(for: "check"), for: name, on: loop, logger: logger)
            else { continue }
            let identity = await self.answer(connection, RESPCommand("ACL", "WHOAMI"))
            let information = await self.answer(connection, RESPCommand("INFO"))
            let findings = RightsFindings(
                name: "\(name) permissions", user: identity.value?.string, version: ServerVersion(information.value))
            steps.append(await self.rights(findings, CommandNeed.all(of: redis), connection))
            steps.append(
                MemoryPolicy.step("\(name) memory", await self.memory(connection, information.value), of: .store))
            connection.close()
        }
        return steps
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
