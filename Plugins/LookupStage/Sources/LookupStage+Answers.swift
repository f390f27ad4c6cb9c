import StageKit

// Requests to a store or a server, and what they found.
extension LookupStage {
    /// Requests values from the server.
    ///
    /// - Returns: The result for each key, and whether the server has answered none of the requests.
    func answers(
        to keys: [[UInt8]]
    ) async throws -> (answers: [Result<Found, StageFailure>], isOutage: Bool) {
        switch self.source {
        case .server(let store, _): return await self.answers(to: keys, from: store)
        case .hashes(let reader, _):
            let requests = keys.map { HashRequest(key: $0, fields: self.requestedFields) }
            let answers = try await reader.read(requests)
            guard answers.count == keys.count else {
                let failure = StageFailure("lookup: \(self.originName): the reader has not answered every request")
                return (keys.map { _ in .failure(failure) }, false)
            }
            return (answers.map { self.found($0) }, answers.allSatisfy(\.isOutage))
        case .memory, nil: return ([], false)
        }
    }

    private func answers(
        to keys: [[UInt8]], from store: any AwaitedStore
    ) async -> (answers: [Result<Found, StageFailure>], isOutage: Bool) {
        do throws(StageFailure) {
            try self.checkFreshness(of: store)
        } catch {
            return (keys.map { _ in .failure(error) }, false)
        }
        var answers: [Result<Snapshot?, any Error>] = []
        if !self.isConnected {
            // One request opens the connection for the others.
            answers = await Self.lookUp(keys[..<1], in: store, self.progress)
            self.isConnected = !answers.allSatisfy(\.isOutage)
            // The others would fail in the same way.
            if !self.isConnected { answers = Array(repeating: answers[0], count: keys.count) }
        }
        if answers.count < keys.count {
            answers += await Self.lookUp(keys[answers.count...], in: store, self.progress)
            self.isConnected = !answers.allSatisfy(\.isOutage)
        }
        do throws(StageFailure) {
            try self.checkFreshness(of: store)
        } catch {
            return (keys.map { _ in .failure(error) }, false)
        }
        return (answers.map { self.found($0) }, !self.isConnected)
    }

    private static func lookUp(
        _ keys: ArraySlice<[UInt8]>, in store: any AwaitedStore, _ progress: ProgressReporter
    ) async -> [Result<Snapshot?, any Error>] {
        await withTaskGroup(of: (Int, Result<Snapshot?, any Error>).self) { group in
            for (index, key) in zip(keys.indices, keys) {
                group.addTask {
                    do {
                        return (index, .success(try await store.lookUp(key)))
                    } catch {
                        return (index, .failure(error))
                    }
                }
            }
            var answers: [(Int, Result<Snapshot?, any Error>)] = []
            for await answer in group {
                progress.pulse()
                answers.append(answer)
            }
            return answers.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    private func found(_ answer: Result<Snapshot?, any Error>) -> Result<Found, StageFailure> {
        switch answer {
        case .success(let snapshot): .success(self.found(snapshot))
        case .failure(let error): .failure(StageFailure("lookup: \(self.originName): \(error)"))
        }
    }

    /// Returns the values of a snapshot.
    func found(_ snapshot: Snapshot?) -> Found {
        let values = self.fields.map { field in snapshot?.fields.first { $0.name == field.name } }
        return Found(exists: snapshot != nil, values: values)
    }

    private func found(_ answer: Result<[[UInt8]?], HashFailure>) -> Result<Found, StageFailure> {
        switch answer {
        case .failure(let error): return .failure(StageFailure("lookup: \(self.originName): \(error.message)"))
        case .success(let values):
            guard values.count == self.fields.count else {
                return .failure(StageFailure("lookup: \(self.originName): the reader has not returned every field"))
            }
            let fields = zip(self.fields, values).map { field, bytes in
                bytes.map { Snapshot.Field(name: field.name, bytes: $0) }
            }
            return .success(Found(exists: true, values: fields))
        }
    }
}

extension Result {
    /// Whether the server cannot be used now. An error that does not say so is taken for it, so that a server that is
    /// down is not asked once for each event.
    fileprivate var isOutage: Bool {
        if case .failure(let error) = self { (error as? any LookupError)?.isOutage ?? true } else { false }
    }
}
