import LoadTesting
import Testing

@Suite("LatencyReport") struct LatencyReportTests {
    /// A run at a rate with latencies of 1 to 1000 times a number of microseconds.
    private func run(rate: Double?, microseconds: Int64) -> LoadMeasurement {
        var run = LoadMeasurement()
        run.rate = rate
        run.seconds = 1
        run.sent = 1000
        for number in 1...1000 {
            let latency = Int64(number) * microseconds * 1000
            run.record(200, latency: latency, serviceTime: latency / 2)
        }
        return run
    }

    /// Whether all tags are balanced and text has no stray mark-up.
    private func isBalanced(_ text: String) -> Bool {
        var open: [Substring] = []
        var rest = text[...]
        while let start = rest.firstIndex(of: "<") {
            guard let end = rest[start...].firstIndex(of: ">") else { return false }
            let tag = rest[rest.index(after: start)..<end]
            rest = rest[rest.index(after: end)...]
            if tag.hasPrefix("!") || tag.hasSuffix("/") { continue }
            if tag.count(where: { $0 == "\"" }) % 2 != 0 || tag.contains("<") { return false }
            if tag.hasPrefix("/") {
                guard open.popLast() == tag.dropFirst() else { return false }
            } else {
                open.append(tag.prefix { $0 != " " })
            }
        }
        return open.isEmpty && !text.replacing(#/&(amp|lt|gt);/#, with: "").contains("&")
    }

    @Test("is well-formed, self-contained, and holds every run", arguments: [1, 2, 7])
    func rows(count: Int) {
        let runs = (1...count).map { run(rate: Double($0) * 1111, microseconds: Int64($0)) }
        let report = LatencyReport(title: "a < b & \"c\" > d", runs: runs)
        for page in [report.svg, report.html] {
            #expect(isBalanced(page))
            #expect(page.contains("a &lt; b &amp; \"c\" &gt; d"))
            #expect(!page.contains("script") && !page.contains("href") && page.contains("prefers-color-scheme"))
            #expect(!page.contains("nan") && !page.contains("inf"))
            for number in 1...count {
                #expect(page.contains(">\(number * 1111)</text>"))
                #expect(page.contains(">\(Int(runs[number - 1].latency[0.99].rounded()))</text>"), "p99 in the table")
            }
            #expect(page.contains(">99.9</text>"))
            // One line for each run; a single run also has the line from sent; several runs have three tails by rate.
            #expect(page.matches(of: #/<polyline/#).count == (count == 1 ? 2 : count + 3))
        }
    }

    @Test("draws runs without an answer and closed-loop runs")
    func edges() {
        let report = LatencyReport(title: "t", runs: [LoadMeasurement(), run(rate: nil, microseconds: 1)])
        #expect(isBalanced(report.svg) && report.svg.contains("closed loop"))
        #expect(isBalanced(LatencyReport(title: "t", runs: [LoadMeasurement()]).svg))
    }
}
