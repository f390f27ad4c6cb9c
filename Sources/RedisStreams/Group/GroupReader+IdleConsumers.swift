import ComponentKit
import Logging
import RESP
import RedisClient
import StageKit

// Removes the consumers of workers that no longer exist.
extension GroupReader {
    /// Removes idle consumers, if a check is due. An error reply never ends the connection: the group works without.
    func removeIdleConsumers(_ control: RedisConnection) async throws(RedisError) {
        guard self.idleConsumers.isDue(at: .now) else { return }
        while true {
            let result =
                self.idleConsumers.form == .script
                ? try await self.removeByScript(control) : try await self.removeOneByOne(control)
            switch result {
            case .success(let names):
                guard !names.isEmpty else { return }
                self.status.consumersRemoved += names.count
                self.show { _ in }
                let metadata: Logger.Metadata = [
                    "group": "\(self.group.name)", "consumers": "\(names.joined(separator: " "))",
                    "idle": "\(SettingUnits.text(self.idleConsumers.limit))",
                ]
                return self.driver.logger.notice("removed idle consumers without pending entries", metadata: metadata)
            case .failure(let error):
                if self.idleConsumers.refused(error) { continue }
                if self.idleConsumers.form == .off {
                    self.driver.logger.info(
                        "idle consumers of the group cannot be removed",
                        metadata: ["group": "\(self.group.name)", "error": "\(error)"])
                }
                return
            }
        }
    }

    private func removeByScript(
        _ control: RedisConnection
    ) async throws(RedisError) -> Result<[String], RedisError> {
        let command = self.idleConsumers.removal(self.commands)
        let answer = try await control.submit(command).reply().value()
        if case .error(let text) = answer { return .failure(.answer(text, to: "EVAL")) }
        return .success((answer.array ?? []).compactMap(\.string))
    }

    /// Removes consumers that were idle in two checks in a row, each right after its pending entries were queried.
    ///
    /// One case remains: a worker that was silent for the whole limit, and then for the time until the next check, may read
    /// an entry between that query and DELCONSUMER, which is one round trip. The server then drops the entry from the
    /// pending ones: if that worker finishes it, nothing is lost, and if the worker is killed first, nobody delivers the
    /// entry again. The reply contains the number of such entries, which is logged as an error. Only a script, with the
    /// permission `+eval`, closes this gap: WATCH does not notice that a group has read.
    private func removeOneByOne(
        _ control: RedisConnection
    ) async throws(RedisError) -> Result<[String], RedisError> {
        let answer = try await control.submit(self.commands.consumers).reply().value()
        if case .error(let text) = answer { return .failure(.answer(text, to: "XINFO")) }
        guard let names = self.idleConsumers.candidates(answer, own: self.commands.consumer) else {
            return .failure(.unexpectedAnswer(to: "XINFO", "expected a list of consumers"))
        }
        var removed: [String] = []
        for name in self.idleConsumers.idleAgain(names) {
            let pending = try await control.submit(self.commands.pending(of: name)).reply().value()
            if case .error(let text) = pending { return .failure(.answer(text, to: "XPENDING")) }
            guard pending.array?.isEmpty == true else { continue }
            let answer = try await control.submit(self.commands.remove(name)).reply().value()
            if case .error(let text) = answer { return .failure(.answer(text, to: "XGROUP")) }
            removed.append(name)
            let lost = answer.integer ?? 0
            if lost > 0 {
                self.driver.logger.error(
                    "a consumer read entries while it was removed: they are no longer pending",
                    metadata: ["consumer": "\(name)", "entries": "\(lost)"])
            }
        }
        return .success(removed)
    }
}
