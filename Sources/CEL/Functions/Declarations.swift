/// The declared forms of all functions.
enum Declarations {
    /// The forms by function.
    static let overloads: [Function: [Overload]] = {
        var all: [Function: [Overload]] = [:]
        for (functions, forms) in Self.operators + Self.conversions + Self.texts + Self.numbers + Self.others {
            for function in functions { all[function, default: []] += forms.compactMap { Overload($0) } }
        }
        return all
    }()

    /// The forms in text: the number of entries of `overloads` must equal the number of these.
    static var declared: [(functions: [Function], forms: [String])] {
        self.operators + self.conversions + self.texts + self.numbers + self.others
    }

    private static let operators: [([Function], [String])] = [
        ([.not], ["(bool) bool"]),
        ([.negate], ["(int) int", "(double) double"]),
        (
            [.add],
            [
                "(int, int) int", "(uint, uint) uint", "(double, double) double", "(string, string) string",
                "(bytes, bytes) bytes", "(list<A>, list<A>) list<A>", "(timestamp, duration) timestamp",
                "(duration, timestamp) timestamp", "(duration, duration) duration",
            ]
        ),
        (
            [.subtract],
            [
                "(int, int) int", "(uint, uint) uint", "(double, double) double", "(timestamp, timestamp) duration",
                "(timestamp, duration) timestamp", "(duration, duration) duration",
            ]
        ),
        ([.multiply, .divide], ["(int, int) int", "(uint, uint) uint", "(double, double) double"]),
        ([.modulo], ["(int, int) int", "(uint, uint) uint"]),
        ([.equal, .notEqual], ["(A, A) bool"]),
        (
            [.less, .lessOrEqual, .greater, .greaterOrEqual],
            [
                "(bool, bool) bool", "(int, int) bool", "(uint, uint) bool", "(double, double) bool",
                "(string, string) bool", "(bytes, bytes) bool", "(timestamp, timestamp) bool",
                "(duration, duration) bool", "(int, uint) bool", "(int, double) bool", "(uint, int) bool",
                "(uint, double) bool", "(double, int) bool", "(double, uint) bool",
            ]
        ),
        ([.isIn], ["(A, list<A>) bool", "(A, map<A, B>) bool"]),
    ]

    private static let conversions: [([Function], [String])] = [
        ([.bool], ["(bool) bool", "(string) bool"]),
        ([.bytes], ["(bytes) bytes", "(string) bytes"]),
        ([.double], ["(double) double", "(int) double", "(uint) double", "(string) double"]),
        ([.duration], ["(duration) duration", "(string) duration"]),
        ([.dyn], ["(A) dyn"]),
        ([.int], ["(int) int", "(uint) int", "(double) int", "(string) int", "(timestamp) int"]),
        (
            [.string],
            [
                "(string) string", "(bool) string", "(int) string", "(uint) string", "(double) string",
                "(bytes) string", "(timestamp) string", "(duration) string", "(net.IP) string", "(net.CIDR) string",
            ]
        ),
        ([.timestamp], ["(timestamp) timestamp", "(string) timestamp", "(int) timestamp"]),
        ([.type], ["(A) type"]),
        ([.uint], ["(uint) uint", "(int) uint", "(double) uint", "(string) uint"]),
    ]

    private static let texts: [([Function], [String])] = [
        (
            [.size],
            [
                "(string) int", "(bytes) int", "(list<A>) int", "(map<A, B>) int", "@(string) int", "@(bytes) int",
                "@(list<A>) int", "@(map<A, B>) int",
            ]
        ),
        ([.contains, .startsWith, .endsWith], ["@(string, string) bool"]),
        ([.matches], ["@(string, string) bool", "(string, string) bool"]),
        ([.charAt], ["@(string, int) string"]),
        ([.indexOf, .lastIndexOf], ["@(string, string) int", "@(string, string, int) int"]),
        ([.join], ["@(list<string>) string", "@(list<string>, string) string"]),
        ([.lowerAscii, .upperAscii, .trim], ["@(string) string"]),
        ([.quote], ["(string) string"]),
        ([.replace], ["@(string, string, string) string", "@(string, string, string, int) string"]),
        ([.split], ["@(string, string) list<string>", "@(string, string, int) list<string>"]),
        ([.substring], ["@(string, int) string", "@(string, int, int) string"]),
        ([.reverse], ["@(string) string", "@(list<A>) list<A>"]),
        ([.format], ["@(string, list<dyn>) string"]),
        ([.base64Encode], ["(bytes) string"]),
        ([.base64Decode], ["(string) bytes"]),
    ]

