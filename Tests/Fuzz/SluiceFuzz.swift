import ArgumentParser
import Glibc

#if !GUIDED
    /// Gives mutated bytes to everything that reads bytes from outside.
    @main
    struct SluiceFuzz: ParsableCommand {
        /// How the command line shows it.
        static let configuration = CommandConfiguration(
            commandName: "SluiceFuzz",
            abstract: "Give mutated RESP, YAML, expressions, checkpoints and HTTP to their readers.")

        /// How many inputs.
        @Option(help: "How many inputs in all; one in fifty is HTTP, over a real connection.") var inputs = 5_000_000
        /// The seed.
        @Option(help: "Where the sequence begins.") var seed: UInt64 = 1

        /// The longest that one input may take: a hundred times what the slowest takes on a busy machine.
        private static let limit = Duration.seconds(10)
        /// The most that may be resident, in KiB.
        private static let memory = 512 << 10

        /// Runs.
        func run() throws {
            let web = self.inputs / 50
            let share = (self.inputs - web) / 8
            try self.fuzz(RESPInput.self, self.inputs - web - share * 6)
            try self.fuzz(CELInput.self, share * 3)
            try self.fuzz(YAMLInput.self, share * 2)
            try self.fuzz(CheckpointInput.self, share)
            try self.fuzz(HTTPInput.self, web)
            print("\(self.inputs) inputs: no crash, no hang, at most \(Self.peakKiB >> 10) MiB resident")
        }

        private func fuzz<Input: FuzzedInput>(_ type: Input.Type, _ count: Int) throws {
            var random = Mutator(seed: self.seed)
            var input = try Input()
            var taken = 0
            let began = ContinuousClock.now
            for number in 0..<count {
                let start = ContinuousClock.now
                if try input.read(input.make(&random)) { taken += 1 }
                guard ContinuousClock.now - start < Self.limit else {
                    throw ValidationError("\(Input.name): input \(number) of seed \(self.seed) took too long")
                }
            }
            let peak = Self.peakKiB
            guard peak < Self.memory else { throw ValidationError("\(Input.name): \(peak) KiB are resident") }
            print("\(Input.name): \(count) inputs, \(taken) taken, in \(ContinuousClock.now - began)")
        }

        private static var peakKiB: Int {
            var usage = rusage()
            unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
            return usage.ru_maxrss
        }
    }
#endif
