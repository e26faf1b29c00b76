import ArgumentParser
import Foundation
import Kernels
import VectorIndex

/// `bench index`: recall and latency of every index over given vectors.
struct IndexBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "index",
        abstract: "Measure recall against an exact search, and latency one query at a time, at several efforts."
    )
    @Option(help: "Item vectors (.fvecs).") var base: String?
    @Option(help: "Query vectors (.fvecs).") var queries: String?
    @Option(help: "Instead of files: this many synthetic items with 64 elements (categories, brands, some repeated).")
    var synthetic: Int?
    @Option(name: .customShort("k"), help: "Neighbours per query.") var k = 50
    @Option(help: "Search threads; only 1 is supported.") var threads = 1
    @Option(help: "Maximum number of queries.") var maxQueries = 1000
    @Option(help: "Search only among this share of the items, drawn at random.") var filterShare: Double?
    @Option(help: "Replace this share of the items after the build, without a rebuild.") var churn: Double?
    @Option(parsing: .upToNextOption, help: "Maximum partitions to visit, one row each; by default a range of values.")
    var efforts: [Int] = []
    @Option(help: "Partitions of the index; by default chosen by the number of items.") var partitions: Int?
    @Option(help: "The target recall@50 of the default effort.") var recall = 0.99
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws {
        try ValidationError.require("-k", k, in: 1...1_000_000)
        try ValidationError.require("--max-queries", maxQueries, in: 1...1_000_000)
        try ValidationError.require("--synthetic", synthetic, in: 1...10_000_000)
        try ValidationError.require("--partitions", partitions, in: 1...1_048_576)
        try ValidationError.require("--recall", recall, in: 0.5...0.9999)
        try ValidationError.require("--filter-share", filterShare, in: 0...1)
        try ValidationError.require("--churn", churn, in: 0...1)
        for effort in efforts { try ValidationError.require("--efforts", effort, in: 1...) }
        guard threads == 1 else { throw ValidationError("--threads must be 1 in this build; got \(threads).") }
        guard (synthetic != nil) != (base != nil && queries != nil) else {
            throw ValidationError("Give --base and --queries, or --synthetic.")
        }
    }

    func run() throws {
        let (vectors, all) = try readVectors()
        let questions = (0..<min(all.rows, maxQueries)).map(all.row)
        let start = ContinuousClock.now
        let built = try PartitionedIndex(
            vectors: vectors,
            configuration: IndexConfiguration(partitions: partitions, recall: recall)
        )
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let saved = built.serialised()
        let loadStart = ContinuousClock.now
        _ = try IndexFormat.load(saved, vectors: vectors)
        let loadSeconds = (ContinuousClock.now - loadStart) / .seconds(1)
        let bytes = saved.count + vectors.count * 4

        let (index, current) = try changed(built)
        let eligible = Eligibility(allowed: allowed(of: vectors.rows))
        let exact = try FlatIndex(vectors: current)
        let workspace = SearchWorkspace()
        let truth = questions.map { question in
            exact.search(question.span, k: k, effort: nil, among: eligible, in: workspace)
            return Set(workspace.results.map(\.id))
        }
        func row(_ index: any VectorIndex, _ name: String, effort: Int?, label: Int, _ seconds: Double, _ bytes: Int)
            -> Row
        {
            var row = measure(index, effort: effort, eligible, questions, truth)
            (row.index, row.effort, row.buildSeconds, row.bytes) = (name, label, seconds, bytes)
            return row
        }
        var rows = [row(exact, "flat", effort: nil, label: 0, 0, vectors.count * 4)]
        let spread = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, built.defaultEffort]
        let asked = Set(efforts.isEmpty ? spread : efforts).filter { $0 <= built.partitions }.sorted()
        for effort in filterShare == nil ? asked.map(Optional.some) : [nil] {
            rows.append(row(index, "partitioned", effort: effort, label: effort ?? built.defaultEffort, seconds, bytes))
        }
        if json {
            Terminal.print(
                JSONObject([
                    "rows": rows.map(\.fields), "k": k, "items": vectors.rows,
                    "default_effort": built.defaultEffort, "partitions": built.partitions,
                    "coded_dimension": built.codedDimension, "bound_width": built.boundWidth,
                    "margin_width": built.marginWidth, "load_s": loadSeconds,
                ]).line
            )
        } else {
            for row in rows { Terminal.print(row.line) }
        }
    }

    private func readVectors() throws -> (items: Matrix, queries: Matrix) {
        guard let base, let queries else {
            return SyntheticCatalogue.vectors(items: synthetic ?? 1, queries: maxQueries)
        }
        let items = try VectorFile.read(base).normalisedRows().unit
        let asked = try VectorFile.read(queries)
        guard asked.columns == items.columns else {
            throw VectorFileError.dimensions(path: queries, expected: items.columns, found: asked.columns)
        }
        if let (row, _) = asked.firstNonFinite { throw VectorFileError.notFinite(queries, row: row) }
        return (items, asked)
    }

    /// The index with a share of its items replaced, and its vectors after that.
    private func changed(_ built: PartitionedIndex) throws -> (index: any VectorIndex, vectors: Matrix) {
        guard let churn, churn > 0 else { return (built, built.vectors) }
        var live = LiveIndex(built)
        let noise = CounterBasedGenerator(seed: 42, purpose: .simulation)
        for item in draw(built.count, share: churn, stream: 7) {
            let moved = noise.normals(stream: 1 << 37 + UInt64(item), count: built.dimension)
            let scale = 0.3 / Float(built.dimension).squareRoot()
            let vector = zip(built.vectors.row(Int(item)), moved).map { $0 + scale * $1 }
            try live.replace(item, with: Matrix([vector]).normalisedRows().unit.row(0))
        }
        return (live, live.merged(baseVectors: built.vectors).vectors)
    }

    private func allowed(of items: Int) -> ItemSet? {
        filterShare.map { ItemSet(draw(items, share: $0, stream: 8), bound: items) }
    }

    private func draw(_ items: Int, share: Double, stream: UInt64) -> [Int32] {
        let draws = CounterBasedGenerator(seed: 42, purpose: .simulation).uniforms(stream: stream, count: items)
        return (0..<Int32(items)).filter { draws[Int($0)] < share }
    }

    private struct Row {
        var index = ""
        /// The most partitions to visit; 0 for an exact scan.
        var effort = 0
        var recall: Double
        /// Coded vectors scanned per query, on average.
        var scanned: Int
        var microseconds: Percentiles
        var buildSeconds = 0.0
        var bytes = 0

        var fields: [String: Any] {
            [
                "index": index, "effort": effort, "recall": recall, "scanned": scanned,
                "p50_us": microseconds[0.5], "p99_us": microseconds[0.99], "mean_us": microseconds.mean,
                "build_s": buildSeconds, "bytes": bytes,
            ]
        }

        var line: String {
            let effort = String(effort).padding(toLength: 8, withPad: " ", startingAt: 0)
            return index.padding(toLength: 12, withPad: " ", startingAt: 0) + effort
                + String(
                    format: "recall %.4f  p50 %.1f us  p99 %.1f us  build %.1f s",
                    recall,
                    microseconds[0.5],
                    microseconds[0.99],
                    buildSeconds
                )
        }
    }

    private func measure(
        _ index: any VectorIndex,
        effort: Int?,
        _ eligible: Eligibility,
        _ questions: [[Float]],
        _ truth: [Set<Int32>]
    ) -> Row {
        var (found, wanted, scanned) = (0, 0, 0)
        var microseconds: [Double] = []
        let workspace = SearchWorkspace()
        for question in questions.prefix(100) {
            index.search(question.span, k: k, effort: effort, among: eligible, in: workspace)
        }
        for (question, answer) in zip(questions, truth) {
            let start = ContinuousClock.now
            index.search(question.span, k: k, effort: effort, among: eligible, in: workspace)
            microseconds.append((ContinuousClock.now - start) / .microseconds(1))
            scanned += workspace.scanned
            found += workspace.results.count { answer.contains($0.id) }
            wanted += answer.count
        }
        return Row(
            recall: Double(found) / Double(max(1, wanted)),
            scanned: scanned / max(1, questions.count),
            microseconds: Percentiles(microseconds)
        )
    }
}
