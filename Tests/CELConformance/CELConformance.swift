import CEL
import Foundation

/// Runs conformance cases: one JSON object per line on standard input, one result per line on standard output.
@main
struct CELConformance {
    /// Reads all cases and prints a result for each, then the totals.
    static func main() throws {
        var counts = (passed: 0, failed: 0)
        while let line = readLine() {
            if line.isEmpty { continue }
            let result = try ConformanceCase(line).run()
            if result.passes { counts.passed += 1 } else { counts.failed += 1 }
            let data = try JSONSerialization.data(
                withJSONObject: result.object, options: [.sortedKeys, .withoutEscapingSlashes])
            print(String(decoding: data, as: UTF8.self))
        }
        print("\(counts.passed) passed, \(counts.failed) failed")
    }
}

/// The error that a line of the input is no case.
struct MalformedCase: Error {
    /// The line.
    var line: String
}

/// A case: an expression, its variables and the value that it must have, or that it must be an error.
struct ConformanceCase {
    private let object: [String: Any]

    /// Reads a case.
    init(_ line: String) throws {
        guard let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any],
            object["expr"] is String
        else { throw MalformedCase(line: line) }
        self.object = object
    }

    /// The result of a case.
    struct Result {
        /// The line to print.
        var object: [String: Any]
        /// Whether the value is as expected.
        var passes: Bool
    }

    /// Evaluates the expression and compares.
    func run() -> Result {
        var got: String
        var passes: Bool
        do {
            let value = try self.evaluate()
            let json = JSONForm.object(value)
            got = JSONForm.text(json)
            passes =
                self.object["value"].map { JSONForm.text(JSONForm.sorted($0)) == JSONForm.text(JSONForm.sorted(json)) }
                ?? false
        } catch {
            got = "error: \(error)"
            passes = self.object["value"] == nil && self.object["error"] != nil
        }
        var line: [String: Any] = ["pass": passes, "got": got]
        for key in ["file", "section", "test"] { line[key] = self.object[key] ?? "" }
        return Result(object: line, passes: passes)
    }

    private func evaluate() throws -> Value {
        let bindings = self.object["bindings"] as? [String: Any] ?? [:]
        let names = bindings.keys.sorted()
        var environment = ExpressionEnvironment(names.map { .init($0, .dyn) })
        environment.container = self.object["container"] as? String ?? ""
        environment.isChecked = !(self.object["disable_check"] as? Bool ?? false)
        environment.timeZone = { name, seconds in
            TimeZone(identifier: name)?.secondsFromGMT(for: Date(timeIntervalSince1970: Double(seconds)))
        }
        let program = try Program(self.object["expr"] as? String ?? "", environment)
        return try program.evaluate(VariableValues(names.map { bindings[$0].flatMap(JSONForm.value) }))
    }
}
