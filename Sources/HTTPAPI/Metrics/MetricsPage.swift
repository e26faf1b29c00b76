import Foundation
package import NIOCore
package import Serving

/// The answer of GET /metrics, in Prometheus' text format, version 0.0.4.
package struct MetricsPage: Sendable {
    /// The media type of the text.
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private let metrics: ServerMetrics
    private let holder: RoutingHolder
    private let controller: ServingController
    private let sampler: AnswerSampler
    private let droppedLogLines: @Sendable () -> Int
    private let spans: SpanFile?

    /// A page of the data plane's counts, the versions in service, and the losses of the log and the span file.
    init(
        metrics: ServerMetrics,
        holder: RoutingHolder,
        controller: ServingController,
        sampler: AnswerSampler,
        droppedLogLines: @escaping @Sendable () -> Int,
        spans: SpanFile?
    ) {
        self.metrics = metrics
        self.holder = holder
        self.controller = controller
        self.sampler = sampler
        self.droppedLogLines = droppedLogLines
        self.spans = spans
    }

    /// A page of a server whose log loses nothing and which writes no spans.
    package init(
        metrics: ServerMetrics,
        holder: RoutingHolder,
        controller: ServingController,
        sampler: AnswerSampler
    ) {
        self.init(
            metrics: metrics,
            holder: holder,
            controller: controller,
            sampler: sampler,
            droppedLogLines: { 0 },
            spans: nil
        )
    }

    /// The page's text at a time.
    package func text(_ build: BuildDescription, at now: NIODeadline = .now()) -> String {
        var page = Exposition()
        page.family("dimerec_build_info", .gauge, "Always 1; the labels describe the program.")
        page.sample([("version", build.version), ("platform", build.platform)], "1")
        let totals = metrics.totals()
        writeRequests(totals, to: &page)
        writeRetrievals(totals, to: &page)
        writeDrift(metrics.drift(at: now), to: &page)
        writeStages(totals, to: &page)
        writeCatalogue(to: &page)
        writeVersions(controller.residents.filter(\.isInUse), to: &page)
        writeChanges(controller.report, to: &page)
        writeSamples(sampler.report, to: &page)
        page.family("dimerec_log_dropped_total", .counter, "Log lines that were lost.")
        page.sample([], "\(droppedLogLines())")
        if let process = ProcessStatistics() { write(process, to: &page) }
        return page.text
    }

    private func writeRequests(_ totals: [UInt64], to page: inout Exposition) {
        page.family("dimerec_http_requests_total", .counter, "Requests that the data plane answered.")
        for route in RouteLabel.allCases {
            for status in 100..<600 {
                let count = totals[RecorderCells.request(route, status: status)]
                // The usual code is present from the start, so that a rate includes its first increase.
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
        page.family("dimerec_inflight", .gauge, "Requests in progress or waiting for a worker thread.")
        page.sample([], "\(Int(totals[RecorderCells.inFlight]) + metrics.heavyRequests)")
        page.family("dimerec_shed_total", .counter, "Requests and connections that the server shed.")
        for reason in ShedReason.allCases {
            page.sample([("reason", reason.name)], "\(totals[RecorderCells.shed(reason)])")
        }
        page.family("dimerec_accept_failures_total", .counter, "Failures to accept a new connection.")
        page.sample([], "\(metrics.acceptFailures)")
        if let counts = spans?.counts {
            page.family("dimerec_spans_total", .counter, "Sampled requests, by outcome for their spans.")
            page.sample([("result", "written")], "\(counts.written)")
            page.sample([("result", "dropped")], "\(counts.dropped)")
        }
    }

    private func writeRetrievals(_ totals: [UInt64], to page: inout Exposition) {
        page.family("dimerec_fallback_total", .counter, "Answers without a prediction, by fallback.")
        page.sample([("kind", Fallback.popular.rawValue)], "\(totals[RecorderCells.fallback(.popular)])")
        page.family("dimerec_exact_fallback_total", .counter, "Searches that scored every eligible item, by reason.")
        for reason in ExactSearchReason.allCases {
            page.sample([("reason", reason.rawValue)], "\(totals[RecorderCells.exact(reason)])")
        }
        page.family("dimerec_history_ids_total", .counter, "History ids read.")
        page.sample([], "\(totals[RecorderCells.historyIDs])")
        page.family("dimerec_unknown_ids_total", .counter, "History ids that are not in the catalogue.")
        page.sample([], "\(totals[RecorderCells.unknownIDs])")
    }

    private func writeDrift(_ drift: Drift, to page: inout Exposition) {
        if drift.historyIDs > 0 {
            page.family("dimerec_unknown_id_share", .gauge, "Share of unknown history ids in the last minute.")
            page.sample([], "\(Double(drift.unknownIDs) / Double(drift.historyIDs))")
        }
        if let popularity = drift.popularity {
            page.family(
                "dimerec_answer_popularity",
                .gauge,
                "Mean popularity of items answered in the last minute, from 0, the most popular, to 1; sampled."
            )
            page.sample([], "\(popularity)")
        }
        page.family(
            "dimerec_distinct_items_per_minute",
            .gauge,
            "Distinct items answered in the last minute; the standard error is 2.3 percent."
        )
        page.sample([], "\(Int(drift.items.estimate.rounded()))")
    }

    private func writeStages(_ totals: [UInt64], to page: inout Exposition) {
        page.family("dimerec_stage_duration_seconds", .histogram, "Time of one stage of a retrieval.")
        for stage in StageLabel.allCases {
            page.histogram([("stage", stage.name)], .duration(of: stage), totals)
        }
    }

    private func writeCatalogue(to page: inout Exposition) {
        let snapshot = holder.current.standard?.arms[0].snapshot
        page.family("dimerec_index_items", .gauge, "Items that can be retrieved.")
        page.sample([], "\(snapshot?.itemCount ?? 0)")
        page.family("dimerec_index_tombstones", .gauge, "Items removed from the catalogue (tombstones).")
        page.sample([], "\(snapshot?.tombstones ?? 0)")
    }

    private func writeVersions(_ versions: [ServingController.Resident], to page: inout Exposition) {
        func labels(_ version: ServingController.Resident) -> [(name: String, value: String)] {
            [("model", version.id.model), ("version", "\(version.id.version)")]
        }
        guard !versions.isEmpty else { return }
        page.family("dimerec_model_info", .gauge, "Always 1; the labels name the versions in service.")
        for version in versions { page.sample(labels(version), "1") }
        page.family("dimerec_model_age_seconds", .gauge, "Time since the version was published.")
        for version in versions {
            guard let date = try? Date(version.createdAt, strategy: .iso8601) else { continue }
            page.sample(labels(version), "\(max(0, Date.now.timeIntervalSince(date)))")
        }
        let counts = versions.map(\.statistics.counts)
        page.family("dimerec_version_requests_total", .counter, "Retrievals, by the version chosen to answer.")
        for (version, counts) in zip(versions, counts) {
            page.sample(labels(version) + [("result", "ok")], "\(counts.answered)")
            page.sample(labels(version) + [("result", "error")], "\(counts.failed)")
        }
        page.family("dimerec_version_request_duration_seconds", .histogram, "A version's own work for one retrieval.")
        for (version, counts) in zip(versions, counts) {
            page.histogram(
                labels(version),
                bounds: VersionStatistics.bounds.map { Double($0) / 1e9 },
                counts: counts.buckets,
                sum: Double(counts.nanoseconds) / 1e9
            )
        }
    }

    private func writeChanges(_ report: ServingController.Report, to page: inout Exposition) {
        if let seconds = report.loadSeconds {
            page.family("dimerec_model_load_seconds", .gauge, "Time of the last load, including warm-up.")
            page.sample([], "\(seconds)")
        }
        page.family("dimerec_swaps_total", .counter, "Attempts to put a version into service, by outcome.")
        page.sample([("result", "published")], "\(report.published)")
        page.sample([("result", "rejected")], "\(report.rejected)")
        page.sample([("result", "rolled_back")], "\(report.rolledBack)")
        page.family("dimerec_guard_rollbacks_total", .counter, "Traffic splits ended by their alias' guard.")
        page.sample([], "\(report.guardRollbacks)")
        page.family("dimerec_store_damaged_parts", .gauge, "Damaged parts of the store; the service uses the rest.")
        page.sample([], "\(report.storeDamage)")
        page.family("dimerec_import_total", .counter, "Files of the import folder, by outcome.")
        page.sample([("result", "imported")], "\(report.imported)")
        page.sample([("result", "rejected")], "\(report.importsRejected)")
    }

    private func writeSamples(_ report: AnswerSampler.Report, to page: inout Exposition) {
        if let recall = report.recall {
            page.family("dimerec_recall_estimate", .gauge, "Recall of the index against exact search, sampled.")
            page.sample([], "\(recall)")
        }
        page.family("dimerec_shadow_requests_total", .counter, "Requests also sent to a shadow version, by outcome.")
        page.sample([("result", "compared")], "\(report.compared)")
        page.sample([("result", "failed")], "\(report.failed)")
        page.sample([("result", "dropped")], "\(report.dropped)")
        page.family(
            "dimerec_shadow_overlap",
            .histogram,
            "Share of the answer that a version and its shadow have in common."
        )
        page.histogram(
            [],
            bounds: AnswerSampler.Report.overlapBounds,
            counts: report.overlap + [0],
            sum: report.overlapSum
        )
        page.family("dimerec_shadow_time_ratio", .histogram, "Time of the shadow divided by that of the answer.")
        page.histogram(
            [],
            bounds: AnswerSampler.Report.ratioBounds,
            counts: report.timeRatio,
            sum: report.timeRatioSum
        )
    }

    /// The slowest requests that ended in the last `seconds`, at most an hour, slowest first.
    func slowRequests(ofLast seconds: Int) -> [SlowRequest] {
        let clocks = Clocks()
        let oldest = Date.now - Double(seconds)
        return metrics.slowRequests()
            .map { ($0.duration, $0.entry, date: clocks.date(of: $0.entry.end)) }
            .filter { $0.date >= oldest }
            .sorted { $0.0 > $1.0 }
            .prefix(SlowestEntries<Outcome>.capacity)
            .map { SlowRequest($0.1, date: $0.date) }
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
