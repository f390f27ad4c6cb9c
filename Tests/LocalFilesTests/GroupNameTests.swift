import Foundation
import Testing

@testable import LocalFiles

@Suite struct GroupNameTests {
    @Test(
        "A group is given by name or number; an unknown name has none",
        arguments: [("root", 0), ("0", 0), ("4242", 4242), ("no-such-group", nil), ("", nil), ("-1", nil)]
            as [(String, UInt32?)])
    func number(name: String, expected: UInt32?) {
        #expect(GroupName.number(of: name) == expected)
    }

    @Test("Concurrent lookups return the numbers of the group database")
    func concurrent() async throws {
        let lines = try String(contentsOfFile: "/etc/group", encoding: .utf8).split(separator: "\n")
        let known = lines.compactMap { line -> (String, UInt32)? in
            let parts = line.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count > 2, let number = UInt32(parts[2]), UInt32(parts[0]) == nil else { return nil }
            return (String(parts[0]), number)
        }
        try #require(known.count > 1)
        let wrong = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    var wrong = 0
                    for _ in 0..<50 {
                        for (name, number) in known where GroupName.number(of: name) != number { wrong += 1 }
                    }
                    return wrong
                }
            }
            return await group.reduce(0, +)
        }
        #expect(wrong == 0)
    }
}
