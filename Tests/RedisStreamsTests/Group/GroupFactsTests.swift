import RESP
import RedisClient
import StageKit
import Testing

@testable import RedisStreams

@Suite struct GroupFactsTests {
    private func text(_ text: String) -> RESPValue { .bulk(Array(text.utf8)) }

    @Test("Pending entries are read, and sorted into parts for one command each")
    func pending() {
        func row(_ number: Int, _ consumer: String, _ idle: Int64, _ count: Int64) -> RESPValue {
            .array([self.text("\(number)-0"), self.text(consumer), .integer(idle), .integer(count)])
        }
        let list = PendingEntry.list(
            .array([row(1, "a", 9, 1), row(2, "b", 5, 1), row(3, "a", 7, 1), row(4, "a", 1, 2)]))
        let parts = PendingEntry.parts(of: list ?? [])
        #expect(parts.map(\.ids) == [[id(1), id(3)], [id(2)], [id(4)]])
        #expect(parts.first?.idle == .milliseconds(7) && parts.map(\.deliveries) == [1, 1, 2])
        #expect(PendingEntry.list(.array([.array([self.text("1-0")])])) == nil && PendingEntry.list(.null) == nil)
    }

    @Test("A group is found by its name, even if the server reports fewer fields")
    func facts() throws {
        func group(_ name: String, _ more: [RESPValue]) -> RESPValue {
            .array(
                [
                    self.text("name"), self.text(name), self.text("consumers"), .integer(2), self.text("pending"),
                    .integer(7), self.text("last-delivered-id"), self.text("9-1"),
                ] + more)
        }
        let old = group("a", [])
        let new = group("b", [self.text("entries-read"), .null, self.text("lag"), .integer(4)])
        let answer = RESPValue.array([old, new])
        let found = try GroupFacts.find("b", in: answer)
        #expect(
            found
                == GroupFacts(
                    delivered: EntryID(milliseconds: 9, sequence: 1), pending: 7, consumers: 2, read: nil, lag: 4))
        #expect(try GroupFacts.find("a", in: answer)?.lag == nil && GroupFacts.find("c", in: answer) == nil)
        #expect(throws: RedisError.self) { try GroupFacts.find("a", in: .array([.array([self.text("name")])])) }
    }

    @Test(
        "Ids are written as Redis writes them",
        arguments: [id(0), id(1700), EntryID.max, EntryID(milliseconds: 10, sequence: 105)])
    func digits(_ id: EntryID) {
        #expect(String(decoding: id.digits, as: UTF8.self) == id.description)
    }

    @Test("A consumer name belongs to one worker until it ends; the next worker gets the next name")
    func lease() {
        let scope = "test \(UInt64.random(in: 0 ... .max))"
        func take(_ settings: GroupSettings) -> ConsumerLease {
            ConsumerLease.take(settings, scope: scope, address: .unix(path: "/s"))
        }
        let plain = GroupSettings(name: "g")
        var first: ConsumerLease? = take(plain)
        let second = take(plain)
        #expect(first?.consumer == "\(ConsumerLease.hostName)-1" && second.consumer == "\(ConsumerLease.hostName)-2")
        #expect(first?.warning(plain) == nil && second.warning(plain) == nil)
        #expect(take(GroupSettings(name: "other")).consumer.hasSuffix("-1"))
        first = nil
        #expect(take(plain).consumer.hasSuffix("-1"))
        var named = plain
        named.consumer = "mine"
        let held = take(named)
        let next = take(named)
        #expect(held.consumer == "mine" && held.warning(named) == nil)
        #expect(next.consumer == "mine-2" && next.warning(named)?.contains("\"mine\"") == true)
    }

    @Test("If another process uses all names, a worker gets a name of its own", arguments: [nil, "mine"])
    func squatted(name: String?) {
        let scope = "test \(UInt64.random(in: 0 ... .max))"
        var settings = GroupSettings(name: "g")
        settings.consumer = name
        let taken = (0..<ConsumerLease.slotLimit).map { _ in
            ConsumerLease.take(settings, scope: scope, address: .unix(path: "/s"))
        }
        let last = (0..<2).map { _ in ConsumerLease.take(settings, scope: scope, address: .unix(path: "/s")) }
        #expect(Set((taken + last).map(\.consumer)).count == ConsumerLease.slotLimit + 2)
        for lease in last {
            #expect(lease.consumer.hasPrefix("\(name ?? ConsumerLease.hostName)-x"))
            #expect(lease.warning(settings)?.contains("give each worker its own group.consumer") == true)
        }
    }
}
