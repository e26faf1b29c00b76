/// The machines that a catalogue, a request rate and a log need, from measurements at smaller sizes.
///
/// Each formula is a property with its unit. ``fewestShards``, ``processes`` and ``trainingSeconds`` rise, or stay, when
/// an input of the demand rises or the budget becomes tighter. At a measured size and dimension with one version, the
/// memory, the time to build the index and the time of a request are the measured ones, unless a smaller catalogue
/// measured more.
public struct CapacityPlan: Sendable {
    /// The demand.
    public struct Demand: Sendable, Equatable {
        /// Items of the catalogue.
        public var items: Double
        /// Elements of an item vector.
        public var dimension: Double
        /// Requests a second at the busiest time.
        public var requests: Double
        /// The 99th percentile of a request's time in the service that must hold, in milliseconds.
        public var p99Milliseconds: Double
        /// Events of the log to train on.
        public var events: Double
        /// Targets a second of the recipe's training; nil for the measured speed of the default shape.
        public var targetsPerSecond: Double?

        /// Groups the inputs.
        public init(
            items: Double,
            dimension: Double,
            requests: Double,
            p99Milliseconds: Double,
            events: Double,
            targetsPerSecond: Double? = nil
        ) {
            self.items = items
            self.dimension = dimension
            self.requests = requests
            self.p99Milliseconds = p99Milliseconds
            self.events = events
            self.targetsPerSecond = targetsPerSecond
        }
    }

    /// The machines and the choices of the operator.
    public struct Machine: Sendable, Equatable {
        /// Cores of a machine for event loops.
        public var cores = 8.0
        /// Memory of a machine, in GB (10^9 bytes).
        public var memoryGB = 64.0
        /// The share of the memory that the service may use.
        public var memoryShare = 0.8
        /// The share of its saturation rate that an event loop gets, above 0 and below 1.
        public var utilisation = 0.5
        /// Replicas of a shard beyond those that the requests need.
        public var spares = 1.0
        /// Versions in memory at the same time; KEEP_VERSIONS.
        public var versions = 2.0
        /// Passes over the events in a training.
        public var epochs = 1.0

        /// The defaults.
        public init() {}
    }

    /// The most shards that a plan tries.
    public static let mostShards = 65_536
    /// The 99th percentile of an exponential waiting time, in means: ln 100.
    private static let p99OfExponential = 4.605170185988092
    /// Weights, the best weights so far, and the two moments of Adam, 4 bytes each.
    private static let trainingBytesPerElement = 16.0
    /// The bytes that the trainer holds for each event after it has read a log.
    private static let trainingBytesPerEvent = 24.0
    /// The most events that one training reads.
    public static let mostEvents = Double(Int32.max)

    /// The measurements.
    public let measurements: SizingMeasurements
    /// The demand.
    public let demand: Demand
    /// The machines.
    public let machine: Machine
    /// The fewest parts of the catalogue that fit the memory of a machine; nil when no number does.
    public let shardsForMemory: Int?
    /// The fewest parts of the catalogue that keep the 99th percentile; nil when no number does.
    public let shardsForLatency: Int?
    /// The parts of the catalogue with which the plan needs the fewest processes; the most there are without a plan.
    public let shards: Double

    /// A plan.
    ///
    /// - Precondition: The measurements have no contradiction, and all inputs are above 0.
    public init(_ measurements: SizingMeasurements, _ demand: Demand, on machine: Machine = Machine()) {
        precondition(measurements.contradiction == nil, measurements.contradiction ?? "")
        precondition(
            [demand.items, demand.dimension, demand.requests, demand.p99Milliseconds, demand.events].allSatisfy {
                $0 > 0
            } && demand.targetsPerSecond ?? 1 > 0,
            "\(demand)"
        )
        precondition(machine.utilisation > 0 && machine.utilisation < 1, "utilisation \(machine.utilisation)")
        self.measurements = measurements
        self.demand = demand
        self.machine = machine
        let curves = Curves(measurements, dimension: demand.dimension)
        self.curves = curves
        shardsForMemory = Self.fewest(of: demand.items) {
            curves.memory($0, versions: machine.versions) <= machine.memoryGB * 1e9 * machine.memoryShare
        }
        shardsForLatency = Self.fewest(of: demand.items) {
            curves.p99($0, machine.utilisation) <= demand.p99Milliseconds * 1000
        }
        guard let forMemory = shardsForMemory, let forLatency = shardsForLatency else {
            shards = Double(Self.mostShards)
            return
        }
        func processes(_ shards: Int) -> Double {
            let time = curves.requestTime(demand.items / Double(shards))
            return Double(shards) * Self.replicas(demand.requests * time / 1e6, machine)
        }
        // Smaller shards may need fewer replicas. More shards than `most` need more processes even with one replica.
        let fewest = max(forMemory, forLatency)
        let most = min(Self.mostShards, Int(processes(fewest) / (1 + machine.spares)))
        let best = (fewest...max(fewest, most)).min { processes($0) < processes($1) } ?? fewest
        shards = Double(best)
    }

    /// The fewest equal parts of the items that satisfy a condition, which holds for smaller parts as well.
    private static func fewest(of items: Double, where fits: (_ itemsOfShard: Double) -> Bool) -> Int? {
        guard fits(items / Double(mostShards)) else { return nil }
        var (low, high) = (0, mostShards)
        while high - low > 1 {
            let middle = (low + high) / 2
            if fits(items / Double(middle)) { high = middle } else { low = middle }
        }
        return high
    }

