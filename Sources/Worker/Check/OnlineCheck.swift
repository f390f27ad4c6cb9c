import Admin
import Logging
import PipelineEngine
import RESP
import RedisStreams
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

    /// Takes what it needs out of a pipeline.
    init(_ pipeline: Pipeline) throws {
        self.pipeline = pipeline
        self.redis = try pipeline.section("redis", RedisSettings.type)
        self.admin = try pipeline.section("admin", AdminSettings.type)
        self.revocations = try? pipeline.section("revocations", RevocationSettings.type)
    }

    /// A command that the worker needs.
    private struct Need {
        /// Its name in messages.
        var name: String
        /// The command.
        var command: RESPCommand
        /// Whether sending it changes nothing.
        var isHarmless: Bool
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
        await loop.shutDown()
        return SecretFiles.steps(self.redis, self.admin) + steps + (await self.stores()) + [AdminCheck.step(self.admin)]
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
        ]
        steps.append(await self.rights(connection, user: identity.value?.string))
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
        return ServerAnswers.stream(stream, type: type.value, information: contents.value)
    }

    /// The group that the source shares its entries with; nil where it has them all.
    private var group: GroupSettings? { (self.pipeline.source as? RedisStreamSource)?.group }

    /// Tries the commands that change nothing, and asks about the others.
    private func rights(_ connection: RedisConnection, user: String?) async -> CheckStep {
        var granted: [String] = []
        var refused: [(command: String, text: String)] = []
        var unknown: [String] = []
        for need in self.needs {
            if need.isHarmless {
                let answer = await self.answer(connection, need.command)
                if let error = answer.error, error.code == .permission {
                    refused.append((need.name, error.message))
                } else {
                    granted.append(need.name)
                }
                continue
            }
            let arguments = ["DRYRUN", user ?? "default"].map { Array($0.utf8) } + need.command.arguments
            let answer = await self.answer(connection, RESPCommand("ACL", arguments: arguments))
            switch answer.value?.string {
            case "OK": granted.append(need.name)
            case let text?: refused.append((need.name, text))
            case nil: unknown.append(need.name)
            }
        }
        return ServerAnswers.rights(granted: granted, refused: refused, unknown: unknown)
    }

    /// What the worker sends while it runs.
    private var needs: [Need] {
        let stream = self.streams[0]
        var needs =
            self.group.map { Self.needs(of: $0, stream) } ?? [
                Need(
                    name: "XREAD", command: RESPCommand("XREAD", "COUNT", 1, "STREAMS", stream, "0-0"), isHarmless: true
                ),
                Need(name: "XINFO", command: RESPCommand("XINFO", "STREAM", stream), isHarmless: true),
                Need(
                    name: "XREVRANGE", command: RESPCommand("XREVRANGE", stream, "+", "-", "COUNT", 1), isHarmless: true
                ),
                Need(name: "TIME", command: RESPCommand("TIME"), isHarmless: true),
            ]
        switch self.revocations?.target {
        case .channel(let channel):
            needs.append(Need(name: "PUBLISH", command: RESPCommand("PUBLISH", channel, "x"), isHarmless: false))
        case .stream(let key, _):
            needs.append(Need(name: "XADD", command: RESPCommand("XADD", key, "*", "key", "x"), isHarmless: false))
        case nil: break
        }
        return needs
    }

    /// What a worker of a group sends: all but the looks changes something, so it is asked about and not tried.
    private static func needs(of group: GroupSettings, _ stream: String) -> [Need] {
        let (name, consumer) = (group.name, group.consumer ?? "worker")
        let harmless = [
            Need(name: "XINFO", command: RESPCommand("XINFO", "STREAM", stream), isHarmless: true),
            Need(name: "XINFO GROUPS", command: RESPCommand("XINFO", "GROUPS", stream), isHarmless: true),
            Need(name: "XPENDING", command: RESPCommand("XPENDING", stream, name), isHarmless: true),
            Need(name: "CLIENT ID", command: RESPCommand("CLIENT", "ID"), isHarmless: true),
            Need(name: "TIME", command: RESPCommand("TIME"), isHarmless: true),
        ]
        let changing = [
            ("XGROUP CREATE", RESPCommand("XGROUP", "CREATE", stream, name, "$", "MKSTREAM")),
            (
                "XREADGROUP",
                RESPCommand("XREADGROUP", "GROUP", name, consumer, "COUNT", 1, "STREAMS", stream, ">")
            ),
            ("XACK", RESPCommand("XACK", stream, name, "0-1")),
            ("XCLAIM", RESPCommand("XCLAIM", stream, name, consumer, 0, "0-1", "JUSTID")),
            ("XAUTOCLAIM", RESPCommand("XAUTOCLAIM", stream, name, consumer, 0, "0-0", "COUNT", 1)),
            ("XGROUP DELCONSUMER", RESPCommand("XGROUP", "DELCONSUMER", stream, name, consumer)),
            ("CLIENT UNBLOCK", RESPCommand("CLIENT", "UNBLOCK", 0)),
        ]
        return harmless + changing.map { Need(name: $0.0, command: $0.1, isHarmless: false) }
    }

    private func stores() async -> [CheckStep] {
        var steps: [CheckStep] = []
        for store in self.pipeline.graph.stores {
            let name = "store \(store.name)"
            guard let remote = self.pipeline.stores[store.name] as? any RemoteSnapshotStore else {
                steps.append(
                    store.type == "memory"
                        ? CheckStep(name, .good, "in this process's memory, empty at each start")
                        : CheckStep(name, .unknown, "\(store.type): nothing to look at from here"))
                continue
            }
            do {
                // No snapshot has an empty key: an answer is all that is asked for.
                _ = try await remote.lookUp([])
                steps.append(CheckStep(name, .good, "\(store.type): its server answers"))
            } catch {
                steps.append(CheckStep(name, .bad, "\(store.type): \(error)"))
            }
            await remote.shutDown()
        }
        return steps
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
