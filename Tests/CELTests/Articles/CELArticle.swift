import CEL
import Testing

/// The code in the documentation of CEL.
@Suite struct CELArticle {
    @Test("The article's program compiles, and its condition holds") func program() throws {
        let environment = ExpressionEnvironment([.init("status", .string), .init("amount", .int)])
        let program = try Program("status == 'open' && amount * 2 > 10", environment, result: .bool)
        let holds = try program.test(VariableValues([.string("open"), .int(7)]))
        #expect(holds)
    }
}