    private let curves: Curves

    /// The fewest parts of the catalogue that keep memory and 99th percentile; nil when no number does.
    public var fewestShards: Int? {
        guard let shardsForMemory, let shardsForLatency else { return nil }
        return max(shardsForMemory, shardsForLatency)
    }

    private var itemsOfShard: Double { demand.items / shards }

    /// Resident memory of a process, in bytes: the versions in memory and the program.
    public var memoryBytes: Double { curves.memory(itemsOfShard, versions: machine.versions) }
    /// Time of a request on an event loop, in microseconds, without waiting.
    public var requestMicroseconds: Double { curves.requestTime(itemsOfShard) }
    /// The 99th percentile of a request's time in the service, in microseconds, at the plan's utilisation.
    public var p99Microseconds: Double { curves.p99(itemsOfShard, machine.utilisation) }
    /// Cores that the requests keep busy in each shard, without the reserve of the utilisation.
    public var busyCores: Double { demand.requests * requestMicroseconds / 1e6 }
    /// Replicas of each shard, spares included.
    public var replicas: Double { Self.replicas(busyCores, machine) }
    /// Processes, each on a machine of its own.
    public var processes: Double { shards * replicas }
    /// Traffic of requests and answers at all replicas, in bits a second.
    public var networkBits: Double {
        let bytes = Double(measurements.requestBytes + measurements.answerBytes)
        return demand.requests * bytes * 8 * shards
    }
    /// Bytes that one published version moves to all processes.
    public var publicationBytes: Double { curves.exported(itemsOfShard) * processes }
    /// Time of a training on a machine like the measured one, in seconds.
    public var trainingSeconds: Double {
        demand.events * machine.epochs * (demand.targetsPerSecond.map { 1 / $0 } ?? curves.targetSeconds(demand.items))
    }
    /// Memory of the log while a training reads it, in bytes; not measured.
    public var trainingLogBytes: Double { demand.events * Self.trainingBytesPerEvent }
    /// Memory of the item table in training with the optimizer's state, in bytes; not measured.
    public var trainingTableBytes: Double { demand.items * demand.dimension * Self.trainingBytesPerElement }
    /// Time to build the index of a shard, in seconds.
    public var buildSeconds: Double { curves.build(itemsOfShard) }

    private static func replicas(_ busyCores: Double, _ machine: Machine) -> Double {
        max(1, (busyCores / machine.utilisation / machine.cores).rounded(.up)) + machine.spares
    }

    /// The quantities by catalogue size, for one dimension.
    ///
    /// Vectors and searches grow with the dimension; the rest of a service does not.
    private struct Curves: Sendable {
        let ratio: Double
        let residentBytes: MeasuredCurve
        let requestMicroseconds: MeasuredCurve
        let searchTail: MeasuredCurve
        let exportedBytes: MeasuredCurve
        let buildTime: MeasuredCurve
        let targetTime: MeasuredCurve

        init(_ measurements: SizingMeasurements, dimension: Double) {
            let ratio = dimension / Double(measurements.dimension)
            func curve(_ value: (SizingMeasurements.Row) -> Double) -> MeasuredCurve {
                MeasuredCurve(measurements.rows.map { (size: Double($0.items), value: value($0)) })
            }
            /// A total of which one part grows with the dimension.
            func curve(
                _ total: (SizingMeasurements.Row) -> Double,
                growing part: (SizingMeasurements.Row) -> Double
            ) -> MeasuredCurve {
                var grown = 0.0
                return curve { row in
                    grown = max(grown, part(row))
                    return max(0, total(row) - grown) + grown * ratio
                }
            }
            self.ratio = ratio
            residentBytes = curve({ Double($0.residentBytes) }, growing: { Double($0.indexBytes) })
            requestMicroseconds = curve({ 1e6 / $0.requestsPerSecond }, growing: \.searchMicroseconds)
            searchTail = curve { max(0, $0.searchP99Microseconds - $0.searchMicroseconds) }
            exportedBytes = curve({ Double($0.exportedBytes) }, growing: { Double($0.indexBytes) })
            buildTime = curve(\.buildSeconds)
            targetTime = curve { 1 / $0.targetsPerSecond }
        }

        /// Bytes; the measured process has one version.
        func memory(_ items: Double, versions: Double) -> Double { versions * residentBytes(items) }

        /// Microseconds.
        func requestTime(_ items: Double) -> Double { requestMicroseconds(items) }

        /// Microseconds: the slow searches, and the wait in a queue with equal service times (M/D/1), taken as
        /// exponential.
        func p99(_ items: Double, _ utilisation: Double) -> Double {
            let wait = requestTime(items) * utilisation / (2 * (1 - utilisation))
            return requestTime(items) + searchTail(items) * ratio + CapacityPlan.p99OfExponential * wait
        }

        /// Bytes.
        func exported(_ items: Double) -> Double { exportedBytes(items) }

        /// Seconds.
        func build(_ items: Double) -> Double { buildTime(items) * ratio }

        /// Seconds for one target; half of a step's work is taken to grow with the dimension.
        func targetSeconds(_ items: Double) -> Double { targetTime(items) * (1 + ratio) / 2 }
    }
}
