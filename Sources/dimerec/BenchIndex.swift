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
    @Option(help: "Item vectors (.fvecs).") var base: String
    @Option(help: "Query vectors (.fvecs).") var queries: String
    @Option(name: .customShort("k"), help: "Neighbours a query.") var k = 50
    @Option(help: "Threads that search; 1 is measured.") var threads = 1
    @Option(help: "Queries at most.") var maxQueries = 1000
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws {
        guard k >= 1, maxQueries >= 1 else { throw ValidationError("-k and --max-queries are at least 1.") }
        guard threads == 1 else { throw ValidationError("This build measures --threads 1.") }
    }

    func run() throws {
        let vectors = try VectorFile.read(base).normalisedRows().unit
        let all = try VectorFile.read(queries)
        guard all.columns == vectors.columns else {
            throw VectorFileError.dimensions(path: queries, expected: vectors.columns, found: all.columns)
        }
        let questions = (0..<min(all.rows, maxQueries)).map(all.row)
        let exact = try FlatIndex(vectors: vectors)
        let truth = questions.map { Set(exact.search($0.span, k: k, effort: nil, excluding: []).map(\.id)) }
        var rows = [measure(exact, "flat", effort: 0, buildSeconds: 0, bytes: vectors.count * 4, questions, truth)]

        let start = ContinuousClock.now
        let index = try PartitionedIndex(vectors: vectors)
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let bytes = index.serialised().count + vectors.count * 4
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
                    "default_effort": index.defaultEffort,
                ]).line
            )
        } else {
            for row in rows { Terminal.print(row.line) }
        }
    }

    private struct Row {
        var index: String
        /// Partitions probed; 0 for an exact scan.
        var effort: Int
        var recall: Double
        var microseconds: Percentiles
        var buildSeconds: Double
        var bytes: Int

        var fields: [String: Any] {
            [
                "index": index, "effort": effort, "recall": recall,
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
        var microseconds: [Double] = []
        let workspace = SearchWorkspace()
        let everything = Eligibility()
        for question in questions.prefix(100) {
            index.search(question.span, k: k, effort: effort, among: everything, in: workspace)
        }
        for (question, answer) in zip(questions, truth) {
            let start = ContinuousClock.now
            index.search(question.span, k: k, effort: effort, among: everything, in: workspace)
            microseconds.append((ContinuousClock.now - start) / .microseconds(1))
            found += workspace.results.count { answer.contains($0.id) }
            wanted += answer.count
        }
        return Row(
            index: name,
            effort: effort,
            recall: Double(found) / Double(max(1, wanted)),
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
