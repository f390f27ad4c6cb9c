import StageKit

/// Checks the paths through a graph, independent of what its stages do.
struct GraphChecks {
    /// The lists and their arrows.
    let layout: GraphLayout
    /// The stages, as list and offset, behind which there are only events of their own.
    private var replacing: Set<[Int]> = []

    /// Creates checks.
    init(layout: GraphLayout) {
        self.layout = layout
    }

    /// Notes a stage that passes no event on but those that it adds: no element of an event goes beyond it, except on
    /// the path of its failures.
    mutating func noteReplacement(at list: Int, _ offset: Int) {
        self.replacing.insert([list, offset])
    }

    /// Adds all problems to the issues.
    func check(_ issues: inout SettingIssues) {
        self.checkRetries(&issues)
        self.checkStages(&issues)
        self.checkBranches(&issues)
        self.checkExpansions(&issues)
    }

    /// With lanes, each instance of such a stage would remember only a part of the events.
    func checkLanes(_ issues: inout SettingIssues) {
        for stage in self.layout.lists.flatMap(\.stages) where stage.type?.remembers == true {
            issues.add(
                "\(stage.typeName): remembers earlier events, but each lane sees only a part of them: remove lanes, or "
                    + "the stage", at: stage.declared.component.type.position)
        }
    }

    /// Retrying a stage that depends on nothing but the event gives the same result.
    private func checkRetries(_ issues: inout SettingIssues) {
        for stage in self.layout.lists.flatMap(\.stages) {
            guard let retry = stage.declared.onFailure?.retry, stage.type?.dependsOnlyOnEvent == true else { continue }
            issues.add(
                "\(stage.typeName): on_failure: a retry gives the same result, because \(stage.typeName) depends "
                    + "only on the event",
                at: retry.position)
        }
    }

    /// The events of elements have no elements of their own: an event's id has room for one number, and the number of
    /// events would be the product of two limits.
    private func checkExpansions(_ issues: inout SettingIssues) {
        for (index, list) in self.layout.lists.enumerated() {
            for (offset, stage) in list.stages.enumerated() where stage.type?.expands == true {
                guard let earlier = self.expansion(before: index, offset) else { continue }
                issues.add(
                    "\(stage.typeName): behind \"\(earlier)\", whose events cannot be expanded again: publish them to a "
                        + "stream, and expand them in a second pipeline that reads it",
                    at: stage.declared.component.type.position)
            }
        }
    }

    /// Returns an issue if a stage that uses stores comes after one that expands events: a store orders events by the id
    /// of their entry, which all elements of the entry have.
    func checkStores(_ stores: [String], of stage: GraphLayout.Stage, at list: Int, _ offset: Int) -> SettingIssue? {
        guard let store = stores.first, stage.type?.acceptsElements == false,
            let earlier = self.expansion(before: list, offset)
        else { return nil }
        return SettingIssue(
            "\(stage.typeName): behind \"\(earlier)\", whose events have the id of their entry, so the store \"\(store)\" "
                + "cannot order them: move \(stage.typeName) before \(earlier), or publish the events to a stream that a "
                + "second pipeline reads",
            at: stage.declared.component.type.position)
    }

    /// Returns the type of a stage whose elements may reach a stage, or `nil` if there is none.
    private func expansion(before list: Int, _ offset: Int) -> String? {
        for (index, other) in self.layout.lists.enumerated() {
            for (position, stage) in other.stages.enumerated() where stage.type?.expands == true {
                var open = [(list: index, from: position)]
                var seen: Set<Int> = []
                while let next = open.popLast() {
                    let stages = self.layout.lists[next.list].stages
                    for place in next.from..<stages.count {
                        // The expanding stage itself receives the whole event.
                        let isSource = next.list == index && place == position
                        if next.list == list, place == offset, !isSource { return stage.typeName }
                        for target in self.layout.targets(of: stages[place]) where seen.insert(target).inserted {
                            open.append((target, 0))
                        }
                        if self.replacing.contains([next.list, place]) { break }
                    }
                }
            }
        }
        return nil
    }

    /// A stage after one that never passes an event on is unreachable; the first such stage of each list is reported.
    private func checkStages(_ issues: inout SettingIssues) {
        let routed = Set(self.layout.lists.flatMap(\.stages).flatMap { $0.exits?.branches ?? [] }.map(\.text))
        for (index, list) in self.layout.lists.enumerated() {
            let last = list.stages.firstIndex { stage in
                guard stage.exits?.goesOn == false, stage.declared.condition == nil else { return false }
                // An event that has failed before continues after a stage that fails, unless the file says otherwise.
                let isRescue = index > 0 && !routed.contains(list.name.text)
                return !isRescue || stage.failure != .byDefault
            }
            guard let last, last + 1 < list.stages.count else { continue }
            let stage = list.stages[last + 1]
            issues.add(
                "\(stage.typeName): unreachable: \"\(list.stages[last].typeName)\" before it passes no event on",
                at: stage.declared.component.type.position)
        }
    }

    /// A branch that is unreachable, or that leads back to itself, is not part of a valid graph.
    private func checkBranches(_ issues: inout SettingIssues) {
        let lists = self.layout.lists
        let isWhole = !lists[0].stages.isEmpty && lists.flatMap(\.stages).allSatisfy { $0.exits != nil }
        let targets = lists.indices.map { self.layout.targets(of: $0) }
        let entered = lists.indices.reduce(into: Set<Int>()) { entered, list in
            entered.formUnion(targets[list].subtracting([list]))
        }
        for index in lists.indices.dropFirst() {
            let name = lists[index].name
            let isReserved = PipelineDefinition.reservedWords[name.text] != nil
            // The targets of a stage that could not be read are unknown.
            if isWhole, !isReserved, !entered.contains(index) {
                issues.add("branches: no stage leads to \"\(name.text)\" (by on_failure or route)", at: name.position)
            }
            if Self.reach(of: index, targets).contains(index) {
                issues.add("branches: \"\(name.text)\" forms a cycle", at: name.position)
            }
        }
    }

    /// Returns the lists that can be reached from a list.
    private static func reach(of list: Int, _ targets: [Set<Int>]) -> Set<Int> {
        var reached: Set<Int> = []
        var waiting = Array(targets[list])
        while let next = waiting.popLast() {
            if reached.insert(next).inserted { waiting += targets[next] }
        }
        return reached
    }
}
