import Testing

@testable import PluginLoading

@Suite struct PluginTrustTests {
    private static let user: UInt32 = 1000

    private func problem(
        file: (owner: UInt32, mode: UInt32) = (1000, 0o100755), folder: (owner: UInt32, mode: UInt32) = (0, 0o040755)
    ) -> String? {
        PluginTrust.problem(
            [
                .init(path: "/", owner: 0, mode: 0o040755),
                .init(path: "/opt", owner: folder.owner, mode: folder.mode),
                .init(path: "/opt/a.so", owner: file.owner, mode: file.mode),
            ], user: Self.user)
    }

    @Test(
        arguments: [
            (1000, 0o100644, 0o040755), (0, 0o100755, 0o040755), (1000, 0o100400, 0o040700),
            // As /tmp: others may put files there, and not exchange ours.
            (1000, 0o100755, 0o041777),
        ] as [(UInt32, UInt32, UInt32)])
    func `What only root and the worker's user can have written is trusted`(owner: UInt32, file: UInt32, folder: UInt32)
    {
        #expect(self.problem(file: (owner, file), folder: (0, folder)) == nil)
        #expect(self.problem(file: (owner, file), folder: (Self.user, folder)) == nil)
    }

    @Test func `A file that others can write to, or own, is refused with advice`() {
        #expect(
            self.problem(file: (1000, 0o100775))
                == "is executable code, so the file must not be writable by its group or by others: chmod go-w "
                + "/opt/a.so"
        )
        #expect(self.problem(file: (1000, 0o100757))?.hasSuffix("chmod go-w /opt/a.so") == true)
        #expect(
            self.problem(folder: (0, 0o040777))
                == "is executable code, so its directory /opt must not be writable by its group or by others: chmod "
                + "go-w /opt"
        )
        #expect(
            self.problem(file: (1001, 0o100755))
                == "is executable code, so the file must belong to root or to the worker's user 1000, not to user 1001")
        #expect(
            self.problem(folder: (1001, 0o041777))
                == "is executable code, so its directory /opt must belong to root or to the worker's user 1000, not "
                + "to user 1001"
        )
        // The sticky bit means nothing on a file.
        #expect(self.problem(file: (1000, 0o101777)) != nil)
    }

    @Test func `A path that is not a regular file is refused`() {
        for mode: UInt32 in [0o040755, 0o010644, 0o020644, 0o140755] {
            #expect(self.problem(file: (0, mode)) == "is not a file")
        }
        #expect(PluginTrust.problem([], user: 0) == "is not a file")
    }
}
