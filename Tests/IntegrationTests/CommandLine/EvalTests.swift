import Foundation
import Testing

@Suite struct EvalTests {
    @Test(
        "An expression's value is printed",
        arguments: [
            (["1 + 2"], "3\n"), (["'a' + 'ä'"], "\"aä\"\n"),
            (["price * quantity > 10", "--field", "price=3", "--field", "quantity=4"], "true\n"),
            (["status", "--field", "status=open"], "\"open\"\n"), (["status", "--field", "status=\"5\""], "\"5\"\n"),
            (["x", "--field", "x=1.0"], "1.0\n"),
            (
                ["[1.0 / 0.0, -1.0 / 0.0, 0.0 / 0.0, -0.0]"],
                "[double(\"Infinity\"), double(\"-Infinity\"), double(\"NaN\"), -0.0]\n"
            ),
            (["x", "--field", "x=18446744073709551615"], "18446744073709551615u\n"),
            (["x[1].y", "--field", "x=[1, {\"y\": [true, null]}]"], "[true, null]\n"), (["has(now)"], "true\n"),
            (["has(failure.reason)"], "false\n"), (["optional.of(b'a')"], "optional.of(b\"\\x61\")\n"),
            (["'\\u001b\\u202e'"], "\"\\U0000001b\\U0000202e\"\n"),
            (["duration('1h') + duration('1s')"], "duration(\"3601s\")\n"),
            (["type(1u)"], "uint\n"), (["{'a': [1.5, ip('::1')]}"], "{\"a\": [1.5, ip(\"::1\")]}\n"),
            (
                ["--explain", "status == 'open'", "--field", "status=open"],
                "type: bool\nvariable: status, string\ntrue\ncost: 3 of at most 200000\n"
            ),
        ])
    func values(arguments: [String], output: String) async throws {
        let ending = try await withFolder { try await SluiceProcess(["eval"] + arguments, in: $0).end() }
        #expect(ending.output == output)
        #expect(ending.errors == "")
        #expect(ending.status == 0)
    }

    @Test("Fields come from a JSON file, and options override them")
    func file() async throws {
        let files = [
            "fields.json": "{\"price\": 2.5, \"tags\": [\"a\", \"b\"], \"name\": \"x\\n\\u00e4\\ud83d\\ude00\"}"
        ]
        let ending = try await sluice("eval", "[string(price), name] + tags", "--json", "fields.json", files: files)
        #expect(ending.output == "[\"2.5\", \"x\\U0000000aä😀\", \"a\", \"b\"]\n")
        let other = try await sluice("eval", "price", "--json", "fields.json", "--field", "price=7", files: files)
        #expect(other.output == "7\n")
        let list = try await sluice("eval", "1", "--json", "list.json", files: ["list.json": "[1]"])
        #expect(list.status == 64)
        #expect(list.errors.contains("expected a JSON object"))
        let huge = try await sluice("eval", "1", "--json", "huge.json", files: ["huge.json": "{\"n\": 1e400}"])
        #expect(huge.status == 64)
        #expect(huge.errors.contains("--json huge.json: the number \"1e400\" is out of range for a double"))
        #expect(try await sluice("eval", "1", "--json", "none.json").status == 1)
    }

    @Test(
        "An invalid expression exits with 78 and its position, an evaluation error with 1",
        arguments: [
            (
                ["statos == 'a' && x", "--field", "status=a"], 78,
                "1:1: unknown name \"statos\" (did you mean \"status\"?)\n1:18: unknown name \"x\"\n"
            ),
            (["1 +"], 78, "1:4: expected an expression, found the end of the expression\n"),
            (["1 / 0"], 1, "error: division by zero\n"), (["entry.id"], 1, "error: \"entry.id\" is missing\n"),
            (["lists.range(1000000)"], 1, "error: cost limit exceeded\n"),
        ])
    func mistakes(arguments: [String], status: Int, errors: String) async throws {
        let ending = try await withFolder { try await SluiceProcess(["eval"] + arguments, in: $0).end() }
        #expect(Int(ending.status) == status)
        #expect(ending.errors == errors)
        #expect(ending.output == "")
    }

    @Test("A field needs a name and a value")
    func usage() async throws {
        let ending = try await withFolder { try await SluiceProcess(["eval", "1", "--field", "x"], in: $0).end() }
        #expect(ending.status == 64)
        #expect(ending.errors.contains("write a name and a value"))
    }
}
