import CheckpointStore
import ClientCalls
import Foundation
import Kernels
import LoadTesting
import NIOCore
import NIOHTTP1
import Recommenders
import Training
import VectorIndex

/// Measures made-up catalogues for ``Plan``: index, service with one event loop, exported version, training.
struct SizingRun {
    private static let k = 50
    private static let historyLengths = 10...50

    let sizes: [Int]
    /// Seconds of each load test and each training.
    let seconds: Double

    /// The measurements of all sizes, smallest first.
    func measurements() async throws -> SizingMeasurements {
        Allocator.keepFreedMemory()
        let folder = FileManager.default.temporaryDirectory.appending(path: "plan-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var rows: [SizingMeasurements.Row] = []
        var bytes = (request: 0, answer: 0)
        var dimension = 0
        for items in sizes {
            Terminal.write("dimerec: measures \(items) items\n")
            let (vectors, queries) = SyntheticCatalogue.vectors(items: items, queries: 1000)
            dimension = vectors.columns
            let index = try measureIndex(vectors, queries)
            let store = folder.appending(path: "\(items).sqlite").path
            let exported = try publish(vectors, to: store)
            let service = try await measureService(store, items: items, log: folder.appending(path: "log").path)
            bytes = service.bytes
            rows.append(
                SizingMeasurements.Row(
                    items: items,
                    buildSeconds: index.build,
                    indexBytes: index.bytes,
                    searchMicroseconds: index.search.mean,
                    searchP99Microseconds: index.search[0.99],
                    requestsPerSecond: service.rate,
                    residentBytes: service.resident,
                    exportedBytes: exported,
                    targetsPerSecond: try measureTraining(items)
                )
            )
        }
        let measurements = SizingMeasurements(
            machine: "\(CPU.kernelLevel), \(BLAS.coreName), \(ProcessInfo.processInfo.activeProcessorCount) cores",
            dimension: dimension,
            requestBytes: bytes.request,
            answerBytes: bytes.answer,
            rows: rows
        )
        if let contradiction = measurements.contradiction { throw SizingError.unusable(contradiction) }
        return measurements
    }

    private func measureIndex(_ vectors: Matrix, _ queries: Matrix) throws -> (
        build: Double, bytes: Int, search: Percentiles
    ) {
        let start = ContinuousClock.now
        let index = try PartitionedIndex(
            vectors: vectors,
            configuration: IndexConfiguration(partitions: nil, recall: 0.99)
        )
        let build = (ContinuousClock.now - start) / .seconds(1)
        let workspace = SearchWorkspace()
        let eligible = Eligibility(allowed: nil)
        let times = (0..<2).flatMap { _ in
            (0..<queries.rows).map { row in
                let query = queries.row(row)
                let start = ContinuousClock.now
                index.search(query.span, k: Self.k, effort: nil, among: eligible, in: workspace)
                return (ContinuousClock.now - start) / .microseconds(1)
            }
        }
        return (build, index.serialised().count + vectors.count * 4, Percentiles(Array(times.dropFirst(queries.rows))))
    }

    /// Publishes a version into a store; returns the size of the exported file.
    private func publish(_ vectors: Matrix, to path: String) throws -> Int {
        let store = try CheckpointStore(path: path)
        _ = try store.publish(VectorImport(vectors: vectors, seed: 42, model: "plan").checkpoint())
        let file = path + ".exported"
        try store.export(model: "plan", to: file)
        defer { try? FileManager.default.removeItem(atPath: file) }
        return try FileManager.default.attributesOfItem(atPath: file)[.size] as? Int ?? 0
    }

    private struct ServiceMeasurement {
        var rate: Double
        var resident: Int
        var bytes: (request: Int, answer: Int)
    }

    /// Starts this program's service in a process of its own, and saturates it.
    private func measureService(_ store: String, items: Int, log: String) async throws -> ServiceMeasurement {
        let service = Process()
        service.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        service.arguments = [
            "serve", "--store", store, "--port", "0", "--control-port", "0", "--set", "SERVE_THREADS=1",
            "--set", "QUEUE_DELAY_MS=1000", "--set", "LOG_FORMAT=json",
        ]
        try Data().write(to: URL(filePath: log))
        service.standardError = try FileHandle(forWritingTo: URL(filePath: log))
        try service.run()
        defer {
            service.terminate()
            service.waitUntilExit()
        }
        let url = "http://127.0.0.1:\(try await port(of: service, log: log))/retrieve"
        let target = try LoadTarget(url: url)
        let pool = RequestPool(
            target: target,
            source: .synthetic(items: items),
            lengths: Self.historyLengths,
            k: Self.k,
            seed: 42
        )
        let generator = try await LoadGenerator.connect(
            to: target,
            requests: pool,
            connections: 8,
            timeout: .seconds(2)
        )
        let measurement = try await generator.measure(.closedLoop, duration: .seconds(seconds), warmUp: .seconds(1))
        try await generator.close()
        guard measurement.errors == 0 else {
            throw SizingError.unusable("the service failed \(measurement.errors) of \(measurement.sent) requests")
        }
        let resident = try residentBytes(of: service.processIdentifier)
        let answer = try await PlainTransport(DimeRecClient.Options()).exchange(
            TransportRequest(
                method: .POST,
                url: url,
                headers: [("Content-Type", "application/json")],
                body: Data("{\"history\":[1,2,3],\"k\":\(Self.k)}".utf8)
            ),
            within: .seconds(5)
        )
        let head = answer.headers.reduce(17) { $0 + $1.name.utf8.count + $1.value.utf8.count + 4 }
        let request = pool.requests.reduce(0) { $0 + $1.readableBytes } / pool.requests.count
        return ServiceMeasurement(
            rate: measurement.achievedRate,
            resident: resident,
            bytes: (request, head + answer.body.count)
        )
    }

    /// The data plane's port, once a version is in service.
    private func port(of service: Process, log: String) async throws -> Int {
        while service.isRunning {
            let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
            let lines = text.split(separator: "\n")
            if text.contains("version in service"),
                let line = lines.first(where: { $0.contains("data plane listens") }),
                let fields = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any],
                let port = Int("\(fields["http.port"] ?? "")")
            {
                return port
            }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw SizingError.serviceEnded(log: (try? String(contentsOfFile: log, encoding: .utf8)) ?? "")
    }

    private func residentBytes(of process: Int32) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
        return 1024 * (line.split(separator: " ").compactMap { Int($0) }.first ?? 0)
    }

    private func measureTraining(_ items: Int) throws -> Double {
        try TrainingBenchmark(recipe: TrainBench.syntheticRecipe, items: items, seed: 1).steps(seconds: seconds)
            .targetsPerSecond
    }
}

/// Why there is no measurement for a plan, or no plan.
enum SizingError: Error, CustomStringConvertible {
    /// The service ended before it served a version.
    case serviceEnded(log: String)
    /// The machine measured something that no plan can use.
    case unusable(String)
    /// A file that `dimerec plan --measure` did not write.
    case badFile(String, reason: String)
    /// No number of shards keeps the limits.
    case noPlan(String)

    var description: String {
        switch self {
        case .serviceEnded(let log): "The measured service ended: \(log.suffix(2000))"
        case .unusable(let reason): "The measurements cannot be used: \(reason). Measure again on an idle machine."
        case .badFile(let path, let reason):
            "'\(path)' \(reason). Write the file with dimerec plan --measure '\(path)'."
        case .noPlan(let reason): "No number of shards is enough: \(reason)."
        }
    }
}
