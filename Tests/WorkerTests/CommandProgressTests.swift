import CommandSupport
import ComponentKit
import StageKit
import Testing

@Suite struct CommandProgressTests {
    @Test(
        "Progress goes to a terminal if the results go elsewhere, and into lines without a terminal",
        arguments: [(true, false, .terminal), (true, true, nil), (false, true, .log), (false, false, .log)]
            as [(Bool, Bool, WorkProgress.Destination?)])
    func destination(errorIsTerminal: Bool, outputIsTerminal: Bool, expected: WorkProgress.Destination?) {
        let found = CommandProgress.destination(errorIsTerminal: errorIsTerminal, outputIsTerminal: outputIsTerminal)
        #expect(found == expected)
    }
}
