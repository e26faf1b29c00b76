import Foundation
import Kernels
import Testing
import Training

/// The convention's steps one by one on arrays: slow, but easy to check.
private struct ReferenceCut {
    var train: [String: [String]] = [:]
    var validation: [String: [String]] = [:]
    var test: [String: [String]] = [:]

    /// Splits clicks given in the file's order; dates are seconds.
    init(_ clicks: [(session: String, date: Int, item: String)], fraction: Int, minimumClicks: Int) {
        var order: [String] = []
        var items: [String: [String]] = [:]
        var dates: [String: Int] = [:]
        for click in clicks {
            if items[click.session] == nil { order.append(click.session) }
            items[click.session, default: []].append(click.item)
            dates[click.session] = click.date
        }
        order.removeAll { items[$0]?.count == 1 }
        var counts: [String: Int] = [:]
        for session in order { for item in items[session] ?? [] { counts[item, default: 0] += 1 } }
        for session in order { items[session]?.removeAll { counts[$0, default: 0] < minimumClicks } }
        order.removeAll { (items[$0]?.count ?? 0) < 2 }
        let split = (order.compactMap { dates[$0] }.max() ?? 0) - 86_400
        // A stable sort by date: the position in the file is the second key.
        let sorted = order.enumerated()
            .sorted { (dates[$0.element] ?? 0, $0.offset) < (dates[$1.element] ?? 0, $1.offset) }.map(\.element)
        let training = sorted.filter { (dates[$0] ?? 0) < split }
        let known = Set(training.flatMap { items[$0] ?? [] })
        for session in sorted where (dates[session] ?? 0) > split {
            let kept = (items[session] ?? []).filter(known.contains)
            if kept.count >= 2 { test[session] = kept }
        }
        // Rows in the convention's order: for each session the longest prefix first. The rest of a session is its
        // longest prefix with its target among the newest rows.
        let rows = training.flatMap { session in
            (1..<(items[session]?.count ?? 1)).reversed().map { (session, $0) }
        }
        var kept: [(session: String, length: Int)] = []
        for (session, length) in rows.suffix(rows.count / fraction) where kept.last?.session != session {
            kept.append((session, length + 1))
        }
        let trained = kept.count * 9 / 10
        for (place, (session, length)) in kept.enumerated() {
            let prefix = Array((items[session] ?? []).prefix(length))
            if place < trained { train[session] = prefix } else { validation[session] = prefix }
        }
    }
}

@Suite("YooChoose import") struct YooChooseImportTests {
    /// Imports a text and reads the three parts.
    private func parts(
        _ text: String,
        fraction: Int = 1,
        minimumClicks: Int = 1
    ) throws -> (train: [String: [String]], validation: [String: [String]], test: [String: [String]]) {
        try withFile(text, name: "yoochoose-clicks.dat") { path in
            var job = YooChooseImport(clicks: path)
            job.fraction = fraction
            job.minimumClicks = minimumClicks
            let out = path + "-out"
            let summary = try job.run(into: out)
            #expect(summary.rows == text.split(separator: "\n").count)
            #expect(summary.parts.map(\.name) == ["train", "validation", "test"])
            func part(_ name: String) throws -> [String: [String]] {
                var vocabulary = ItemVocabulary()
                let data = try InteractionDataset.load(events: "\(out)/\(name).csv", vocabulary: &vocabulary)
                let counts = summary.parts.first { $0.name == name }
                #expect(counts?.users == data.userCount && counts?.events == data.eventCount)
                #expect(counts?.items == vocabulary.count)
                let rows = data.userIDs.indices.map { user in
                    (data.userIDs[user], data.sequences[user].map { vocabulary.ids[Int($0)] })
                }
                return Dictionary(uniqueKeysWithValues: rows)
            }
            return (try part("train"), try part("validation"), try part("test"))
        }
    }

    /// Lines of the raw file for sessions whose clicks share one date.
    private func text(_ sessions: [(id: String, time: String, items: String)]) -> String {
        sessions.flatMap { session in session.items.map { "\(session.id),\(session.time),\($0),0\n" } }.joined()
    }

