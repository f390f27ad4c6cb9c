import StageKit
import StageTestKit

/// A graph of acting stages, and what it must do with one event after another: written for clarity, with none of the
/// engine's parts.
struct GraphModel {
    /// A stage.
    struct Stage {
        var number: Int
        var waits: Bool
        var evicts: Bool
        /// The keys that its condition lets through, empty for all.
        var keys: [String]
        /// The branch of failed events.
        var onFailure: String?
        var name: String { "s\(self.number)" }
    }

    /// What became of one event.
    struct End: Equatable {
        var id: EntryID
        var outcome: Outcome
        var reason: String?
        var stage: String?
        var effects: [String]
    }

    var main: [Stage] = []
    var branches: [(name: String, stages: [Stage])] = []

    /// A graph of up to 16 stages in which every branch can be reached.
    init(using random: inout some RandomNumberGenerator) {
        var number = 0
        func stages(_ count: Int) -> [Stage] {
            (0..<count).map { _ in
                number += 1
                return Stage(
                    number: number, waits: Int.random(in: 0..<3, using: &random) == 0,
                    evicts: Bool.random(using: &random),
                    keys: Int.random(in: 0..<4, using: &random) == 0 ? ["k0", "k1"] : [], onFailure: nil)
            }
        }
        self.main = stages(Int.random(in: 1...6, using: &random))
        for branch in 0..<Int.random(in: 0...3, using: &random) {
            let name = "b\(branch)"
            // Branches lead to later ones only: a circle is no graph.
            let places = [self.main] + self.branches.map(\.stages)
            let free = places.enumerated().flatMap { list, stages in
                stages.indices.filter { stages[$0].onFailure == nil }.map { (list, $0) }
            }
            guard !free.isEmpty else { break }
            for (list, index) in free.shuffled(using: &random).prefix(2) {
                if list == 0 {
                    self.main[index].onFailure = name
                } else {
                    self.branches[list - 1].stages[index].onFailure = name
                }
            }
            self.branches.append((name, stages(Int.random(in: 1...3, using: &random))))
        }
        self.branches.shuffle(using: &random)
    }

    /// The pipeline file.
    var text: String {
        var text = """
            pipeline: test
            source: { memory: {} }
            stores: { s: { recording: {} } }
            stages:
              - take: { fields: [key] }

            """
        text += self.main.map { Self.item($0, "  ") }.joined()
        if !self.branches.isEmpty { text += "branches:\n" }
        for branch in self.branches {
            text += "  \(branch.name):\n" + branch.stages.map { Self.item($0, "    ") }.joined()
        }
        return text
    }

    private static func item(_ stage: Stage, _ indent: String) -> String {
        var text = "\(indent)- \(stage.waits ? "waiting_act" : "act"): "
        text += "{ number: \(stage.number), evicts: \(stage.evicts) }\n\(indent)  name: \(stage.name)\n"
        if !stage.keys.isEmpty { text += "\(indent)  when: { key: [\(stage.keys.joined(separator: ", "))] }\n" }
        if let target = stage.onFailure { text += "\(indent)  on_failure: \(target)\n" }
        return text
    }

    /// Takes one event to its end; `seen` is told of every stage that works on it.
    func end(_ id: EntryID, key: String, seen: (String) -> Void) -> End {
        var end = End(id: id, outcome: .applied, reason: nil, stage: nil, effects: [])
        var way = self.main[...]
        var isInBranch = false
        while let stage = way.popFirst() {
            if !stage.keys.isEmpty, !stage.keys.contains(key) { continue }
            seen(stage.name)
            switch Act(stage: stage.number, entry: id).ending {
            case .next: if end.effects.count < Event.effectLimit { end.effects.append(stage.name) }
            case .finish:
                // The failure stays the reason of an event that a branch has finished.
                if end.stage == nil { end.reason = "enough" }
                end.outcome = .skipped
                return end
            case .fail:
                if end.stage == nil {
                    (end.outcome, end.reason, end.stage) = (.dropped, "act_failure", stage.name)
                }
                if let target = stage.onFailure {
                    way = (self.branches.first { $0.name == target }?.stages ?? [])[...]
                    isInBranch = true
                } else if !isInBranch {
                    return end
                }
            }
        }
        return end
    }
}
