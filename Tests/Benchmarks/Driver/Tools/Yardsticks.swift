import Foundation

/// The programs that Sluice is measured against, compiled by the bench itself.
struct Yardsticks {
    /// Where the sources are, relative to the package.
    private static let sources = "Tests/Benchmarks/Yardsticks"
    /// How long pip may take to fetch what the Python peer needs, in seconds.
    private static let pipLimit = "60"

    private let folder: String
    /// Why there is no Python peer, nil where there is one.
    let pythonProblem: String?

    /// Compiles everything into a folder.
    init(into folder: String, withPython: Bool) throws {
        self.folder = folder
        guard let compiler = ChildProcess.find("cc") else {
            throw ToolFailure(description: "no C compiler: cc is not in the PATH")
        }
        for name in [
            "server_limit", "plain_hiredis", "load_stream", "publish", "group_limit", "resp_load", "luajit",
        ] {
            let libraries = ["plain_hiredis", "resp_load"].contains(name) ? ["-lhiredis"] : []
            _ = try ChildProcess.run(
                compiler, ["-O2", "-o", "\(folder)/\(name)", "\(Self.sources)/\(name).c"] + libraries)
        }
        _ = try ChildProcess.run(
            compiler,
            [
                "-O2", "-shared", "-fPIC", "-o", "\(folder)/count_allocations.so",
                "\(Self.sources)/count_allocations.c",
            ])
        self.pythonProblem = withPython ? Self.installPython(folder) : "not asked for"
    }

    /// Where a compiled program is.
    func program(_ name: String) -> String { "\(self.folder)/\(name)" }

    /// Where a compiled library is, as an absolute path: the loader looks for names without a slash elsewhere.
    func library(_ name: String) -> String { URL(fileURLWithPath: "\(self.folder)/\(name).so").path }

    /// Builds the C library for shared stores as the Debian package does; returns its directory.
    func lookupLibrary() throws -> String {
        let root = URL(fileURLWithPath: "\(self.folder)/lookup-library").path
        _ = try ChildProcess.run(
            "/usr/bin/env", ["-u", "DEB_HOST_MULTIARCH", "bash", "Sources/Packaging/library", root])
        return "\(root)/usr/lib"
    }

    /// A script of the yardsticks.
    func script(_ name: String) -> String { "\(Self.sources)/\(name)" }

    /// The Python peer's interpreter and script.
    var python: (program: String, script: String) {
        ("\(self.folder)/venv/bin/python", "\(Self.sources)/python_peer.py")
    }

    /// Makes an environment with redis-py and hiredis; returns what went wrong.
    private static func installPython(_ folder: String) -> String? {
        let interpreter = "\(folder)/venv/bin/python"
        if (try? ChildProcess.run(interpreter, ["-c", "import redis, hiredis"], isQuiet: true)) != nil { return nil }
        guard let python = ChildProcess.find("python3"), let limiter = ChildProcess.find("timeout") else {
            return "there is no python3"
        }
        do {
            _ = try ChildProcess.run(python, ["-m", "venv", "\(folder)/venv"], isQuiet: true)
            _ = try ChildProcess.run(
                limiter, [self.pipLimit, interpreter, "-m", "pip", "install", "-q", "redis", "hiredis"], isQuiet: true)
            return nil
        } catch {
            return "pip cannot install redis and hiredis"
        }
    }
}
