import Foundation
import Testing

/// Durations, time-outs and deadlines need a clock that nobody sets.
@Suite("Clocks") struct ClockTests {
    /// The files that may read the wall clock, with the reason.
    private static let readers = [
        "HTTPAPI/ControlPlane/Dashboard/Page/dashboard.js": "shows when the connection was lost",
        "HTTPAPI/ControlPlane/Dashboard/Page/elements.js": "shows an age",
        "HTTPAPI/DataPlane/ResponseHead.swift": "the field Date",
        "HTTPAPI/JSON/RulesReader.swift": "the items of the last days",
        "HTTPAPI/Log/LineLogHandler.swift": "the time of a log line",
        "HTTPAPI/Metrics/MetricsPage.swift": "the age of a version, at least 0; requests of the last seconds",
        "HTTPAPI/Tracing/SpanFile.swift": "converts times of the other clock for readers",
        "Serving/Versions/ImportFolder.swift": "the age of a file, whose time is one of this clock",
    ]

    @Test("only the display of times reads the wall clock")
    func readers() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Sources").standardized
        var found: Set<String> = []
        for folder in ["HTTPAPI", "Serving"] {
            let place = root.appending(path: folder)
            let files = FileManager.default.enumerator(at: place, includingPropertiesForKeys: nil)
            for case let file as URL in try #require(files) where ["swift", "js"].contains(file.pathExtension) {
                let text = try String(contentsOf: file, encoding: .utf8)
                let clock = /\bDate\.now|\bDate\(\)|gettimeofday|CLOCK_REALTIME|DispatchWallTime|\bUTCClock/
                guard text.contains(clock) else { continue }
                found.insert(String(file.path.dropFirst(root.path.count).drop { $0 == "/" }))
            }
        }
        #expect(found == Set(Self.readers.keys))
    }
}
