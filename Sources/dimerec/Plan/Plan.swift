import ArgumentParser
import Foundation
import LoadTesting

/// `plan`: the machines for a catalogue, a request rate and a log, from measurements of this machine.
struct Plan: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Plan processes, memory, network and training time from measurements at smaller sizes.",
        discussion: """
            First measure on a machine like those of the plan: dimerec plan --measure bench.json. Then plan with --bench \
            bench.json. A plan is computed, not measured; it prints its assumptions.
            """
    )
    @Option(help: "Measure this machine and write the file; takes minutes.", completion: .file()) var measure: String?
    @Option(help: "With --measure: catalogue sizes, separated by commas.") var sizes = "100000,1000000"
    @Option(help: "With --measure: seconds of each load test and each training.") var seconds = 5.0
    @Option(help: "The file of --measure.", completion: .file()) var bench: String?
    @Option(help: "Items of the catalogue, such as 2e8.") var items = 1e6
    @Option(help: "Elements of an item vector.") var dimension = 64.0
    @Option(help: "Requests a second at the busiest time.") var requests = 1000.0
    @Option(help: "The 99th percentile that must hold, in milliseconds.") var p99Ms = 5.0
    @Option(help: "Events of the log to train on.") var events = 1e7
    @Option(help: "Cores of a machine for event loops.") var cores = 8.0
    @Option(help: "Memory of a machine in GB (10^9 bytes).") var memoryGb = 64.0
    @Option(help: "The share of its saturation rate that an event loop gets.") var utilisation = 0.5
    @Option(help: "Replicas of a shard beyond those that the requests need.") var spares = 1.0
    @Option(help: "Versions in memory (KEEP_VERSIONS).") var versions = 2.0
    @Option(help: "Passes over the events in a training.") var epochs = 1.0
    @Option(help: "Targets a second of your recipe, from `bench train --recipe`; by default the measured shape's.")
    var targetsPerS: Double?
    @Flag(help: "Print one JSON object.") var json = false

    private var catalogueSizes: [Int] { sizes.split(separator: ",").compactMap { Int($0) } }

    func validate() throws {
        guard (measure != nil) != (bench != nil) else { throw ValidationError("Give --measure FILE or --bench FILE.") }
        guard !catalogueSizes.isEmpty, catalogueSizes.count == sizes.split(separator: ",").count,
            catalogueSizes.allSatisfy({ 1000...10_000_000 ~= $0 }), catalogueSizes == Set(catalogueSizes).sorted()
        else { throw ValidationError("--sizes must be rising numbers from 1000 to 10000000; got '\(sizes)'.") }
        try ValidationError.require("--seconds", seconds, in: 0.5...600)
        let ranges = [
            ("--items", items, 1...1e12), ("--dimension", dimension, 1...8192), ("--requests", requests, 0.001...1e9),
            ("--p99-ms", p99Ms, 0.001...60_000), ("--events", events, 1...1e15), ("--cores", cores, 1...1024),
            ("--memory-gb", memoryGb, 0.1...100_000), ("--utilisation", utilisation, 0.01...0.95),
            ("--spares", spares, 0...100), ("--versions", versions, 1...100), ("--epochs", epochs, 0.001...10_000),
            ("--targets-per-s", targetsPerS ?? 1, 0.001...1e9),
        ]
        for (option, value, range) in ranges { try ValidationError.require(option, value, in: range) }
    }

    func run() async throws {
        if let measure {
            let measurements = try await SizingRun(sizes: catalogueSizes, seconds: seconds).measurements()
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            try encoder.encode(measurements).write(to: URL(filePath: measure))
            Terminal.print(json ? JSONObject(["path": measure]).line : "'\(measure)' is written")
            return
        }
        let measurements = try Self.read(bench ?? "")
        let demand = CapacityPlan.Demand(
            items: items,
            dimension: dimension,
            requests: requests,
            p99Milliseconds: p99Ms,
            events: events,
            targetsPerSecond: targetsPerS
        )
        var machine = CapacityPlan.Machine()
        (machine.cores, machine.memoryGB, machine.utilisation) = (cores, memoryGb, utilisation)
        (machine.spares, machine.versions, machine.epochs) = (spares, versions, epochs)
        let plan = CapacityPlan(measurements, demand, on: machine)
        guard plan.fewestShards != nil else {
            let limits = [
                plan.shardsForMemory == nil
                    ? String(format: "a process needs %.1f GB without items", plan.memoryBytes / 1e9) : nil,
                plan.shardsForLatency == nil
                    ? String(format: "p99 is %.3f ms with few items", plan.p99Microseconds / 1000) : nil,
            ].compactMap { $0 }
            throw SizingError.noPlan(
                limits.joined(separator: ", ") + ". Raise --p99-ms (\(p99Ms)) or --memory-gb (\(memoryGb)), or lower "
                    + "--utilisation (\(utilisation))"
            )
        }
        Terminal.print(json ? JSONObject(plan.fields).line : plan.text)
    }

    private static func read(_ path: String) throws -> SizingMeasurements {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw SizingError.badFile(path, reason: "cannot be read")
        }
        guard let measurements = try? JSONDecoder().decode(SizingMeasurements.self, from: data) else {
            throw SizingError.badFile(path, reason: "is not a file of dimerec plan --measure")
        }
        if let contradiction = measurements.contradiction {
            throw SizingError.badFile(path, reason: "cannot be used: \(contradiction)")
        }
        return measurements
    }
}
