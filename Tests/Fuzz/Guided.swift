// libFuzzer brings the process's main and calls these two (https://llvm.org/docs/LibFuzzer.html): it makes the inputs, and
// keeps those that reach code which none before has reached. Its last argument is the folder it keeps them in, which is
// named as the format: SluiceFuzz -runs=1000 corpus/yaml
#if GUIDED
    import Glibc
    import Synchronization

    /// What reads bytes from outside.
    private enum Format: String, CaseIterable {
        case resp, yaml, cel, checkpoint, http

        /// What it is given.
        var input: any FuzzedInput.Type {
            switch self {
            case .resp: RESPInput.self
            case .yaml: YAMLInput.self
            case .cel: CELInput.self
            case .checkpoint: CheckpointInput.self
            case .http: HTTPInput.self
            }
        }
    }

    /// What reads: libFuzzer's functions have no context to hand it over in.
    private let input = Mutex<(any FuzzedInput)?>(nil)

    /// Makes the format ready and writes its seeds to the folder, before libFuzzer reads that.
    @c(LLVMFuzzerInitialize)
    public func prepare(
        _ count: UnsafeMutablePointer<CInt>,
        _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>
    ) -> CInt {
        let folder = unsafe arguments.pointee[Int(count.pointee) - 1].map { unsafe String(cString: $0) } ?? ""
        guard let format = Format(rawValue: folder.split(separator: "/").last.map(String.init) ?? "") else {
            let names = Format.allCases.map(\.rawValue).joined(separator: ", ")
            print("the last argument has to be a folder that is named as a format: \(names)")
            exit(2)
        }
        do {
            for (number, seed) in format.input.seeds.enumerated() { try write(seed, "\(folder)/seed-\(number)") }
            let made = try format.input.init()
            input.withLock { $0 = made }
        } catch {
            print("\(error)")
            exit(2)
        }
        return 0
    }

    /// Reads one input; one that breaks a promise ends the process, and libFuzzer leaves it in a file.
    @c(LLVMFuzzerTestOneInput)
    public func take(_ bytes: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
        let bytes = unsafe Array(UnsafeBufferPointer(start: bytes, count: size))
        input.withLock { input in
            do {
                _ = try input?.read(bytes)
            } catch {
                print("\(error)")
                abort()
            }
        }
        return 0
    }

    private struct Unwritable: Error { let path: String }

    private func write(_ bytes: [UInt8], _ path: String) throws {
        guard let file = unsafe fopen(path, "w") else { throw Unwritable(path: path) }
        defer { unsafe fclose(file) }
        guard unsafe fwrite(bytes, 1, bytes.count, file) == bytes.count else { throw Unwritable(path: path) }
    }
#endif
