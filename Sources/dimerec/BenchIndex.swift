import ArgumentParser
import Foundation
import Kernels
import VectorIndex

/// `bench index`: recall and latency of every index over given vectors.
struct IndexBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "index",
        abstract: "Search given vectors one query at a time, against exact truth, at several efforts."
    )
    @Option(help: "Item vectors (.fvecs).") var base: String?
    @Option(help: "Query vectors (.fvecs).") var queries: String?
    @Option(help: "Instead of files: so many made-up items of 64 elements (categories of brands, some items repeated).")
    var synthetic: Int?
    @Option(name: .customShort("k"), help: "Neighbours a query.") var k = 50
    @Option(help: "Threads that search; 1 is measured.") var threads = 1
    @Option(help: "Queries at most.") var maxQueries = 1000
    @Option(help: "Partitions of the index; chosen by the number of items unless given.") var partitions: Int?
    @Option(help: "The recall@50 that the default effort is tuned for.") var recall = 0.99
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws {
        guard k >= 1, maxQueries >= 1 else { throw ValidationError("-k and --max-queries are at least 1.") }
        guard threads == 1 else { throw ValidationError("This build measures --threads 1.") }
        guard (synthetic != nil) != (base != nil && queries != nil) else {
            throw ValidationError("Give --base and --queries, or --synthetic.")
        }
        if let synthetic, synthetic < 1 { throw ValidationError("--synthetic is at least 1.") }
    }

    func run() throws {
        let (vectors, all) = try readVectors()
        let questions = (0..<min(all.rows, maxQueries)).map(all.row)
        let exact = try FlatIndex(vectors: vectors)
        let truth = questions.map { Set(exact.search($0.span, k: k, effort: nil, excluding: []).map(\.id)) }
        var rows = [measure(exact, "flat", effort: 0, buildSeconds: 0, bytes: vectors.count * 4, questions, truth)]

        let start = ContinuousClock.now
        let index = try PartitionedIndex(
            vectors: vectors,
            configuration: IndexConfiguration(partitions: partitions, recall: recall)
        )
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let saved = index.serialised()
        let loadStart = ContinuousClock.now
        _ = try IndexFormat.load(saved, vectors: vectors)
        let loadSeconds = (ContinuousClock.now - loadStart) / .seconds(1)
        let bytes = saved.count + vectors.count * 4
        let efforts = Set([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, index.defaultEffort]).filter {
            $0 <= index.partitions
        }
        for effort in efforts.sorted() {
            rows.append(
                measure(index, "partitioned", effort: effort, buildSeconds: seconds, bytes: bytes, questions, truth)
            )
        }
        if json {
            Terminal.print(
                JSONObject([
                    "rows": rows.map(\.fields), "k": k, "items": vectors.rows,
                    "default_effort": index.defaultEffort, "partitions": index.partitions,
                    "coded_dimension": index.codedDimension, "bound_width": index.boundWidth,
                    "margin_width": index.marginWidth, "load_s": loadSeconds,
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
        return (items, asked)
    }

    private struct Row {
        var index: String
        /// Partitions probed; 0 for an exact scan.
        var effort: Int
        var recall: Double
        /// Coded vectors looked at, on average.
        var scanned: Int
        var microseconds: Percentiles
        var buildSeconds: Double
        var bytes: Int

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
        _ name: String,
        effort: Int,
        buildSeconds: Double,
        bytes: Int,
        _ questions: [[Float]],
        _ truth: [Set<Int32>]
    ) -> Row {
        var (found, wanted) = (0, 0)
        var (scanned, microseconds) = (0, [Double]())
        let workspace = SearchWorkspace()
        let everything = Eligibility()
        for question in questions.prefix(100) {
            index.search(question.span, k: k, effort: effort, among: everything, in: workspace)
        }
        for (question, answer) in zip(questions, truth) {
            let start = ContinuousClock.now
            index.search(question.span, k: k, effort: effort, among: everything, in: workspace)
            microseconds.append((ContinuousClock.now - start) / .microseconds(1))
            scanned += workspace.scanned
            found += workspace.results.count { answer.contains($0.id) }
            wanted += answer.count
        }
        return Row(
            index: name,
            effort: effort,
            recall: Double(found) / Double(max(1, wanted)),
            scanned: scanned / questions.count,
            microseconds: Percentiles(microseconds),
            buildSeconds: buildSeconds,
            bytes: bytes
        )
    }
}

/// Vectors in a `.fvecs` file: for each an Int32 dimension, then that many Float32, little-endian.
enum VectorFile {
    static func read(_ path: String) throws(VectorFileError) -> Matrix {
        guard let data = FileManager.default.contents(atPath: path) else { throw .unreadable(path) }
        let bytes = [UInt8](data)
        func word(_ offset: Int) -> UInt32 {
            UInt32(bytes[offset]) | UInt32(bytes[offset + 1]) << 8 | UInt32(bytes[offset + 2]) << 16
                | UInt32(bytes[offset + 3]) << 24
        }
        guard bytes.count >= 4 else { throw .malformed(path, offset: 0) }
        let dimension = Int(Int32(bitPattern: word(0)))
        let stride = 4 + 4 * max(0, min(dimension, 1 << 20))
        guard dimension > 0, bytes.count % stride == 0 else { throw .malformed(path, offset: 0) }
        var elements: [Float] = []
        elements.reserveCapacity(bytes.count / stride * dimension)
        for row in 0..<bytes.count / stride {
            guard Int(word(row * stride)) == dimension else { throw .malformed(path, offset: row * stride) }
            for column in 0..<dimension {
                elements.append(Float(bitPattern: word(row * stride + 4 + column * 4)))
            }
        }
        return Matrix(rows: bytes.count / stride, columns: dimension, elements: elements)
    }
}

/// A vector file that cannot be used.
enum VectorFileError: Error, Equatable, CustomStringConvertible {
    case unreadable(String)
    case malformed(String, offset: Int)
    case dimensions(path: String, expected: Int, found: Int)

    var description: String {
        switch self {
        case .unreadable(let path): "No readable file at '\(path)'."
        case .malformed(let path, let offset):
            "'\(path)' is not .fvecs at byte \(offset): each vector is an Int32 dimension and that many Float32."
        case .dimensions(let path, let expected, let found):
            "'\(path)' holds vectors of \(found) dimensions, the base has \(expected)."
        }
    }
}