    @Test("splits by the newest day; a session of exactly a day ago is in no part") func dates() throws {
        let parts = try parts(
            text([
                ("1", "2014-09-28T10:00:00.001Z", "abc"), ("2", "2014-09-29T10:00:00.000Z", "ab"),
                ("3", "2014-09-29T10:00:01.999Z", "bc"), ("4", "2014-09-30T10:00:00.500Z", "ca"),
                ("5", "2014-09-28T23:00:00Z", "ab"),
            ])
        )
        #expect(parts.train == ["1": ["a", "b", "c"]])
        #expect(parts.validation == ["5": ["a", "b"]])
        #expect(parts.test == ["3": ["b", "c"], "4": ["c", "a"]])
    }

    @Test("drops rare items, then short sessions again; counts ignore sessions of one click") func filters()
        throws
    {
        // Item r is clicked three times, once in a session of one click: below 3. Without it session 2 is too short, and z is as rare.
        let old = "2014-09-01T00:00:00.000Z"
        let parts = try parts(
            text([
                ("1", old, "aab"), ("2", old, "ra"), ("3", old, "r"), ("4", old, "bbr"), ("5", old, "ab"),
                ("9", "2014-09-30T00:00:00.000Z", "abzz"),
            ]),
            minimumClicks: 3
        )
        #expect(parts.train == ["1": ["a", "a", "b"], "4": ["b", "b"]])
        #expect(parts.validation == ["5": ["a", "b"]])
        #expect(parts.test == ["9": ["a", "b"]])
    }

    @Test("test sessions keep the items of all training sessions, also of sessions outside the fraction")
    func knownItems() throws {
        let parts = try parts(
            text([
                ("1", "2014-09-01T00:00:00.000Z", "old"), ("2", "2014-09-02T00:00:00.000Z", "ab"),
                ("3", "2014-09-03T00:00:00.000Z", "ab"), ("8", "2014-09-30T00:00:00.000Z", "onxl"),
                ("9", "2014-09-30T00:00:00.000Z", "xya"),
            ]),
            fraction: 2
        )
        #expect(parts.train == ["2": ["a", "b"]])
        #expect(parts.validation == ["3": ["a", "b"]])
        #expect(parts.test == ["8": ["o", "l"]])
    }

    @Test("the cut counts rows, and a cut session keeps its first clicks") func cut() throws {
        // Nine rows; a third is three: session 3's one, session 2's one, and the first of session 1's.
        let parts = try parts(
            text([
                ("2", "2014-09-02T00:00:00.000Z", "ba"), ("1", "2014-09-01T00:00:00.000Z", "abcdefgh"),
                ("3", "2014-09-03T00:00:00.000Z", "ab"), ("9", "2014-09-30T00:00:00.000Z", "ab"),
            ]),
            fraction: 3
        )
        #expect(parts.train == ["1": ["a", "b"], "2": ["b", "a"]])
        #expect(parts.validation == ["3": ["a", "b"]])
    }

    @Test("clicks keep the file's order, repeats included, also in interleaved sessions") func fileOrder() throws {
        let clicks = [
            ("1", "2014-09-01T00:00:09.000Z", "a"), ("2", "2014-09-01T00:00:05.000Z", "a"),
            ("1", "2014-09-01T00:00:03.000Z", "b"), ("1", "2014-09-01T00:00:04.000Z", "b"),
            ("2", "2014-09-01T00:00:05.000Z", "b"), ("9", "2014-09-30T00:00:00.000Z", "a"),
            ("9", "2014-09-30T00:00:00.000Z", "b"),
        ]
        let parts = try parts(clicks.map { "\($0.0),\($0.1),\($0.2),S\n" }.joined())
        // The last listed click dates session 1 before session 2, so session 1 is older.
        #expect(parts.train == ["1": ["a", "b", "b"]])
        #expect(parts.validation == ["2": ["a", "b"]])
    }

