/// The measurements of one machine with made-up catalogues; the file of `dimerec plan --measure`.
public struct SizingMeasurements: Codable, Sendable, Equatable {
    /// The measurements of one catalogue.
    public struct Row: Codable, Sendable, Equatable {
        /// Items of the catalogue.
        public var items: Int
        /// Time to build the index, in seconds.
        public var buildSeconds: Double
        /// Bytes of the index with the item vectors.
        public var indexBytes: Int
        /// Mean time of a search on one core, in microseconds.
        public var searchMicroseconds: Double
        /// 99th percentile of a search on one core, in microseconds.
        public var searchP99Microseconds: Double
        /// Requests a second of a service with one event loop at saturation.
        public var requestsPerSecond: Double
        /// Resident memory of that service with one version, in bytes.
        public var residentBytes: Int
        /// Bytes of the exported version.
        public var exportedBytes: Int
        /// Targets a second of training with this many items.
        public var targetsPerSecond: Double

        private enum CodingKeys: String, CodingKey {
            case items
            case buildSeconds = "build_s"
            case indexBytes = "index_bytes"
            case searchMicroseconds = "search_mean_us"
            case searchP99Microseconds = "search_p99_us"
            case requestsPerSecond = "requests_per_s"
            case residentBytes = "resident_bytes"
            case exportedBytes = "exported_bytes"
            case targetsPerSecond = "train_targets_per_s"
        }

        /// Groups measurements.
        public init(
            items: Int,
            buildSeconds: Double,
            indexBytes: Int,
            searchMicroseconds: Double,
            searchP99Microseconds: Double,
            requestsPerSecond: Double,
            residentBytes: Int,
            exportedBytes: Int,
            targetsPerSecond: Double
        ) {
            self.items = items
            self.buildSeconds = buildSeconds
            self.indexBytes = indexBytes
            self.searchMicroseconds = searchMicroseconds
            self.searchP99Microseconds = searchP99Microseconds
            self.requestsPerSecond = requestsPerSecond
            self.residentBytes = residentBytes
            self.exportedBytes = exportedBytes
            self.targetsPerSecond = targetsPerSecond
        }
    }

    /// The CPU's kernels and the program, for people.
    public var machine: String
    /// Elements of an item vector.
    public var dimension: Int
    /// Bytes of a request with its head.
    public var requestBytes: Int
    /// Bytes of an answer with its head.
    public var answerBytes: Int
    /// One row for each size, smallest first.
    public var rows: [Row]

    private enum CodingKeys: String, CodingKey {
        case machine, dimension, rows
        case requestBytes = "request_bytes"
        case answerBytes = "answer_bytes"
    }

    /// Groups rows.
    public init(machine: String, dimension: Int, requestBytes: Int, answerBytes: Int, rows: [Row]) {
        self.machine = machine
        self.dimension = dimension
        self.requestBytes = requestBytes
        self.answerBytes = answerBytes
        self.rows = rows
    }

    /// Why the measurements cannot be used, or nil.
    public var contradiction: String? {
        guard !rows.isEmpty else { return "rows is empty" }
        guard dimension >= 1 else { return "dimension is \(dimension)" }
        guard requestBytes >= 1, answerBytes >= 1 else { return "request_bytes and answer_bytes must be at least 1" }
        for (position, row) in rows.enumerated() {
            let values = [
                Double(row.items), row.buildSeconds, Double(row.indexBytes), row.searchMicroseconds,
                row.searchP99Microseconds, row.requestsPerSecond, Double(row.residentBytes), Double(row.exportedBytes),
                row.targetsPerSecond,
            ]
            guard values.allSatisfy({ $0 > 0 && $0.isFinite }) else {
                return "rows[\(position)] has a value that is not above 0"
            }
            guard position == 0 || rows[position - 1].items < row.items else {
                return "rows[\(position)].items is \(row.items), but it must be above the row before"
            }
        }
        return nil
    }
}
