import ComponentKit
import StageKit
import StageTestKit
import Testing

@testable import SnapshotStores

@Suite struct StoreContractTests {
    @Test("The memory store keeps the contract of stores")
    func conformance() async {
        #expect(await StoreConformance.check(MemoryStore.type, ["key": "id"]) == [])
    }
}
