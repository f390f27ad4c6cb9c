public import ComponentKit
import RESP

// The commands of a store, for `sluice check`.
extension RedisStore {
    /// The commands of changes and lookups, of emptying, and of the heartbeat.
    public var serverCommands: [ServerCommand] {
        let commands = self.commands
        return commands.always.map { Self.serverCommand($0, substitute: nil) }
            + commands.emptying.map {
                Self.serverCommand($0, substitute: "the store cannot be emptied after a gap, and the run ends")
            }
            + commands.heartbeat.map {
                Self.serverCommand($0, substitute: "no heartbeat shows gateways that the store is up to date")
            }
    }

    /// A command that the server is asked about, and that is not tried.
    private static func serverCommand(_ command: RESPCommand, substitute: String?) -> ServerCommand {
        ServerCommand(
            String(decoding: command.arguments[0], as: UTF8.self), Array(command.arguments.dropFirst()),
            isHarmless: false, substitute: substitute)
    }
}
