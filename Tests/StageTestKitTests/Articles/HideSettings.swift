import StageKit
import StageTestKit
import Testing

/// The settings with conditions and expressions that the articles show.
@Suite struct TotalSettings {
    struct Settings: Sendable {
        var allow = ConditionSettings.unread
        var total = ExpressionSettings.unread
    }

    static let schema = SettingsSchema(
        Settings(),
        [
            .required("allow", \.allow, .condition, "Condition of events that are changed."),
            .required("total", \.total, .computed, "Expression whose value is the total."),
        ])

    @Test func `Required conditions and expressions are missing if the file does not have them`() {
        var issues = SettingIssues()
        #expect(Self.schema.decode(["total": ["expr": "1 + 1"]], &issues) == nil)
        #expect(issues.all.map(\.message) == ["missing setting \"allow\""])
    }
}

let plugin = [StageType(GreetStage.self)]

/// The settings that the articles of StageKit show.
@Suite struct HideSettings {
    struct Settings: Sendable {
        var field = LocatedName.unread
        var keep = 4
        var style = Style.stars
    }

    enum Style: Sendable { case stars, dots }

    static let schema = SettingsSchema(
        Settings(),
        [
            .required("field", \.field, .name, "Field to hide."),
            .optional("keep", \.keep, .integer(0...64), default: "4", "Number of bytes at the beginning that stay."),
            .optional(
                "style", \.style, .choice(of: [("stars", .stars), ("dots", .dots)]), default: "stars",
                "Character that replaces the others."),
        ])

    static let even = SettingType<Int>.integer(0...64).map { (number) throws(SettingRefusal) in
        guard number.isMultiple(of: 2) else { throw SettingRefusal("\(number) is odd: write an even number") }
        return number
    }

    @Test func `The settings have the values of the file, and the defaults`() throws {
        var issues = SettingIssues()
        let settings = try #require(Self.schema.decode(["field": "mail", "style": "dots"], &issues))
        #expect(settings.field.text == "mail")
        #expect(settings.keep == 4)
        #expect(settings.style == .dots)
    }

    @Test func `A custom type refuses values with their position`() {
        var issues = SettingIssues()
        #expect(Self.even.decode("8", &issues) == 8)
        #expect(issues.all.isEmpty)
        #expect(
            Self.even.decode(SettingNode(.scalar("7", isPlain: true), at: SettingPosition(line: 3, column: 9)), &issues)
                == nil)
        #expect(issues.all == [SettingIssue("7 is odd: write an even number", at: SettingPosition(line: 3, column: 9))])
    }
}
