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
        /// How often it is tried, the first time included.
        var attempts: Int
        /// The branch that it sends the events with the key `k0` or `k2` to; such a stage does nothing else.
        var split: String?
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
                    keys: Int.random(in: 0..<4, using: &random) == 0 ? ["k0", "k1"] : [], onFailure: nil,
                    attempts: Int.random(in: 0..<5, using: &random) == 0 ? 2 : 1)
            }
        }
        self.main = stages(Int.random(in: 1...6, using: &random))
        for branch in 0..<Int.random(in: 0...3, using: &random) {
            let name = "b\(branch)"
            // Branches lead to later ones only: a circle is no graph.
            let places = [self.main] + self.branches.map(\.stages)
            let free = places.enumerated().flatMap { list, stages in
                stages.indices.filter { stages[$0].onFailure == nil && stages[$0].split == nil }.map { (list, $0) }
            }
            guard !free.isEmpty else { break }
            for (list, index) in free.shuffled(using: &random).prefix(2) {
                var stage = list == 0 ? self.main[index] : self.branches[list - 1].stages[index]
                if Bool.random(using: &random) { stage.onFailure = name } else { stage.split = name }
                if list == 0 { self.main[index] = stage } else { self.branches[list - 1].stages[index] = stage }
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
        text += "{ number: \(stage.number), evicts: \(stage.evicts) }\n"
        if let target = stage.split { text = "\(indent)- split: { keys: [k0, k2], to: \(target) }\n" }
        text += "\(indent)  name: \(stage.name)\n"
        if !stage.keys.isEmpty { text += "\(indent)  when: { key: [\(stage.keys.joined(separator: ", "))] }\n" }
        if stage.split != nil { return text }
        if stage.attempts > 1 {
            let then = stage.onFailure.map { ", then: \($0)" } ?? ""
            text += "\(indent)  on_failure: { retry: { attempts: \(stage.attempts), backoff: 1us\(then) } }\n"
        } else if let target = stage.onFailure {
            text += "\(indent)  on_failure: \(target)\n"
        }
        return text
    }

    /// Takes one event to its end; `seen` is told of every stage that works on it.
    func end(_ id: EntryID, key: String, seen: (String) -> Void) -> End {
        var end = End(id: id, outcome: .applied, reason: nil, stage: nil, effects: [])
        var way = self.main[...]
        func branch(_ name: String) -> ArraySlice<Stage> {
            (self.branches.first { $0.name == name }?.stages ?? [])[...]
        }
        while let stage = way.popFirst() {
            if !stage.keys.isEmpty, !stage.keys.contains(key) { continue }
            if let target = stage.split {
                if ["k0", "k2"].contains(key) { way = branch(target) }
                continue
            }
            let act = Act(stage: stage.number, entry: id)
            // What has waited is not given to `process` again.
            let attempts = min(stage.attempts, act.failures == .max ? .max : act.failures + 1)
            for _ in 0..<(stage.waits && act.waits ? 1 : attempts) { seen(stage.name) }
            if act.failures >= stage.attempts {
                let hadFailed = end.stage != nil
                if !hadFailed { (end.outcome, end.reason, end.stage) = (.dropped, "act_failure", stage.name) }
                if let target = stage.onFailure {
                    way = branch(target)
                } else if !hadFailed {
                    return end
                }
            } else if act.finishes {
                // The failure stays the reason of an event that a branch has finished.
                if end.stage == nil { end.reason = "enough" }
                end.outcome = .skipped
                return end
            } else if end.effects.count < Event.effectLimit {
                end.effects.append(stage.name)
            }
        }
        return end
    }
}
