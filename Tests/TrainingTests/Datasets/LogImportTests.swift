import Foundation
import Kernels
import Testing
import Training

@Suite("Import of any log") struct LogImportTests {
    /// Runs an import and gives the rows of each written file, without its header.
    private func imported(_ text: String, _ change: (inout LogImport) -> Void) throws -> [String: [String]] {
        try withFile(text) { file in
            let out = file + ".out"
            var job = LogImport(events: EventSource(file: file))
            change(&job)
            let summary = try job.run(into: out)
            var rows: [String: [String]] = [:]
            for name in try FileManager.default.contentsOfDirectory(atPath: out) {
                let text = try String(contentsOf: URL(filePath: "\(out)/\(name)"), encoding: .utf8)
                let lines = text.split(separator: "\n")
                rows[String(name.dropLast(4))] = lines.dropFirst().map(String.init)
            }
            for part in summary.parts { #expect(part.events == rows[part.name]?.count) }
            return rows
        }
    }

    private static let log = """
        visitor_id,sku,stars,when
        u,a,5,100
        v,b,1,150
        u,a,4,100
        u,"c,d",3,50
        u,a,5,200
        v,a,5,301
        v,b,4,100

        """

    private func imported(_ change: (inout LogImport) -> Void) throws -> [String: [String]] {
        try imported(Self.log) {
            $0.columns.time = "when"
            change(&$0)
        }
    }

    @Test("without options the rows stay as they are, with statistics of the items")
    func plain() throws {
        let files = try imported { _ in }
        #expect(
            files["events"] == [
                "u,a,100", "v,b,150", "u,a,100", "u,\"c,d\",50", "u,a,200", "v,a,301", "v,b,100",
            ]
        )
        #expect(files["items"] == ["a,4,2,100,301", "b,2,1,100,150", "\"c,d\",1,1,50,50"])
    }

    @Test("rows without a user, an item or a time are an error, or are dropped")
    func empty() throws {
        let log = "user,item,time\nu,a,1\n,a,2\nu,,3\nu,c,\nu,b,4\n"
        #expect(throws: CSVError.self) { try imported(log) { _ in } }
        #expect(try imported(log) { $0.dropsEmpty = true }["events"] == ["u,a,1", "u,b,4"])
        let units = "user,item,time\nu,a,1700000000\nu,b,1700000000000\n"
        #expect(throws: CSVError.self, "two units of time") { try imported(units) { _ in } }
    }

    @Test("dates in digits become seconds, so that pauses have their length")
    func digitDates() throws {
        let log = "user,item,time\nu,a,20240229235900\nu,b,20240301000100\nu,c,20240301000600\n"
        let sessions = try imported(log) { $0.sessionGap = 180 }
        #expect(sessions["events"] == ["u#1,a,1709251140", "u#1,b,1709251260", "u#2,c,1709251560"])
    }

    @Test("a rating, repeated rows, sessions and the core each drop or rename their rows")
    func steps() throws {
        #expect(try imported { $0.minimumRating = 4 }["events"]?.count == 5)
        let distinct = try imported { $0.dropsRepeats = true }
        #expect(distinct["events"] == ["u,a,100", "v,b,150", "u,\"c,d\",50", "u,a,200", "v,a,301", "v,b,100"])
        let sessions = try imported { $0.sessionGap = 99 }
        #expect(
            sessions["events"] == [
                "u#1,a,100", "v#1,b,150", "u#1,a,100", "u#1,\"c,d\",50", "u#2,a,200", "v#2,a,301", "v#1,b,100",
            ]
        )
        #expect(try imported { $0.sessionGap = 100 }["events"]?.contains("u#2,a,200") == false)
        #expect(try imported { $0.core = 2 }["events"]?.contains("u,\"c,d\",50") == false)
    }

    /// A log with ties in time, repeated rows and users of one event.
    private static func random(_ seed: UInt64) -> String {
        let generator = CounterBasedGenerator(seed: seed, purpose: .simulation)
        let draws = generator.integers(below: 1 << 20, stream: 0, count: 1200)
        let rows = stride(from: 0, to: 1200, by: 3).map { place in
            "u\(draws[place] % 60),i\(draws[place + 1] % 40),\(1_700_000_000 + draws[place + 2] % 50)"
        }
        return "user,item,timestamp\n" + rows.joined(separator: "\n") + "\n"
    }

    @Test("the parts by time are those that a training divides the same rows into", arguments: 0..<4)
    func split(seed: UInt64) throws {
        func change(_ job: inout LogImport) {
            job.dropsRepeats = true
            job.core = 3
        }
        let whole = try imported(Self.random(seed), change)
        let parts = try imported(Self.random(seed)) {
            change(&$0)
            $0.splitsByTime = true
        }
        let events = try #require(whole["events"])
        let users = try withFile("user,item,timestamp\n" + events.joined(separator: "\n")) { file in
            var vocabulary = ItemVocabulary()
            let dataset = try InteractionDataset.load(events: file, vocabulary: &vocabulary)
            let split = DataSplit(dataset, by: .time, seed: 0)
            return SplitPart.allCases.map { Set(split[$0].userIDs) }
        }
        for (part, own) in zip(SplitPart.allCases, users) {
            let expected = events.filter { own.contains(String($0.prefix { $0 != "," })) }
            #expect(parts[part.rawValue] == expected && !expected.isEmpty)
        }
        #expect(parts["events"] == nil && parts["items"] == whole["items"])
    }

    @Test("sessions are the runs of a user's sorted times without a longer pause", arguments: 0..<4)
    func sessions(seed: UInt64) throws {
        let plain = try #require(imported(Self.random(seed)) { _ in }["events"])
        let cut = try #require(imported(Self.random(seed)) { $0.sessionGap = 3 }["events"])
        func fields(_ row: String) -> (user: String, time: Int) {
            let parts = row.split(separator: ",")
            return (String(parts[0]), Int(parts[2]) ?? 0)
        }
        let times = Dictionary(grouping: plain.map(fields), by: \.user).mapValues { Set($0.map(\.time)).sorted() }
        for (before, after) in zip(plain, cut) {
            let (user, time) = fields(before)
            let earlier = try #require(times[user]).filter { $0 <= time }
            let pauses = zip(earlier, earlier.dropFirst()).count { $1 - $0 > 3 }
            #expect(fields(after) == ("\(user)#\(1 + pauses)", time))
        }
    }

    @Test("sessions and a split by time need times, and a log without rows is refused")
    func errors() throws {
        let log = "user,item\nu,a\nv,b\n"
        #expect(throws: ImportError.self) { try imported(log) { $0.sessionGap = 1 } }
        #expect(throws: ImportError.self) { try imported(log) { $0.splitsByTime = true } }
        #expect(try imported(log) { _ in }["events"] == ["u,a,0", "v,b,1"])
        #expect(throws: CSVError.self) { try imported("user,item,timestamp\n") { _ in } }
        #expect(throws: ImportError.self) { try imported(log) { $0.core = 5 } }
    }
}
