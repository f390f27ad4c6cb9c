public import StageKit

/// Checks the contract of all stages, which is documented at `Stage`.
public enum StageConformance {
    /// Checks a stage against the contract.
    ///
    /// - Parameters:
    ///   - settings: Valid settings.
    ///   - entries: Entries for the stage to process; it must accept at least one of them.
    ///   - fixture: The fields and stores that the settings name.
    /// - Returns: The violations, one sentence each; empty if there are none.
    public static func check<S: Stage>(
        _ type: S.Type, _ settings: SettingNode, entries: [SampleEntry], in fixture: StageFixture = StageFixture()
    ) async -> [String] {
        let check = ConformanceCheck<S>(settings: settings, fixture: fixture)
        var violations = DeclarationCheck.violations(of: StageType(type))
        do {
            violations += try check.making()
            violations += try check.capabilities()
            violations += try await check.emptyBatch()
            violations += try await check.processing(entries)
            violations += try await check.hostileEntries()
            violations += try await check.repeatability(entries)
            violations += try await check.rereading(entries)
            violations += try await check.saving(entries)
            violations += try await check.otherKeys(entries)
            violations += try await check.additions(entries)
            if S.declaration.isPure { violations += try await check.purity(entries) }
        } catch let refused as StageRefused {
            violations += refused.issues.map { "valid settings are refused: \($0.message)" }
        } catch let failed as CompleteFailed {
            violations.append("complete fails: \(failed.error)")
        } catch {
            violations.append("endBatch fails: \(error)")
        }
        return violations
    }
}
