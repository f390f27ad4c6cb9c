import Testing

@testable import CEL

@Suite("Times and addresses")
struct TimeAndNetworkTests {
    @Test(
        "Timestamps",
        arguments: [
            Example("timestamp('2009-02-13T23:31:30.5+02:00')", "2009-02-13T21:31:30.5Z"),
            Example("timestamp('2020-02-30T00:00:00Z')", "error: \"2020-02-30T00:00:00Z\" is not a timestamp"),
            Example("timestamp('2020-01-01 00:00:00Z')", "error: \"2020-01-01 00:00:00Z\" is not a timestamp"),
            Example("timestamp('0000-12-31T00:00:00Z')", "error: \"0000-12-31T00:00:00Z\" is not a timestamp"),
            Example("timestamp('2020-02-29T12:00:00Z').getDayOfYear()", "59"),
            Example("timestamp('2020-03-01T00:00:00Z').getDayOfYear()", "60"),
            Example("timestamp('1969-12-31T23:59:59Z').getDayOfWeek()", "3"),
            Example("timestamp('0001-01-01T00:00:00Z').getFullYear()", "1"),
            Example("timestamp('2020-05-06T07:08:09.010Z').getMonth()", "4"),
            Example("timestamp('2020-05-06T07:08:09.010Z').getDate()", "6"),
            Example("timestamp('2020-05-06T07:08:09.010Z').getDayOfMonth()", "5"),
            Example("timestamp('2020-05-06T07:08:09.010Z').getMilliseconds()", "10"),
            Example("timestamp('2020-05-06T23:08:09Z').getHours('+02:30')", "1"),
            Example("timestamp('2020-05-06T00:08:09Z').getDate('-00:30')", "5"),
            Example("timestamp('2020-05-06T00:08:09Z').getMinutes('Test/Zone')", "38"),
            Example("timestamp('2020-05-06T00:08:09Z').getMinutes('Nowhere')", "error: unknown time zone \"Nowhere\""),
            Example("timestamp('9999-12-31T23:59:59.999999999Z') + duration('1ns')", "error: timestamp out of range"),
            Example("timestamp('2020-01-01T00:00:00Z') - duration('0.5s')", "2019-12-31T23:59:59.5Z"),
            Example("timestamp('2020-01-02T00:00:00Z') - timestamp('2020-01-01T00:00:00.25Z')", "86399.75s"),
        ])
    func timestamps(_ example: Example) { #expect(outcome(example.text) == example.expected) }

    @Test("Each day of eight centuries has the date after the previous day's")
    func calendar() throws {
        let program = try Program(
            "[t.getFullYear(), t.getMonth(), t.getDate(), t.getDayOfWeek(), t.getDayOfYear()]",
            ExpressionEnvironment([.init("t", .timestamp)]))
        var (year, month, day, weekday, dayOfYear) = (1800, 1, 1, 3, 0)
        for number in -62_091..<230_000 {
            let timestamp = Timestamp(unixSeconds: Int64(number) * 86_400 + 86_399)
            let date = timestamp.map { CivilDate($0, offset: 0) }
            guard let timestamp, let date, date.year == year, date.month == month, date.day == day,
                date.weekday == weekday, date.dayOfYear == dayOfYear
            else {
                Issue.record("day \(number): \(String(describing: date)), expected \(year)-\(month)-\(day)")
                return
            }
            // The functions return parts of that date; evaluating them for each day would take most of the time.
            if number % 97 == 0 {
                let found = shown(try program.evaluate(VariableValues([.timestamp(timestamp)])))
                #expect(found == "[\(year), \(month - 1), \(day), \(weekday), \(dayOfYear)]", "day \(number)")
            }
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            let last = month == 2 ? (isLeap ? 29 : 28) : ([4, 6, 9, 11].contains(month) ? 30 : 31)
            (day, weekday, dayOfYear) = (day + 1, (weekday + 1) % 7, dayOfYear + 1)
            if day > last { (day, month) = (1, month + 1) }
            if month > 12 { (month, year, dayOfYear) = (1, year + 1, 0) }
        }
    }

    @Test(
        "Durations",
        arguments: [
            Example("duration('1h30m')", "5400s"), Example("duration('-1.5s')", "-1.5s"),
            Example("duration('250ms')", "0.25s"),
            Example("duration('1us1ns')", "0.000001001s"), Example("duration('0')", "0s"),
            Example("duration('1')", "error: \"1\" is not a duration"),
            Example("duration('1x')", "error: \"1x\" is not a duration"),
            Example("duration('-')", "error: \"-\" is not a duration"),
            Example("duration('9223372037s')", "error: \"9223372037s\" is not a duration"),
            Example("duration('9223372036854775807ns')", "9223372036.854775807s"),
            Example("duration('-9223372036854775807ns') - duration('1ns')", "-9223372036.854775808s"),
            Example("duration('-9223372036854775807ns') - duration('2ns')", "error: duration out of range"),
            Example(
                "timestamp('9999-12-31T23:59:59Z') - timestamp('0001-01-01T00:00:00Z')", "error: duration out of range"
            ),
            Example(
                "timestamp('0001-01-01T00:00:00Z') - timestamp('9999-12-31T23:59:59Z')", "error: duration out of range"
            ),
            Example("timestamp('2262-04-11T23:47:16.854775807Z') - timestamp(0)", "9223372036.854775807s"),
            Example("duration('99999999999999999999s')", "error: \"99999999999999999999s\" is not a duration"),
            Example("duration('90m').getHours()", "1"), Example("duration('90m').getMinutes()", "90"),
            Example("duration('-1.5s').getSeconds()", "-1"), Example("duration('-1.5s').getMilliseconds()", "-500"),
            Example("duration('1s') + duration('0.5s') == duration('1500ms')", "true"),
            Example("duration('-0.5s')", "-0.5s"),
            Example("duration('9223372036s') + duration('1s')", "error: duration out of range"),
        ])
    func durations(_ example: Example) { #expect(outcome(example.text) == example.expected) }

    @Test(
        "Addresses",
        arguments: [
            Example("ip('192.168.0.1').family()", "4"), Example("ip('2001:DB8:0:0::1')", "2001:db8::1"),
            Example("ip('1::')", "1::"),
            Example("ip('::')", "::"), Example("ip('1:0:0:2:0:0:0:3')", "1:0:0:2::3"),
            Example("isIP('1.2.3')", "false"),
            Example("isIP('1.2.3.04')", "false"), Example("isIP('256.1.1.1')", "false"),
            Example("isIP('1:2:3:4:5:6:7:8:9')", "false"),
            Example("isIP(':::1')", "false"), Example("isIP('1::2::3')", "false"),
            Example("isIP('::ffff:1.2.3.4')", "false"),
            Example("isIP('fe80::1%eth0')", "false"), Example("isIP('')", "false"),
            Example("isIP('1:2:3:4:5:6:7::8')", "false"),
            Example("ip('::ffff:c0a8:1') == ip('192.168.0.1')", "true"),
            Example("ip('1.2.3.4.5')", "error: \"1.2.3.4.5\" is not an IP address"),
            Example("ip.isCanonical('2001:DB8::1')", "false"),
            Example("ip('127.1.2.3').isLoopback()", "true"), Example("ip('0.0.0.0').isUnspecified()", "true"),
            Example("ip('224.0.0.1').isLinkLocalMulticast()", "true"),
            Example("ip('fe80::1').isLinkLocalUnicast()", "true"),
            Example("ip('255.255.255.255').isGlobalUnicast()", "false"),
            Example("ip('10.0.0.1').isGlobalUnicast()", "true"),
            Example("cidr('10.1.2.3/8').masked()", "10.0.0.0/8"), Example("cidr('10.1.2.3/8').ip()", "10.1.2.3"),
            Example("cidr('2001:db8::/33').containsIP('2001:db8:8000::1')", "false"),
            Example("cidr('10.0.0.0/8').containsIP('11.0.0.0')", "false"),
            Example("cidr('0.0.0.0/0').containsIP('11.0.0.0')", "true"),
            Example("cidr('10.0.0.0/8').containsCIDR('10.2.0.0/16')", "true"),
            Example("cidr('10.0.0.0/16').containsCIDR('10.0.0.0/8')", "false"),
            Example("isCIDR('10.0.0.0/33')", "false"),
            Example("isCIDR('10.0.0.0/')", "false"), Example("isCIDR('10.0.0.0/08')", "false"),
            Example("string(cidr('::1/128'))", "'::1/128'"),
            Example("type(ip('1.1.1.1')) == net.IP", "true"),
        ])
    func addresses(_ example: Example) { #expect(outcome(example.text) == example.expected) }
}
