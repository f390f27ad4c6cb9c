/// Experiments that need no server.
extension Bench {
    /// Look-ups at random, alone and beside a writer at full speed.
    func lookups(into report: inout BenchReport) throws {
        for sessions in self.plan.lookupSessions {
            self.say("look-ups, \(sessions) sessions")
            let found: [LookupFigures] = try self.child([
                "lookups", "--sessions", "\(sessions)", "--rounds", "\(self.plan.rounds)",
            ])
            for (readers, writer) in [(1, false), (1, true), (2, false), (2, true)] {
                let rounds = found.filter { $0.readers == readers && $0.writer == writer }
                let subject = "\(readers) reader\(readers > 1 ? "s" : "")\(writer ? ", writer" : "")"
                report.rows.append(
                    Self.row(
                        Names.lookups, "\(sessions) sessions", subject,
                        [
                            (Names.lookup, rounds.map(\.wallNanoseconds)),
                            ("CPU ns/look-up", rounds.map(\.cpuNanoseconds)),
                            ("updates/s", writer ? rounds.map(\.updatesPerSecond) : []),
                        ]))
            }
        }
    }

    /// Memory of each session.
    func memory(into report: inout BenchReport) throws {
        for sessions in self.plan.lookupSessions {
            self.say("memory, \(sessions) sessions")
            let found: MemoryFigures = try self.child(["memory", "--sessions", "\(sessions)"])
            report.rows.append(
                Self.row(
                    Names.memory, "\(found.sessions) sessions", "memory store",
                    [(Names.liveBytes, [found.liveBytes]), ("resident B/session", [found.residentBytes])]))
        }
    }

    /// The engine's own cost: what each more stage adds to an event, and what an event costs with one.
    func overhead(into report: inout BenchReport) throws {
        self.say("overhead of \(self.plan.rounds) rounds")
        let sizes = OverheadChild.sizes
        var rounds: [[OverheadFigures]] = []
        for _ in 0..<self.plan.rounds { rounds.append(try self.child(["overhead"])) }
        guard let smallest = sizes.first, let largest = sizes.last else { return }
        for isPure in [false, true] {
            let byStages = Dictionary(
                sizes.map { size in
                    (size, rounds.flatMap { $0 }.filter { $0.isPure == isPure && $0.stages == size }.map(\.nanoseconds))
                }, uniquingKeysWith: { first, _ in first })
            let slopes = zip(byStages[largest] ?? [], byStages[smallest] ?? []).map { many, one in
                (many - one) / Double(largest - smallest)
            }
            report.rows.append(
                Self.row(
                    Names.overhead, isPure ? "pure" : "not pure", "idle stages",
                    [(Names.stageCost, slopes)] + sizes.map { ("ns/event of \($0)", byStages[$0] ?? []) }))
        }
    }

    /// Conditions on events: the map form, the same as an expression, and arithmetic.
    func expressions(into report: inout BenchReport) throws {
        self.say("expressions, \(self.plan.rounds) rounds")
        var found: [ExpressionFigures] = []
        for _ in 0..<self.plan.rounds { found += try self.child(["expressions"]) as [ExpressionFigures] }
        for (subject, _) in ExpressionChild.conditions {
            let nanoseconds = found.filter { $0.subject == subject }.map(\.nanoseconds)
            report.rows.append(
                Self.row(Names.expressions, Names.conditions, subject, [(Names.conditionCost, nanoseconds)]))
        }
    }

    /// A row of the metrics that have values.
    static func row(
        _ experiment: String, _ setting: String, _ subject: String, _ metrics: [(String, [Double])]
    ) -> BenchReport.Row {
        BenchReport.Row(
            experiment: experiment, setting: setting, subject: subject,
            metrics: metrics.compactMap { name, values in
                Samples(values).map { BenchReport.Metric(name: name, samples: $0) }
            })
    }
}
