import Admin
import Logging
import PipelineEngine
import RESP
import RedisStreams
import SnapshotStores
import StageKit

/// Looks at everything a pipeline needs from outside; changes nothing there.
struct OnlineCheck {
    /// The checked pipeline.
    let pipeline: Pipeline
    /// How to reach the server.
    let redis: RedisSettings
    /// The HTTP side.
    let admin: AdminSettings
    /// Where revocations are told, nil for nowhere.
    let revocations: RevocationSettings?
    /// Where the stores outlive the process, nil for nowhere.
    let checkpoint: CheckpointSettings?

    /// Takes what it needs out of a pipeline.
    init(_ pipeline: Pipeline) throws {
        self.pipeline = pipeline
        self.redis = try pipeline.section("redis", RedisSettings.type)
        self.admin = try pipeline.section("admin", AdminSettings.type)
        self.revocations = try? pipeline.section("revocations", RevocationSettings.type)
        self.checkpoint = try? pipeline.section("checkpoint", CheckpointSettings.type)
    }

    /// Looks at all of it; never throws: what goes wrong is a step.
    func steps() async -> [CheckStep] {
        let loop = RedisEventLoop()
        let silent = Logger(label: "sluice", factory: { _ in SwiftLogNoOpLogHandler() })
        var steps: [CheckStep]
        do throws(RedisError) {
            let connection = try await RedisConnection.connect(
                self.redis, for: self.streams[0], on: loop, logger: silent)
            steps = [ServerAnswers.reached(connection.address, self.redis), ServerAnswers.encryption(self.redis)]
            steps += await self.inside(connection)
            connection.close()
            // In a cluster each may be on a server of its own.
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
        return SecretFiles.steps(self.redis, self.admin) + steps
            + [self.checkpoint.map(CheckpointCheck.step), AdminCheck.step(self.admin)].compactMap(\.self)
    }

    /// The keys of the streams that are read.
    private var streams: [String] {
        (self.pipeline.source as? RedisStreamSource)?.streams ?? [self.pipeline.source.stream]
    }

    /// What is asked over a connection that is logged in.
    private func inside(_ connection: RedisConnection) async -> [CheckStep] {
        let identity = await self.answer(connection, RESPCommand("ACL", "WHOAMI"))
        let information = await self.answer(connection, RESPCommand("INFO"))
        var steps = [
            ServerAnswers.login(identity.value, self.redis),
            ServerAnswers.server(information.value, isShared: self.group != nil),
            MemoryPolicy.step("memory policy", await self.memory(connection, information.value), of: .stream),
        ]
        let needs = CommandNeed.all(of: self.pipeline, self.revocations)
        steps.append(await self.rights(RightsFindings(user: identity.value?.string), needs, connection))
        steps.append(await self.look(at: self.streams[0], connection))
        if let group = self.group {
            let groups = await self.answer(connection, RESPCommand("XINFO", "GROUPS", self.streams[0]))
            steps.append(ServerAnswers.group(group.name, groups.value))
        }
        return steps
    }

    /// What is in a stream.
    private func look(at stream: String, _ connection: RedisConnection) async -> CheckStep {
        let type = await self.answer(connection, RESPCommand("TYPE", stream))
        let contents = await self.answer(connection, RESPCommand("XINFO", "STREAM", stream))
        return ServerAnswers.stream(
            stream, type: type.value, information: contents.value, problem: contents.error?.message)
    }

    /// The group that the source shares its entries with; nil where it has them all.
    private var group: GroupSettings? { (self.pipeline.source as? RedisStreamSource)?.group }

    /// Tries the commands that change nothing, and asks about the others.
    private func rights(
        _ findings: RightsFindings, _ needs: [CommandNeed], _ connection: RedisConnection
    ) async -> CheckStep {
        var findings = findings
        for need in needs {
            if need.isHarmless {
                let answer = await self.answer(connection, need.command)
                findings.add(need, answer.error?.code == .permission ? .refused(answer.error?.message ?? "") : .granted)
                continue
            }
            let arguments = ["DRYRUN", findings.user ?? "default"].map { Array($0.utf8) } + need.command.arguments
            let answer = await self.answer(connection, RESPCommand("ACL", arguments: arguments))
            switch answer.value?.string {
            case "OK": findings.add(need, .granted)
            case let text?: findings.add(need, .refused("\(need.name): \(text)"))
            case nil: findings.add(need, .unknown)
            }
        }
        return findings.step
    }

    /// What a store in memory holds at the start.
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
            guard let remote = self.pipeline.stores[store.name] as? any RemoteSnapshotStore else {
                steps.append(
                    store.type == "memory"
                        ? CheckStep(name, .good, "in this process's memory, \(self.beginning)")
                        : CheckStep(name, .unknown, "\(store.type): nothing to look at from here"))
                continue
            }
            do {
                // No snapshot has a blank key: an answer is all that is asked for. (Under an empty one is the heartbeat.)
                _ = try await remote.lookUp([UInt8(ascii: " ")])
                steps.append(CheckStep(name, .good, "\(store.type): its server answers"))
            } catch {
                steps.append(CheckStep(name, .bad, "\(store.type): \(error)"))
            }
            await remote.shutDown()
            guard let redis = remote as? RedisStore,
                // Where it cannot be reached, the look-up has said so.
                let connection = try? await RedisConnection.connect(redis.server, for: name, on: loop, logger: logger)
            else { continue }
            let identity = await self.answer(connection, RESPCommand("ACL", "WHOAMI"))
            let findings = RightsFindings(name: "\(name) rights", user: identity.value?.string)
            steps.append(await self.rights(findings, CommandNeed.all(of: redis), connection))
            let information = await self.answer(connection, RESPCommand("INFO", "memory"))
            steps.append(
                MemoryPolicy.step("\(name) memory", await self.memory(connection, information.value), of: .store))
            connection.close()
        }
        return steps
    }

    /// What a server evicts, of its answer to INFO, or to CONFIG GET if it does not say there.
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
