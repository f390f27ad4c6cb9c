import CommandSupport
import Foundation
import Glibc

/// A terminal in raw mode: keys arrive as they are pressed, and the previous screen is restored at the end.
final class RawTerminal: Sendable {
    private let saved: termios

    /// Switches the terminal to raw mode; returns `nil` if input or output is not a terminal.
    init?() {
        guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1 else { return nil }
        var settings = termios()
        guard unsafe tcgetattr(STDIN_FILENO, &settings) == 0 else { return nil }
        self.saved = settings
        settings.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG)
        guard unsafe tcsetattr(STDIN_FILENO, TCSANOW, &settings) == 0 else { return nil }
        // Switch to the alternate screen and hide the cursor.
        Terminal.write(Array("\u{1B}[?1049h\u{1B}[?25l".utf8))
    }

    /// Restores the terminal.
    func restore() {
        Terminal.write(Array("\u{1B}[?25h\u{1B}[?1049l".utf8))
        var settings = self.saved
        unsafe tcsetattr(STDIN_FILENO, TCSANOW, &settings)
    }

    /// Returns when `q`, Ctrl-C or Ctrl-D is pressed, or input ends.
    func untilQuit() async {
        let (quits, continuation) = AsyncStream<Void>.makeStream()
        // A thread, because reading blocks; it ends with the process at the latest.
        let thread = Thread {
            var byte: UInt8 = 0
            while unsafe read(STDIN_FILENO, &byte, 1) == 1, ![UInt8(ascii: "q"), 3, 4].contains(byte) {}
            continuation.finish()
        }
        thread.start()
        // Also reached if the task is cancelled.
        for await _ in quits {}
    }

    /// The number of columns and rows.
    var size: (columns: Int, rows: Int) {
        var size = winsize()
        guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return (80, 24) }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// Draws lines over the current content.
    func draw(_ lines: [String]) {
        let text = lines.map { "\($0)\u{1B}[K" }.joined(separator: "\r\n")
        Terminal.write(Array("\u{1B}[H\(text)\u{1B}[J".utf8))
    }
}
