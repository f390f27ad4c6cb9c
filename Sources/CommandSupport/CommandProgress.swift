package import ComponentKit
import Glibc

/// Shows on standard error how far a subcommand is: in place on a terminal, as a line every 10 s otherwise.
package struct CommandProgress {
    private let name: String
    private let unit: String
    private let destination: WorkProgress.Destination?
    private var progress: WorkProgress?
    private var isShown = false

    /// Creates the progress of work that starts now.
    ///
    /// - Parameters:
    ///   - name: What is done, such as "exported".
    ///   - unit: The unit, in the plural.
    ///   - total: The number of units, or `nil` if it is not known.
    package init(_ name: String, unit: String, total: Int? = nil) {
        self.name = name
        self.unit = unit
        self.destination = Self.destination(
            errorIsTerminal: isatty(STDERR_FILENO) == 1, outputIsTerminal: Terminal.isInteractive)
        self.progress = self.destination.map { WorkProgress($0, total: total, at: .now) }
    }

    /// Returns where progress is shown: nowhere if the results appear on the same terminal, as they show it themselves.
    package static func destination(errorIsTerminal: Bool, outputIsTerminal: Bool) -> WorkProgress.Destination? {
        if !errorIsTerminal { return .log }
        return outputIsTerminal ? nil : .terminal
    }

    /// Records how much is done, and shows it if that is due.
    package mutating func update(_ done: Int) {
        guard let report = self.progress?.update(done, at: .now) else { return }
        let line = "sluice: \(self.name) \(report.text(self.unit))"
        guard self.destination == .terminal else { return Terminal.report(line) }
        self.isShown = true
        Terminal.write(Array("\r\(line)\(Self.eraseToEnd)".utf8), to: STDERR_FILENO)
    }

    /// Removes a line that is shown in place.
    package mutating func end() {
        guard self.isShown else { return }
        self.isShown = false
        Terminal.write(Array("\r\(Self.eraseToEnd)".utf8), to: STDERR_FILENO)
    }

    /// The sequence that erases from the cursor to the end of the line (ECMA-48, EL).
    private static let eraseToEnd = "\u{1B}[K"
}
