import Foundation
import Kernels
import Testing
import Training

@Suite("Log statistics") struct LogStatisticsTests {
    /// Three users; `a` repeats an item twice, once at once.
    private static let small: [LogRow] = [
        ("a", "x", "3"), ("b", "x", "0"), ("a", "x", "1"), ("a", "y", "2"), ("c", "z", "5"), ("a", "x", "4"),
        ("b", "w", "9"),
    ]

    @Test("a log counted by hand") func byHand() throws {
        let report = try report(on: Self.small)
        #expect(report.users == 3 && report.items == 4 && report.events == 7)
        // In time, a has x y x x, b has x w, c has z.
        let lengths = report.lengths
        #expect(lengths.events.least == 1 && lengths.events.median == 2 && lengths.events.most == 4)
        #expect(lengths.singleEventUsers == 1)
        #expect(lengths.histogram.map(\.range) == ["1", "2", "3-4"] && lengths.histogram.map(\.count) == [1, 1, 1])
        #expect(report.repeats.targets == 4 && report.repeats.repeats == 2 && report.repeats.repeatsOfLast == 1)
        #expect(report.repeats.repeatShare == 0.5 && report.repeats.repeatOfLastShare == 0.25)
        #expect(report.popularity.itemsOnce == 3)
        #expect(report.popularity.top.map(\.id) == ["x", "y", "z", "w"])
        #expect(report.popularity.top.map(\.events) == [4, 1, 1, 1])
        #expect(report.popularity.share(ofTop: 1) == 4.0 / 7 && report.popularity.share(ofTop: 50) == 5.0 / 7)
        #expect(report.duplicates.rows == 0 && report.suspects.count == 0)
    }

    @Test("quantiles are the nearest ranks", arguments: [1, 2, 3, 4, 5, 9, 10, 11, 99, 100, 101])
    func quantiles(count: Int) throws {
        let values = (1...count).map(Double.init)
        let found = try #require(Quantiles(values.reversed()))
        func oracle(_ share: Double) -> Double? {
            values.first { bound in Double(values.count { $0 <= bound }) >= share * Double(count) }
        }
        #expect(found.least == 1 && found.most == Double(count))
        #expect(found.lowerQuartile == oracle(0.25) && found.median == oracle(0.5))
        #expect(found.upperQuartile == oracle(0.75) && found.ninthDecile == oracle(0.9))
        #expect(Quantiles([]) == nil)
    }

    @Test("every length is in one range of the histogram", arguments: [1, 2, 7, 8, 9, 1000])
    func histogram(longest: Int) throws {
        let lengths = try #require(LengthStatistics(Array(1...longest)))
        #expect(lengths.histogram.reduce(0) { $0 + $1.count } == longest)
        for bin in lengths.histogram.dropLast() {
            let ends = bin.range.split(separator: "-").compactMap { Int($0) }
            #expect(bin.count == ends[ends.count - 1] - ends[0] + 1)
        }
        #expect(LengthStatistics([]) == nil)
    }

    @Test(
        "the popularity curve rises to all events, and each point sums its items",
        arguments: [1, 7, 999, 1000, 2345]
    )
    func curve(items: Int) {
        let counts = (0..<items).map { 1 + $0 * 37 % 101 }
        let statistics = PopularityStatistics(counts: counts, ids: counts.indices.map { "\($0)" }, titles: [])
        let sorted = counts.sorted(by: >)
        let events = Double(counts.reduce(0, +))
        for point in statistics.curve {
            let taken = Int((point.items * Double(items) - 1e-9).rounded(.up))
            #expect(point.events == Double(sorted.prefix(taken).reduce(0, +)) / events)
        }
        #expect(statistics.curve.last?.events == 1)
        #expect(zip(statistics.curve, statistics.curve.dropFirst()).allSatisfy { $0.events <= $1.events })
        #expect(statistics.itemsOnce == counts.count { $0 == 1 })
        #expect(statistics.top.map(\.events) == Array(sorted.prefix(10)))
    }

    @Test("repeats equal a search of each history", arguments: 0..<4 as Range<UInt64>)
    func repeats(seed: UInt64) {
        let sequences = randomSequences(users: 40, items: 6, longest: 9, seed: seed)
        var (repeats, last, targets) = (0, 0, 0)
        for user in 0..<sequences.count {
            let items = Array(sequences[user])
            for place in items.indices.dropFirst() {
                targets += 1
                if items[..<place].contains(items[place]) { repeats += 1 }
                if items[place - 1] == items[place] { last += 1 }
            }
        }
        let found = RepeatStatistics(sequences)
        #expect(found.targets == targets && found.repeats == repeats && found.repeatsOfLast == last)
        #expect(found.repeatShare == Double(repeats) / Double(targets))
        #expect(RepeatStatistics(RaggedRows()).repeatShare == 0)
    }

    @Test("kinds of events and ratings are counted, and many different values are no kinds") func values() throws {
        func row(_ number: Int, _ kind: String, _ rating: String) -> String {
            "u\(number % 9),i\(number % 7),\(kind),\(rating)"
        }
        let header = "user,item,event,rating\n"
        let kinds = (0..<90).map { row($0, $0 % 3 == 0 ? "buy" : "view", "\($0 % 5)") }
        let found = try report(on: header + kinds.joined(separator: "\n"))
        #expect(found.values.kinds.map { "\($0.value) \($0.events)" } == ["view 60", "buy 30"])
        #expect(found.values.ratings.map(\.value) == ["0", "1", "2", "3", "4"])
        #expect(found.values.ratings.allSatisfy { $0.events == 18 })
        #expect(found.findings.contains { $0.contains("--where 'event=buy'") })
        #expect(found.text.contains("Kinds of events and ratings"))
        // Fewer removals than purchases, but nobody wants to predict them.
        let cart = (0..<90).map { row($0, $0 % 9 == 0 ? "Purchase" : $0 % 10 == 0 ? "remove_from_cart" : "view", "1") }
        let purchases = try report(on: header + cart.joined(separator: "\n"))
        #expect(purchases.values.kinds.map(\.value) == ["view", "Purchase", "remove_from_cart"])
        #expect(purchases.findings.contains { $0.contains("--where 'event=Purchase'") })
        let many = (0..<150).map { row($0, "kind\($0)", "3") }
        let other = try report(on: header + many.joined(separator: "\n"))
        #expect(other.values.kinds.isEmpty && !other.text.contains("Kinds of events"))
        let plain = try report(on: randomRows(users: 20, items: 9, longest: 9, seed: 1))
        #expect(plain.values == EventValues())
    }

    @Test("ids that differ only in their bytes are different users and items") func canonicallyEqualIDs() throws {
        let rows = ["\u{E9}", "e\u{301}"].flatMap { id in
            (0..<6).map { (id, "\(id)\($0)", "\(1_600_000_000 + $0)") }
        }
        let report = try report(on: rows)
        #expect(report.users == 2 && report.items == 12)
        #expect(try report.training.get().split == "leave-one-out")
    }
}
