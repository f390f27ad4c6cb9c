import ArgumentParser
import CEL
import CommandSupport
import Foundation
import StageKit

/// `sluice eval`: evaluates an expression.
struct EvalCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "eval", abstract: "Evaluate an expression of a pipeline file.",
        discussion: """
            The value of a field is JSON if it can be read as JSON, and text otherwise: amount=5 is a whole number, \
            price=2.5 a double, status=open and 'status="5"' are text. Without --field and --json, the expression has \
            no fields.
            """)

    @Argument(help: "Expression in the Common Expression Language.")
    var expression: String

    @Option(name: .customLong("field"), help: ArgumentHelp("Field and its value.", valueName: "name=value"))
    var fields: [String] = []

    @Option(name: .customLong("json"), help: ArgumentHelp("File with a JSON object of fields.", valueName: "file"))
    var file: String?

    @Flag(help: "Print the types and the cost as well.")
    var explain = false

    func run() async throws {
        try await CommandErrors.reported {
            let variables = try self.variables()
            var environment = ExpressionEnvironment(
                variables.map { .init($0.name, FieldValue.type(of: $0.value)) }
                    + ExpressionNames.variables.map { .init($0.name, $0.type) })
            environment.allowsHasOfVariables = true
            environment.timeZone = TimeZoneFiles().lookup
            let program: Program
            do throws(ExpressionProblems) {
                program = try Program(self.expression, environment)
            } catch {
                for problem in error.problems { Terminal.report(problem.description) }
                throw ExitStatus.configuration
            }
            let now = Timestamp(unixSeconds: WallClock.system.milliseconds / 1000).map { Value.timestamp($0) }
            let others = ExpressionNames.variables.map { $0.name == "now" ? now : nil }
            let source = VariableValues(variables.map { .some($0.value) } + others)
            if self.explain { try self.explain(program, environment) }
            do throws(EvaluationError) {
                let (value, cost) = try program.evaluateWithCost(source)
                try Self.write(FieldValue.text(value))
                if self.explain { try Self.write("cost: \(cost) of at most \(ExpressionLimits.cost)") }
            } catch {
                Terminal.report("error: \(error)")
                throw ExitStatus.failure
            }
        }
    }

    /// Prints a line; an output that cannot be written ends the command through the evaluation's error.
    private static func write(_ line: String) throws(EvaluationError) {
        do {
            try Terminal.result(line)
        } catch {
            throw EvaluationError("cannot write to standard output")
        }
    }

    private func explain(_ program: Program, _ environment: ExpressionEnvironment) throws {
        try Terminal.result("type: \(program.type)")
        for number in program.variables {
            let variable = environment.variables[number]
            try Terminal.result("variable: \(variable.name), \(variable.type)")
        }
    }

    /// The fields of the file and of the options; the options override the file.
    private func variables() throws -> [(name: String, value: Value)] {
        var found: [(name: String, value: Value)] = []
        if let file = self.file {
            let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: file)))
            let value: Value
            do throws(JSONValues.Refusal) {
                value = try JSONValues.value(bytes)
            } catch {
                throw ValidationError("--json \(file): \(error.message)")
            }
            guard case .map(let map) = value else { throw ValidationError("--json \(file): expected a JSON object") }
            for entry in map.pairs {
                if case .string(let name) = entry.key { found.append((name, entry.value)) }
            }
        }
        for field in self.fields {
            guard let position = field.firstIndex(of: "="), position != field.startIndex else {
                throw ValidationError("--field \(field): write a name and a value, such as status=open")
            }
            let name = String(field[..<position])
            let text = String(field[field.index(after: position)...])
            found.removeAll { $0.name == name }
            found.append((name, (try? JSONValues.value(Array(text.utf8))) ?? .string(text)))
        }
        return found
    }
}
