package import Serving

/// What GET /metrics answers: Prometheus' text format, version 0.0.4.
package struct MetricsPage: Sendable {
    /// The media type of the text.
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private let metrics: ServerMetrics
    private let holder: SnapshotHolder
    private let droppedLogLines: @Sendable () -> Int

    /// A page over the counts of the data plane, what it serves, and the lines that the log has lost.
    package init(
        metrics: ServerMetrics,
        holder: SnapshotHolder,
        droppedLogLines: @escaping @Sendable () -> Int = { 0 }
    ) {
        self.metrics = metrics
        self.holder = holder
        self.droppedLogLines = droppedLogLines
    }

    /// The page as it is now.
    package func text() -> String {
        var page = Exposition()
        let totals = metrics.totals()
        writeRequests(totals, to: &page)
        writeStages(totals, to: &page)
        writeModel(to: &page)
        page.family("dimerec_log_dropped_total", .counter, "Lines of the log that were lost.")
        page.sample([], "\(droppedLogLines())")
        if let process = ProcessStatistics() { write(process, to: &page) }
        return page.text
    }

    private func writeRequests(_ totals: [UInt64], to page: inout Exposition) {
        page.family("dimerec_http_requests_total", .counter, "Requests that the data plane answered.")
        for route in RouteLabel.allCases {
            for status in 100..<600 {
                let count = totals[RecorderCells.request(route, status: status)]
                // The usual code is there from the start, so that a rate over it sees the first increase.
                guard count > 0 || status == 200 else { continue }
                page.sample([("route", route.name), ("code", "\(status)")], "\(count)")
            }
        }
        page.family(
            "dimerec_http_request_duration_seconds",
            .histogram,
            "Time from a complete request to its written answer."
        )
        for route in RouteLabel.allCases {
            page.histogram([("route", route.name)], .duration(of: route), totals)
        }
        page.family("dimerec_inflight", .gauge, "Requests that are being answered or wait for a worker thread.")
        page.sample([], "\(Int(totals[RecorderCells.inFlight]) + metrics.heavyRequests)")
        page.family("dimerec_shed_total", .counter, "Requests and connections turned away to keep the others fast.")
        for reason in ShedReason.allCases {
            page.sample([("reason", reason.name)], "\(totals[RecorderCells.shed(reason)])")
        }
        page.family("dimerec_fallback_total", .counter, "Answers that are no prediction, by what was answered instead.")
        page.sample([("kind", Fallback.popular.rawValue)], "\(totals[RecorderCells.fallback(.popular)])")
        page.family("dimerec_unknown_ids_total", .counter, "Ids of histories that are not in the catalogue.")
        page.sample([], "\(totals[RecorderCells.unknownIDs])")
    }

    private func writeStages(_ totals: [UInt64], to page: inout Exposition) {
        page.family("dimerec_stage_duration_seconds", .histogram, "Time that one stage of a retrieval took.")
        for stage in StageLabel.allCases {
            page.histogram([("stage", stage.name)], .duration(of: stage), totals)
        }
    }

    private func writeModel(to page: inout Exposition) {
        let snapshot = holder.current
        if let snapshot {
            page.family("dimerec_model_info", .gauge, "Always 1; its labels name what is served.")
            page.sample([("model", snapshot.model), ("version", "\(snapshot.version)")], "1")
        }
        page.family("dimerec_index_items", .gauge, "Items that can be retrieved.")
        page.sample([], "\(snapshot?.itemCount ?? 0)")
    }

    private func write(_ process: ProcessStatistics, to page: inout Exposition) {
        page.family("process_cpu_seconds_total", .counter, "User and system CPU time.")
        page.sample([], "\(process.cpuSeconds)")
        page.family("process_resident_memory_bytes", .gauge, "Resident memory.")
        page.sample([], "\(process.residentBytes)")
        page.family("process_open_fds", .gauge, "Open file descriptors.")
        page.sample([], "\(process.openDescriptors)")
        page.family("process_start_time_seconds", .gauge, "When the process started, since the Unix epoch.")
        page.sample([], "\(process.startTime)")
    }
}

/// Puts metric families and their samples into text.
private struct Exposition {
    enum Kind: String {
        case counter
        case gauge
        case histogram
    }

    private(set) var text = ""
    private var name = ""

    /// Starts a family; the samples that follow are its own.
    mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        self.name = name
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    }

    mutating func sample(_ labels: [(name: String, value: String)], _ value: String, suffix: String = "") {
        text += name + suffix
        if !labels.isEmpty {
            text += "{" + labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",") + "}"
        }
        text += " \(value)\n"
    }

    mutating func histogram(
        _ labels: [(name: String, value: String)],
        _ histogram: HistogramCells,
        _ totals: [UInt64]
    ) {
        var count: UInt64 = 0
        for (position, cell) in histogram.buckets.enumerated() {
            count += totals[cell]
            let bound = position < histogram.bounds.count ? "\(Double(histogram.bounds[position]) / 1e9)" : "+Inf"
            sample(labels + [("le", bound)], "\(count)", suffix: "_bucket")
        }
        sample(labels, "\(Double(totals[histogram.sum]) / 1e9)", suffix: "_sum")
        sample(labels, "\(count)", suffix: "_count")
    }

    private static func escaped(_ value: String) -> String {
        value.reduce(into: "") { text, character in
            switch character {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.append(character)
            }
        }
    }
}
