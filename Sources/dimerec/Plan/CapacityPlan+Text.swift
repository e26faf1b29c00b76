import Foundation
import LoadTesting

extension CapacityPlan {
    /// The plan by the names in the command's JSON.
    var fields: [String: Any] {
        [
            "shards": shards, "fewest_shards": fewestShards ?? 0, "replicas": replicas, "processes": processes,
            "memory_bytes": memoryBytes, "request_us": requestMicroseconds, "p99_us": p99Microseconds,
            "busy_cores": busyCores * shards, "network_bits_per_s": networkBits, "publication_bytes": publicationBytes,
            "training_s": trainingSeconds, "training_table_bytes": trainingTableBytes,
            "training_log_bytes": trainingLogBytes, "build_s": buildSeconds,
            "drivers": drivers, "assumptions": assumptions,
        ]
    }

    /// The plan with its drivers and assumptions.
    var text: String {
        let width = rows.map(\.name.count).max() ?? 0
        let lines = rows.map { $0.name.padding(toLength: width + 2, withPad: " ", startingAt: 0) + $0.value }
        let lists = [("What drives the cost", drivers), ("Assumptions", assumptions)]
        return (lines + lists.flatMap { title, list in ["", title] + list.map { "- " + $0 } }).joined(separator: "\n")
    }

    private var rows: [(name: String, value: String)] {
        [
            (
                "processes",
                "\(Self.whole(processes)): \(Self.whole(shards)) shards, \(Self.whole(replicas)) replicas of each"
            ),
            ("memory of a process", "\(Self.gigabytes(memoryBytes)) with \(Self.whole(machine.versions)) versions"),
            (
                "cores",
                "\(Self.whole(processes * machine.cores)), of which the requests keep "
                    + String(format: "%.1f busy", busyCores * shards)
            ),
            (
                "time of a request",
                String(
                    format: "%.0f us, p99 %.0f us at a utilisation of %.2f",
                    requestMicroseconds,
                    p99Microseconds,
                    machine.utilisation
                )
            ),
            ("network", String(format: "%.2f Gbit/s of requests and answers", networkBits / 1e9)),
            ("a published version", "\(Self.gigabytes(publicationBytes)) to all processes"),
            (
                "training",
                "\(Self.time(trainingSeconds)) on a machine like the measured one, index \(Self.time(buildSeconds)) a shard"
            ),
            (
                "memory in training",
                "\(Self.gigabytes(trainingTableBytes)) of item table and optimizer, \(Self.gigabytes(trainingLogBytes)) of log"
            ),
        ]
    }

    /// The quantity that decides the number of processes.
    private var drivers: [String] {
        let fewest = fewestShards ?? 1
        return [
            fewest > 1
                ? "The catalogue is divided: memory needs \(shardsForMemory ?? 1) shards, p99 needs \(shardsForLatency ?? 1)."
                : "The catalogue fits one process.",
            shards > Double(fewest) ? "With more shards than the fewest, each shard needs fewer replicas." : nil,
            replicas - machine.spares > 1
                ? "The requests decide the replicas." : "The requests need one replica; the others are spares.",
        ].compactMap { $0 }
    }

    private var assumptions: [String] {
        let sizes = measurements.rows.map { "\($0.items)" }.joined(separator: ", ")
        let largest = Double(measurements.rows.last?.items ?? 0)
        let distance = String(format: "%.1f", demand.items / shards / largest)
        return [
            "Measured: \(sizes) items of \(measurements.dimension) elements on \(measurements.machine).",
            demand.items / shards > largest
                ? "A shard has \(distance) times the items of the largest measured catalogue; the slope goes on."
                : nil,
            shards > 1
                ? "One process serves a whole catalogue. Several shards need a front end that asks all of them and merges."
                : nil,
            "Event loops scale with the cores. Vectors and searches grow with the dimension, the rest of a request does not.",
            "p99 adds the wait in a queue with equal service times, without the network.",
            demand.targetsPerSecond == nil
                ? "The recipe trains as fast as the measured shape. Half of a training step grows with the dimension."
                : nil,
            "The memory in training is computed, not measured.",
            demand.events > Self.mostEvents
                ? "One training reads at most \(Self.whole(Self.mostEvents)) events; train on a part of the users."
                : nil,
        ].compactMap { $0 }
    }

    private static func whole(_ value: Double) -> String { String(format: "%.0f", value) }

    private static func gigabytes(_ bytes: Double) -> String { String(format: "%.1f GB", bytes / 1e9) }

    private static func time(_ seconds: Double) -> String {
        seconds < 3600 ? String(format: "%.0f s", seconds) : String(format: "%.1f h", seconds / 3600)
    }
}
