import Foundation
import Testing
import Training

@Suite("dates whose year comes last") struct YearLastDateTests {
    @Test(
        "a date whose year comes last gets the command that converts it if no date shows what comes first",
        arguments: ["01/02/2024", "1/2/2024 8:26", "01-02-2024"]
    )
    func ambiguousDates(time: String) throws {
        let text = try EventsFile.refusal("user,item,timestamp\nu,i,\(time)\nu,j,\(time)\n")
        #expect(text.contains("Write the year first"), "\(text)")
        #expect(
            text.hasSuffix("if the month comes first here, or with `\\3-\\2-\\1` at its end if the day does."),
            "\(text)"
        )
    }

    @Test(
        "one date that has a single meaning tells how to read all dates of the log whose year comes last",
        arguments: [
            // The first item is the newest if the day comes first, and the oldest if the month does.
            (["02/03/2024", "01/04/2024", "31/01/2024"], ["c", "a", "b"], "day"),
            (["02/03/2024", "01/04/2024", "01/31/2024"], ["b", "c", "a"], "month"),
            (["2.3.2024, 08:26:00", "1.4.2024, 23:59:59", "31.1.2024, 00:00:00"], ["c", "a", "b"], "day"),
            (["2-3-2024 8:26", "1-4-2024 23:59:59", "31-1-2024 0:00"], ["c", "a", "b"], "day"),
            (["2/3/2024 8:26 PM", "1/4/2024 11:00 AM", "1/31/2024 1:00 AM"], ["b", "c", "a"], "month"),
            (["2.3.2024", "1.4.2024", "1.2.2024"], ["c", "a", "b"], "day"),
        ]
    )
    func yearLast(times: [String], order: [String], first: String) throws {
        let rows = zip(["a", "b", "c"], times).map { "u,\($0),\"\($1)\"\n" }.joined()
        let loaded = try EventsFile.load("user,item,timestamp\n" + rows)
        #expect(EventsFile.sequences(loaded) == ["u": order])
        #expect(loaded.data.hasClock)
        #expect(
            loaded.data.notes.contains { $0.contains("dates are read with the \(first) first") },
            "\(loaded.data.notes)"
        )
    }

    @Test("a date whose year comes last is the second of its day, with the zone if there is one")
    func valueOfYearLast() throws {
        for (text, seconds) in [
            ("31/12/2023", 1_703_980_800), ("12/31/2023 01:00", 1_703_984_400),
            ("31.12.2023 01:00:02+01:00", 1_703_980_802),
        ] {
            let loaded = try EventsFile.load("user,item,timestamp\nu,i,\(text)\n")
            #expect(loaded.data.lastTimestamps == [Timestamp(Double(seconds))], "\(text)")
        }
    }

    @Test("a log that mixes dates with the day and with the month first is refused with both dates")
    func mixedOrders() throws {
        let text = try EventsFile.refusal("user,item,timestamp\nu,a,01/02/2024\nu,b,31/01/2024\nu,c,12/31/2024\n")
        #expect(
            text.hasPrefix(
                "F:4:5: column 'timestamp' mixes forms of time: '12/31/2024' (a date with the month first, line 4)"
            ),
            "\(text)"
        )
        #expect(text.contains("'31/01/2024' (a date with the day first, line 3)"), "\(text)")
        let nowhere = try EventsFile.refusal("user,item,timestamp\nu,a,31/01/2024\nu,b,31/31/2024\n")
        #expect(nowhere.hasPrefix("F:3:5: '31/31/2024' in column 'timestamp' is no time."), "\(nowhere)")
        let other = try EventsFile.refusal("user,item,timestamp\nu,a,31/01/2024\nu,b,1700000000\n")
        #expect(other.contains("mixes forms of time"), "\(other)")
    }

    @Test("after points the day comes first, so such a date is refused where the month does")
    func pointsAmongSlashes() throws {
        let text = try EventsFile.refusal("user,item,timestamp\nu,a,12/31/2024\nu,b,02.01.2025\n")
        #expect(text.contains("'02.01.2025' (a date with the day first, line 3)"), "\(text)")
    }

    @Test("files without rows, without times and with other dates do not end the search for the order")
    func searchesAllFiles() throws {
        for rows in ["", "u,a,\n", "u,a,2024-01-31\n"] {
            let parts = ["user,item,timestamp\n" + rows, "user,item,timestamp\nv,b,01/02/2024\nv,c,31/01/2024\n"]
            let folder = FileManager.default.temporaryDirectory.appending(path: "parts-\(UUID())")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            for (number, text) in parts.enumerated() {
                try Data(text.utf8).write(to: folder.appending(path: "\(number).csv"))
            }
            var job = LogImport(events: try EventSource([folder.path]))
            job.dropsEmpty = true
            let out = folder.appending(path: "out").path
            _ = try job.run(into: out)
            let written = try String(contentsOfFile: out + "/events.csv", encoding: .utf8)
            #expect(written.contains("v,b,1706745600") && written.contains("v,c,1706659200"), "\(written)")
        }
    }

    @Test("an import reads such dates too, and the order is looked for in all files of a log")
    func importsYearLast() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "year-last-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, rows) in [("1.csv", "u,a,01/02/2024\nv,a,\n"), ("2.csv", "u,b,02/01/2024\nu,c,31/01/2024\n")] {
            try Data(("user,item,timestamp\n" + rows).utf8).write(to: folder.appending(path: name))
        }
        let out = folder.appending(path: "out").path
        var job = LogImport(events: try EventSource([folder.path]))
        job.dropsEmpty = true
        let summary = try job.run(into: out)
        #expect(summary.notes.contains { $0.contains("dates are read with the day first") }, "\(summary.notes)")
        let written = try String(contentsOfFile: out + "/events.csv", encoding: .utf8)
        #expect(written.contains("u,a,1706745600") && written.contains("u,b,1704153600"), "\(written)")
    }
}
