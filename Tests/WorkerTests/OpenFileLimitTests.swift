import Testing

@testable import Commands

@Suite struct OpenFileLimitTests {
    @Test("A limit that is too low is raised, or refused if it cannot be")
    func raising() throws {
        #expect(try OpenFileLimit.raised(soft: 1024, hard: 4096, needed: 60) == nil)
        #expect(try OpenFileLimit.raised(soft: 60, hard: 60, needed: 60) == nil)
        #expect(try OpenFileLimit.raised(soft: 16, hard: 4096, needed: 60) == 60)
        #expect(throws: OpenFileLimit.TooLow(limit: 16, needed: 60)) {
            try OpenFileLimit.raised(soft: 16, hard: 16, needed: 60)
        }
    }
}
