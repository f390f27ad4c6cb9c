import Testing

@testable import CEL

@Suite("Functions")
struct FunctionTests {
    @Test(
        "Conversions",
        arguments: [
            Example("int(1.9)", "1"), Example("int(-1.9)", "-1"),
            Example("int(9223372036854775807.0)", "error: int out of range"),
            Example("int(-1e19)", "error: int out of range"), Example("int('x')", "error: \"x\" is not an int"),
            Example("int(0.0 / 0.0)", "error: int out of range"),
            Example("int(18446744073709551615u)", "error: int out of range"),
            Example("uint(-1)", "error: uint out of range"), Example("uint(1e20)", "error: uint out of range"),
            Example("uint('7')", "7u"), Example("double('1e3')", "1000.0"), Example("double('-Infinity')", "-inf"),
            Example("uint('+7')", "error: \"+7\" is not a uint"), Example("uint('-0')", "error: \"-0\" is not a uint"),
            Example("double('1e400')", "error: double out of range"), Example("double('1e-400')", "0.0"),
            Example("double('0x10')", "error: \"0x10\" is not a double"), Example("double(3u)", "3.0"),
            Example("string(1.0)", "'1'"), Example("string(1e21)", "'1e+21'"),
            Example("string(123456789012.0)", "'123456789012'"),
            Example("string(-4.5e-3)", "'-0.0045'"), Example("string(true)", "'true'"),
            Example("string(b'\\xc3\\xa4')", "'ä'"),
            Example("string(b'\\xff')", "error: the bytes are not valid UTF-8"),
            Example("bytes('ä')", "bytes[195, 164]"),
            Example("bool('True')", "true"), Example("bool('yes')", "error: \"yes\" is not a bool"),
            Example("int(timestamp('1970-01-01T00:01:00Z'))", "60"), Example("timestamp(60)", "1970-01-01T00:01:00Z"),
            Example("string(duration('90s'))", "'90s'"), Example("type(1u)", "uint"),
            Example("type(type(1)) == type", "true"),
            Example("dyn(1) == 1", "true"), Example("type(null)", "null_type"),
        ])
    func conversions(_ example: Example) { #expect(outcome(example.text) == example.expected) }

    @Test("The text of a double has the fewest digits that read back as the same number")
    func doubles() {
        var bits: UInt64 = 0x9E37_79B9_7F4A_7C15
        var numbers: [Double] = [0, -0.0, 1, -1, 1e15, 9_007_199_254_740_991, 9_007_199_254_740_992, -1e16, 1e21, 1e22]
        for round in 0..<20_000 {
            bits = bits &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let mixed = bits ^ bits >> 31
            switch round % 4 {
            case 0: numbers.append(Double(bitPattern: mixed))
            case 1: numbers.append(Double(Int64(bitPattern: mixed) >> Int64(mixed % 60)))
            case 2: numbers.append(Double(Int64(bitPattern: mixed) >> 30) / 100)
            default: numbers.append(Double(Int64(bitPattern: mixed) >> 40) * 0.1)
            }
        }
        for number in numbers where number.isFinite {
            let text = Conversions.text(number)
            #expect(Double(text)?.bitPattern == number.bitPattern, "\(text)")
            #expect(Self.digits(text) == Self.digits(number.description), "\(text)")
            #expect(!text.hasSuffix(".0"), "\(text)")
        }
    }

    /// The digits of a number without those that only say how large it is.
    private static func digits(_ text: String) -> Substring {
        var digits = text.prefix { $0 != "e" }.filter(\.isNumber)[...]
        while digits.last == "0" { digits.removeLast() }
        return digits.drop { $0 == "0" }
    }

    @Test(
        "Strings count code points",
        arguments: [
            Example("size('äöü🐱')", "4"), Example("'äb'.charAt(1)", "'b'"), Example("'ab'.charAt(2)", "''"),
            Example("'ab'.charAt(3)", "error: index out of range: 3"), Example("'äbä'.indexOf('ä', 1)", "2"),
            Example("'abc'.indexOf('')", "0"), Example("'abc'.indexOf('c', 4)", "error: index out of range: 4"),
            Example("'abab'.lastIndexOf('ab')", "2"), Example("'abab'.lastIndexOf('ab', 1)", "0"),
            Example("'abc'.lastIndexOf('')", "3"), Example("['a', 'b'].join('-')", "'a-b'"),
            Example("['a', 'b'].join()", "'ab'"),
            Example("'aXbX'.replace('X', '-')", "'a-b-'"), Example("'aXbX'.replace('X', '-', 1)", "'a-bX'"),
            Example("'ab'.replace('', '.')", "'.a.b.'"), Example("'a,b,c'.split(',')", "['a', 'b', 'c']"),
            Example("'a,b,c'.split(',', 2)", "['a', 'b,c']"), Example("'a,b'.split(',', 0)", "[]"),
            Example("'abc'.split('')", "['a', 'b', 'c']"), Example("'äbc'.substring(1)", "'bc'"),
            Example("'abc'.substring(1, 2)", "'b'"), Example("'abc'.substring(2, 1)", "error: substring from 2 to 1"),
            Example("'\\u00a0 a '.trim()", "'a'"), Example("'aÄ'.upperAscii()", "'AÄ'"),
            Example("'AÄ'.lowerAscii()", "'aÄ'"),
            Example("'abä'.reverse()", "'äba'"), Example("strings.quote('a\"\\n')", "'\"a\\\"\\n\"'"),
            Example("'hello'.contains('ell')", "true"), Example("'hello'.startsWith('he')", "true"),
            Example("'hello'.endsWith('lo')", "true"), Example("base64.encode(b'hello')", "'aGVsbG8='"),
            Example("base64.decode('aGVsbG8')", "bytes[104, 101, 108, 108, 111]"),
            Example("base64.decode('a!')", "error: malformed base64"),
            Example("base64.decode('a')", "error: malformed base64"),
        ])
    func strings(_ example: Example) { #expect(outcome(example.text) == example.expected) }

    @Test(
        "Format clauses",
        arguments: [
            Example("'%s %d %%'.format(['a', 7])", "'a 7 %'"), Example("'%.2f'.format([2.345])", "'2.35'"),
            Example("'%.0f'.format([0.5])", "'0'"), Example("'%e'.format([1234.5])", "'1.234500e+03'"),
            Example("'%b %b %o'.format([5, true, 8])", "'101 1 10'"),
            Example("'%x %X'.format([255, 'hi'])", "'ff 6869'"),
            Example("'%x'.format([b'\\x01'])", "'01'"),
            Example("'%s'.format([[1, 2.5, 'a', null, true]])", "'[1, 2.5, a, null, true]'"),
            Example("'%s'.format([{'b': 1, 'a': [2]}])", "'{a: [2], b: 1}'"),
            Example("'%d'.format([1.5])", "error: format: %d takes integers, found double"),
            Example("'%f'.format([2])", "'2.000000'"), Example("'%s'.format([])", "error: format: no argument 0"),
            Example("'%'.format([])", "error: format: unfinished clause"),
            Example("'%y'.format([1])", "error: format: unknown clause \"y\""),
            Example("'%.101f'.format([1.0])", "error: format: precision above 100"),
            Example("'%s'.format([type(1)])", "'int'"),
            Example("'%f'.format([1.0 / 0.0])", "'Infinity'"), Example("'%s'.format([duration('1.5s')])", "'1.5s'"),
        ])
    func format(_ example: Example) { #expect(outcome(example.text) == example.expected) }

    @Test(
        "Mathematics",
        arguments: [
            Example("math.greatest(1, 2.5, 2u)", "2.5"), Example("math.least([3, 1, 2])", "1"),
            Example("math.greatest(1, 1.0)", "1"),
            Example("math.ceil(1.2)", "2.0"), Example("math.floor(-1.2)", "-2.0"), Example("math.round(2.5)", "3.0"),
            Example("math.round(-2.5)", "-3.0"), Example("math.trunc(-1.9)", "-1.0"), Example("math.abs(-3)", "3"),
            Example("math.abs(-9223372036854775808)", "error: integer overflow"), Example("math.sign(-2.5)", "-1.0"),
            Example("math.sqrt(16)", "4.0"), Example("math.isNaN(0.0 / 0.0)", "true"),
            Example("math.isInf(1.0 / 0.0)", "true"),
            Example("math.isFinite(1.0)", "true"), Example("math.bitAnd(6, 3)", "2"),
            Example("math.bitOr(6u, 1u)", "7u"),
            Example("math.bitXor(6, 3)", "5"), Example("math.bitNot(0)", "-1"),
            Example("math.bitShiftLeft(1, 63)", "-9223372036854775808"),
            Example("math.bitShiftLeft(1, 64)", "0"), Example("math.bitShiftRight(-1, 63)", "1"),
            Example("math.bitShiftRight(1, -1)", "error: negative shift: -1"),
        ])
    func mathematics(_ example: Example) { #expect(outcome(example.text) == example.expected) }

    @Test(
        "Lists and sets",
        arguments: [
            Example("[1, [2, [3]]].flatten()", "[1, 2, [3]]"), Example("[1, [2, [3]]].flatten(2)", "[1, 2, 3]"),
            Example("[1, 2, 3].slice(1, 3)", "[2, 3]"), Example("[1].slice(0, 2)", "error: index out of range: 2"),
            Example("[3, 1, 2].sort()", "[1, 2, 3]"), Example("['b', 'a'].sort()", "['a', 'b']"),
            Example("[dyn(1), 'a'].sort()", "error: the elements have no order"),
            Example("[1, 1, 2].distinct()", "[1, 2]"),
            Example("lists.range(3)", "[0, 1, 2]"), Example("[1, 2].reverse()", "[2, 1]"),
            Example("[1, 2].first()", "some(1)"),
            Example("[].last()", "none"), Example("sets.contains([1, 2], [2])", "true"),
            Example("sets.equivalent([1, 1], [1])", "true"),
            Example("sets.intersects([1], [2])", "false"),
        ])
    func lists(_ example: Example) { #expect(outcome(example.text) == example.expected) }

    @Test(
        "Macros",
        arguments: [
            Example("[1, 2, 3].map(x, x * 2)", "[2, 4, 6]"), Example("[1, 2, 3].map(x, x > 1, x * 2)", "[4, 6]"),
            Example("[1, 2, 3].filter(x, x > 1)", "[2, 3]"), Example("{'a': 1}.map(k, k)", "['a']"),
            Example("[1, 2].all(i, v, v == i + 1)", "true"),
            Example("{'a': 1}.exists(k, v, k == 'a' && v == 1)", "true"),
            Example("[5, 6].existsOne(i, v, v == 6)", "true"), Example("[5, 6].transformList(i, v, v - i)", "[5, 5]"),
            Example("[5, 6].transformList(i, v, i > 0, v)", "[6]"),
            Example("{'a': 1}.transformMap(k, v, v + 1)", "{'a': 2}"),
            Example("{'a': 1}.transformMapEntry(k, v, {v: k})", "{1: 'a'}"),
            Example("{'a': 1, 'b': 1}.transformMapEntry(k, v, {v: k})", "error: repeated map key"),
            Example("cel.bind(x, 2, cel.bind(y, x + 1, x * y))", "6"),
            Example("cel.bind(x, 1 / 0, 2)", "2"), Example("cel.bind(x, 1 / 0, x == 1 || true)", "true"),
            Example("cel.bind(x, 1 / 0, x)", "error: division by zero"),
            Example("cel.bind(x, 1 / 0, cel.bind(y, x, 3)) + cel.bind(z, 4, z)", "7"),
            Example("[1, 0].map(n, cel.bind(x, 1 / n, n == 0 ? 5 : x))", "[1, 5]"),
            Example("cel.bind(x, lists.range(1000000), 1)", "error: cost limit exceeded"),
            Example("[[1, 2], [3]].map(x, x.map(x, x + 1))", "[[2, 3], [4]]"),
            Example("[1, 2].map(x, [3].map(y, x + y))", "[[4], [5]]"), Example("[1].exists_one(x, x == 1)", "true"),
        ])
    func macros(_ example: Example) { #expect(outcome(example.text) == example.expected) }

    @Test(
        "Optionals",
        arguments: [
            Example("optional.of(1).orValue(2)", "1"), Example("optional.none().orValue(2)", "2"),
            Example("optional.ofNonZeroValue(0).hasValue()", "false"),
            Example("optional.none().value()", "error: optional.none() dereference"),
            Example("{'a': {'b': 1}}.?a.?b", "some(1)"), Example("{'a': {'b': 1}}.?x.b.orValue(0)", "0"),
            Example("[1][?3]", "none"),
            Example("[?optional.none(), ?optional.of(2)]", "[2]"),
            Example("{?'a': optional.of(1), ?'b': optional.none()}", "{'a': 1}"),
            Example("optional.of(2).optMap(x, x + 1)", "some(3)"),
            Example("optional.of(2).optFlatMap(x, optional.none())", "none"),
            Example("optional.none().or(optional.of(3)).value()", "3"), Example("has({'a': {'b': 1}}.?a.b)", "true"),
            Example("optional.of(1) == optional.of(1)", "true"), Example("optional.of(1) == optional.none()", "false"),
            Example("[optional.of(1), optional.none()].unwrapOpt()", "[1]"),
            Example("optional.unwrap([optional.of(1)])", "[1]"),
            Example("type(optional.none()) == optional_type", "true"),
        ])
    func optionals(_ example: Example) { #expect(outcome(example.text) == example.expected) }
}
