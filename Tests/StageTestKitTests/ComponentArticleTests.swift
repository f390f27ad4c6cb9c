import ComponentKit
import StageKit
import StageTestKit
import Testing

/// The source and the store that the articles show, and that new packages begin with.
@Suite struct ComponentArticleTests {
    @Test func `Tick keeps the contract of sources`() async {
        #expect(await SourceConformance.check(TickSource.type, ["interval": "1ms"]) == [])
    }

    @Test func `Dictionary keeps the contract of stores`() async {
        #expect(await StoreConformance.check(DictionaryStore.type, ["key": "id"]) == [])
    }

    @Test func `Settings that are refused are reported with the reason`() async {
        #expect(
            await StoreConformance.check(DictionaryStore.type, [:]).first?
                .hasPrefix("valid settings are refused: ") == true)
        #expect(
            await SourceConformance.check(TickSource.type, ["interval": "soon"]).first?
                .hasPrefix("the source fails: ") == true)
    }
}