    @Test("agrees with the convention's steps on arrays", arguments: 0..<40 as Range<UInt64>)
    func reference(seed: UInt64) throws {
        var generator = SequentialGenerator(CounterBasedGenerator(seed: seed, purpose: .simulation))
        let start = 1_411_344_000  // 2014-09-22T00:00:00Z
        var clicks: [(session: String, date: Int, item: String)] = []
        for session in 0..<Int.random(in: 60...200, using: &generator) {
            // Few different dates give many ties.
            let date = start + Int.random(in: 0..<40, using: &generator) * 10_800
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                let item = Int.random(in: 0..<30, using: &generator) * Int.random(in: 0...2, using: &generator)
                clicks.append(("s\(session)", date, "\(item)"))
            }
        }
        let (fraction, minimum) = (
            [1, 2, 4].randomElement(using: &generator) ?? 1, Int.random(in: 1...6, using: &generator)
        )
        let expected = ReferenceCut(clicks, fraction: fraction, minimumClicks: minimum)
        let text = clicks.map { click in
            let day = 22 + (click.date - start) / 86_400
            let hour = (click.date - start) % 86_400 / 3600
            return "\(click.session),2014-09-\(day)T\(hour < 10 ? "0" : "")\(hour):00:00.\(seed)Z,\(click.item),0\n"
        }.joined()
        let parts = try parts(text, fraction: fraction, minimumClicks: minimum)
        #expect(parts.train == expected.train)
        #expect(parts.validation == expected.validation)
        #expect(parts.test == expected.test)
    }

    @Test("an empty part is an error and leaves nothing behind") func emptyPart() throws {
        try withFile(text([("1", "2014-09-01T00:00:00.000Z", "ab")]), name: "clicks.dat") { path in
            #expect(throws: ImportError.emptyPart("train", source: path)) {
                try YooChooseImport(clicks: path).run(into: path + "-out")
            }
            let folder = URL(filePath: path).deletingLastPathComponent().path
            let left = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(left == ["clicks.dat"])
        }
    }

    @Test(
        "times must be in UTC and exist",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("1969-12-31T23:59:59Z", -1), ("2014-04-07T10:51:09.277Z", 1_396_867_869),
            ("2000-02-29T00:00:00.5Z", 951_782_400), ("2000-03-01T00:00:00Z", 951_868_800),
            ("2100-03-01T00:00:00Z", 4_107_542_400), ("2014-12-31T23:59:59.999999Z", 1_420_070_399),
            ("2014-04-07T10:51:09", nil), ("2014-04-07T10:51:09+02:00", nil), ("2014-04-07 10:51:09Z", nil),
            ("2014-02-29T00:00:00Z", nil), ("1900-02-29T00:00:00Z", nil), ("2014-13-01T00:00:00Z", nil),
            ("2014-00-01T00:00:00Z", nil), ("2014-04-31T00:00:00Z", nil), ("2014-04-00T00:00:00Z", nil),
            ("2014-04-07T24:00:00Z", nil), ("2014-04-07T10:60:00Z", nil), ("2014-04-07T10:00:60Z", nil),
            ("2014-04-07T10:51:09.Z", nil), ("2014-04-07T10:51:09.2x7Z", nil), ("2014-4-07T10:51:09.277Z", nil),
            ("", nil), ("Z", nil), ("1396867869", nil),
        ] as [(String, Int?)]
    )
    func times(text: String, seconds: Int?) throws {
        try withFile("s,t\nx,\(text)\n") { path in
            var reader = try CSVReader(file: path)
            #expect(try reader.next())
            if let seconds {
                #expect(try reader.time(1) == seconds)
            } else {
                let place = CSVError.Location(file: path, line: 2, column: 3)
                do {
                    Issue.record("accepted as \(try reader.time(1))")
                } catch {
                    #expect(error as? CSVError == .invalidTime(at: place, column: "t", text: text))
                }
            }
        }
    }
}