    private static let numbers: [([Function], [String])] = [
        ([.ceil, .floor, .round, .trunc], ["(double) double"]),
        ([.abs, .sign], ["(int) int", "(uint) uint", "(double) double"]),
        ([.sqrt], ["(double) double", "(int) double", "(uint) double"]),
        ([.isNaN, .isInf, .isFinite], ["(double) bool"]),
        ([.bitAnd, .bitOr, .bitXor], ["(int, int) int", "(uint, uint) uint"]),
        ([.bitNot], ["(int) int", "(uint) uint"]),
        ([.bitShiftLeft, .bitShiftRight], ["(int, int) int", "(uint, int) uint"]),
        // Any number of arguments; the compiler checks them itself.
        ([.greatest, .least], []),
        (
            [.getDate, .getDayOfMonth, .getDayOfWeek, .getDayOfYear, .getFullYear, .getMonth],
            ["@(timestamp) int", "@(timestamp, string) int"]
        ),
        (
            [.getHours, .getMilliseconds, .getMinutes, .getSeconds],
            ["@(timestamp) int", "@(timestamp, string) int", "@(duration) int"]
        ),
    ]

    private static let others: [([Function], [String])] = [
        ([.optionalOf, .optionalOfNonZero], ["(A) optional<A>"]),
        ([.optionalNone], ["() optional<A>"]),
        ([.hasValue], ["@(optional<A>) bool"]),
        ([.value], ["@(optional<A>) A"]),
        ([.or], ["@(optional<A>, optional<A>) optional<A>"]),
        ([.orValue], ["@(optional<A>, A) A"]),
        ([.optionalUnwrap], ["(list<optional<A>>) list<A>"]),
        ([.unwrapOpt], ["@(list<optional<A>>) list<A>"]),
        ([.range], ["(int) list<int>"]),
        ([.flatten], ["@(list<A>) list<dyn>", "@(list<A>, int) list<dyn>"]),
        ([.slice], ["@(list<A>, int, int) list<A>"]),
        ([.sort, .distinct], ["@(list<A>) list<A>"]),
        ([.first, .last], ["@(list<A>) optional<A>"]),
        ([.setsContains, .setsEquivalent, .setsIntersects], ["(list<A>, list<A>) bool"]),
        ([.ip], ["(string) net.IP", "@(net.CIDR) net.IP"]),
        ([.cidr], ["(string) net.CIDR"]),
        ([.isIP, .isCIDR, .isCanonical], ["(string) bool"]),
        ([.family], ["@(net.IP) int"]),
        (
            [.isUnspecified, .isLoopback, .isGlobalUnicast, .isLinkLocalMulticast, .isLinkLocalUnicast],
            ["@(net.IP) bool"]
        ),
        ([.containsIP], ["@(net.CIDR, net.IP) bool", "@(net.CIDR, string) bool"]),
        ([.containsCIDR], ["@(net.CIDR, net.CIDR) bool", "@(net.CIDR, string) bool"]),
        ([.masked], ["@(net.CIDR) net.CIDR"]),
        ([.prefixLength], ["@(net.CIDR) int"]),
    ]

    /// The functions by name.
    static let named = Dictionary(uniqueKeysWithValues: Function.allCases.map { ($0.rawValue, $0) })
    /// The names that name types.
    static let types = Dictionary(uniqueKeysWithValues: TypeName.allCases.map { ($0.rawValue, $0) })
}
