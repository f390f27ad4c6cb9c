import Testing

@testable import Gateway

@Suite struct KeyFinderTests {
    private func key(_ sources: [KeySource], _ headers: [(String, String)]) -> String? {
        var finder = KeyFinder(sources)
        for (name, value) in [("X-Session", "left over from the previous request")] {
            finder.read(name.utf8.span, value.utf8.span)
        }
        finder.reset()
        for (name, value) in headers { finder.read(name.utf8.span, value.utf8.span) }
        return finder.key.map { String(decoding: finder.bytes[$0], as: UTF8.self) }
    }

    private static let all: [KeySource] = [.header("X-Session"), .cookie("sid"), .bearer]

    @Test(
        "The first source with a value is used; header names ignore case, cookie names do not",
        arguments: [
            ([("x-SESSION", "a"), ("Cookie", "sid=b"), ("Authorization", "Bearer c")], "a"),
            ([("Cookie", "sid=b"), ("Authorization", "Bearer c")], "b"),
            ([("Authorization", "bEARER   c ")], "c"),
            ([("Authorization", "Bearer c"), ("X-Session", "a")], "a"),
            ([("X-Session", " \t"), ("Cookie", "x=y; sid=b")], "b"),
            ([("Cookie", "SID=b")], nil), ([("Cookie", "xsid=b; sidx=c")], nil), ([("Cookie", "sid")], nil),
            ([("Cookie", "sid=")], nil), ([("Cookie", "sid=a=b")], "a=b"), ([("Cookie", "x=1;sid=\"b\"")], "\"b\""),
            ([("Cookie", "x=1"), ("Cookie", "sid=b")], "b"),
            ([("Authorization", "Basic c")], nil), ([("Authorization", "Bearer")], nil),
            ([("Authorization", "Bearer ")], nil), ([("X-Sessions", "a")], nil), ([("X-Sessio", "a")], nil), ([], nil),
        ] as [([(String, String)], String?)])
    func order(headers: [(String, String)], expected: String?) {
        #expect(self.key(Self.all, headers) == expected)
    }

    @Test(
        "Two different values in a source are no key, and no later source is used; equal values count as one",
        arguments: [
            ([("X-Session", "a"), ("X-Session", "b"), ("Cookie", "sid=c")], nil),
            ([("X-Session", "a"), ("X-Session", "a")], "a"),
            ([("X-Session", "a"), ("X-Session", "b"), ("X-Session", "a")], nil),
            ([("Cookie", "sid=a; sid=b")], nil), ([("Cookie", "sid=a"), ("Cookie", "sid=b")], nil),
            ([("Cookie", "sid=a; sid=a")], "a"),
            ([("Authorization", "Bearer a"), ("Authorization", "Bearer b")], nil),
            ([("Authorization", "Bearer a"), ("Authorization", "Basic b")], nil),
            ([("Authorization", "Basic b"), ("Authorization", "bearer a")], nil),
            ([("Authorization", "Basic b"), ("Authorization", "Basic c"), ("Cookie", "sid=d")], "d"),
            ([("X-Session", "a"), ("Cookie", "sid=b; sid=c")], "a"),
            ([("X-Session", ""), ("X-Session", "b")], nil),
        ] as [([(String, String)], String?)])
    func conflicts(headers: [(String, String)], expected: String?) {
        #expect(self.key(Self.all, headers) == expected)
    }

    @Test("Credentials of another scheme alone leave the choice to the next place")
    func otherScheme() {
        let sources: [KeySource] = [.bearer, .cookie("sid")]
        #expect(self.key(sources, [("Authorization", "Basic a"), ("Cookie", "sid=b")]) == "b")
        let both = [("Authorization", "Basic a"), ("Authorization", "Bearer c"), ("Cookie", "sid=b")]
        #expect(self.key(sources, both) == nil)
    }

    @Test("A key is used unchanged, but invalid UTF-8 is not a key")
    func bytes() {
        #expect(self.key([.header("k")], [("k", "a%20b/../c?d#e+é")]) == "a%20b/../c?d#e+é")
        #expect(self.key([.header("k")], [("k", "a\u{FFFD}")]) == nil)
        #expect(self.key([.header("k")], [("k", String(repeating: "x", count: 1000))])?.utf8.count == 1000)
        #expect(self.key([.header("k"), .header("l")], [("k", "\u{FFFD}"), ("l", "a")]) == nil)
    }
}
