import Foundation
import Testing

@testable import StageKit

@Suite struct TimeZoneFilesTests {
    @Test("The machine's zones are found, as the system's library finds them")
    func zones() throws {
        let zones = TimeZoneFiles()
        for name in ["Europe/Berlin", "America/New_York", "Australia/Sydney", "Asia/Kathmandu", "Etc/UTC"] {
            // A machine without the database knows no zone.
            guard let known = TimeZone(identifier: name), zones.offset(of: name, at: 0) != nil else { continue }
            for seconds in stride(from: Int64(0), to: 4_000_000_000, by: 7_654_321) {
                let date = Date(timeIntervalSince1970: Double(seconds))
                #expect(zones.offset(of: name, at: seconds) == known.secondsFromGMT(for: date), "\(name) \(seconds)")
            }
        }
    }

    @Test(
        "A name that is no zone, or would leave the directory, has no offset",
        arguments: [
            "", "Nowhere", "Europe", "/etc/passwd", "../zoneinfo/UTC", "Europe/../UTC", "Europe//Berlin", ".", "UTC/",
            "tzdata.zi", "Europe/Berlin\0", String(repeating: "x", count: 5000),
        ])
    func unknown(name: String) {
        #expect(TimeZoneFiles().offset(of: name, at: 0) == nil)
    }

    @Test("Many names, known or not, use bounded memory and are still found")
    func many() {
        let zones = TimeZoneFiles(directory: "/nowhere")
        for index in 0..<1000 { #expect(zones.offset(of: "Zone\(index)", at: 0) == nil) }
    }
}
