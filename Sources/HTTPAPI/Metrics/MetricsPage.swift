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
        page.family(.buildInfo)
        page.sample([("version", build.version), ("platform", build.platform)], "1")
        let totals = metrics.totals()
        writeRequests(totals, to: &page)
        writeRetrievals(totals, to: &page)
        writeDrift(metrics.drift(at: now), to: &page)
        writeStages(totals, to: &page)
        writeCatalogue(to: &page)
        writeShards(controller.searchOutcomes, to: &page)
        writeVersions(controller.residents.filter(\.isInUse), to: &page)
        writeChanges(controller.report, to: &page)
        writeSamples(sampler.report, to: &page)
        page.family(.droppedLogLines)
        page.sample([], "\(droppedLogLines())")
        if let process = ProcessStatistics() { write(process, to: &page) }
        return page.text
    }

    private func writeRequests(_ totals: [UInt64], to page: inout Exposition) {
        page.family(.requests)
        for route in RouteLabel.allCases {
            for status in 100..<600 {
                let count = totals[RecorderCells.request(route, status: status)]
                // The usual code is present from the start, so that a rate includes its first increase.
                guard count > 0 || status == 200 else { continue }
                page.sample([("route", route.name), ("code", "\(status)")], "\(count)")
            }
        }
        page.family(.requestDuration)
        for route in RouteLabel.allCases {
            page.histogram([("route", route.name)], .duration(of: route), totals)
        }
        page.family(.inFlight)
        page.sample([], "\(Int(totals[RecorderCells.inFlight]) + metrics.heavyRequests)")
        page.family(.shed)
        for reason in ShedReason.allCases {
            page.sample([("reason", reason.name)], "\(totals[RecorderCells.shed(reason)])")
        }
        page.family(.acceptFailures)
        page.sample([], "\(metrics.acceptFailures)")
        if let counts = spans?.counts {
            page.family(.spans)
            page.sample([("result", "written")], "\(counts.written)")
            page.sample([("result", "dropped")], "\(counts.dropped)")
        }
    }

    private func writeRetrievals(_ totals: [UInt64], to page: inout Exposition) {
        page.family(.fallbacks)
        page.sample([("kind", Fallback.popular.rawValue)], "\(totals[RecorderCells.fallback(.popular)])")
        page.family(.exactFallbacks)
        for reason in ExactSearchReason.allCases {
            page.sample([("reason", reason.rawValue)], "\(totals[RecorderCells.exact(reason)])")
        }
        page.family(.fusedSources)
        for status in FusedSources.Status.allCases {
            page.sample([("status", status.rawValue)], "\(totals[RecorderCells.source(status)])")
        }
        page.family(.rules)
        for rule in RuleKind.allCases {
            page.sample([("rule", rule.rawValue)], "\(totals[RecorderCells.rule(rule)])")
        }
        page.family(.ruledItems)
        for effect in RuleEffects.Effect.allCases {
            page.sample([("effect", effect.rawValue)], "\(totals[RecorderCells.ruled(effect)])")
        }
        page.family(.historyIDs)
        page.sample([], "\(totals[RecorderCells.historyIDs])")
        page.family(.unknownIDs)
        page.sample([], "\(totals[RecorderCells.unknownIDs])")
    }

    private func writeDrift(_ drift: Drift, to page: inout Exposition) {
        if drift.historyIDs > 0 {
            page.family(.unknownIDShare)
            page.sample([], "\(Double(drift.unknownIDs) / Double(drift.historyIDs))")
        }
        if let popularity = drift.popularity {
            page.family(.answerPopularity)
            page.sample([], "\(popularity)")
        }
        page.family(.distinctItemsPerMinute)
        page.sample([], "\(Int(drift.items.estimate.rounded()))")
    }

    private func writeStages(_ totals: [UInt64], to page: inout Exposition) {
        page.family(.stageDuration)
        for stage in StageLabel.allCases {
            page.histogram([("stage", stage.name)], .duration(of: stage), totals)
        }
    }

    private func writeCatalogue(to page: inout Exposition) {
        let snapshot = holder.current.standard?.arms[0].snapshot
        page.family(.indexItems)
        page.sample([], "\(snapshot?.itemCount ?? 0)")
        page.family(.indexTombstones)
        page.sample([], "\(snapshot?.tombstones ?? 0)")
    }

    private func writeShards(_ outcomes: [SearchOutcomes], to page: inout Exposition) {
        guard !outcomes.isEmpty else { return }
        page.family(.shardSearches)
        for (position, outcome) in outcomes.enumerated() {
            page.sample([("shard", "\(position + 1)"), ("result", "answered")], "\(outcome.answered)")
            page.sample([("shard", "\(position + 1)"), ("result", "missing")], "\(outcome.missing)")
        }
    }

    private func writeVersions(_ versions: [ServingController.Resident], to page: inout Exposition) {
        func labels(_ version: ServingController.Resident) -> [(name: String, value: String)] {
            [("model", version.id.model), ("version", "\(version.id.version)")]
        }
        guard !versions.isEmpty else { return }
        page.family(.modelInfo)
        for version in versions { page.sample(labels(version), "1") }
        page.family(.modelAge)
        for version in versions {
            guard let date = try? Date(version.createdAt, strategy: .iso8601) else { continue }
            page.sample(labels(version), "\(max(0, Date.now.timeIntervalSince(date)))")
        }
        let counts = versions.map(\.statistics.counts)
        page.family(.versionRequests)
        for (version, counts) in zip(versions, counts) {
            page.sample(labels(version) + [("result", "ok")], "\(counts.answered)")
            page.sample(labels(version) + [("result", "error")], "\(counts.failed)")
        }
        page.family(.versionRequestDuration)
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
            page.family(.modelLoad)
            page.sample([], "\(seconds)")
        }
        page.family(.swaps)
        page.sample([("result", "published")], "\(report.published)")
        page.sample([("result", "rejected")], "\(report.rejected)")
        page.sample([("result", "rolled_back")], "\(report.rolledBack)")
        page.family(.guardRollbacks)
        page.sample([], "\(report.guardRollbacks)")
        page.family(.storeDamagedParts)
        page.sample([], "\(report.storeDamage)")
        page.family(.imports)
        page.sample([("result", "imported")], "\(report.imported)")
        page.sample([("result", "rejected")], "\(report.importsRejected)")
        page.family(.pulls)
        page.sample([("result", "taken")], "\(report.pulled)")
        page.sample([("result", "refused")], "\(report.pullsRefused)")
        page.sample([("result", "failed")], "\(report.pullsFailed)")
    }

    private func writeSamples(_ report: AnswerSampler.Report, to page: inout Exposition) {
        if let recall = report.recall {
            page.family(.recallEstimate)
            page.sample([], "\(recall)")
        }
        page.family(.shadowRequests)
        page.sample([("result", "compared")], "\(report.compared)")
        page.sample([("result", "failed")], "\(report.failed)")
        page.sample([("result", "dropped")], "\(report.dropped)")
        page.family(.shadowOverlap)
        page.histogram(
            [],
            bounds: AnswerSampler.Report.overlapBounds,
            counts: report.overlap + [0],
            sum: report.overlapSum
        )
        page.family(.shadowTimeRatio)
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
        page.family(.processCPU)
        page.sample([], "\(process.cpuSeconds)")
        page.family(.processResidentMemory)
        page.sample([], "\(process.residentBytes)")
        page.family(.processOpenDescriptors)
        page.sample([], "\(process.openDescriptors)")
        page.family(.processStartTime)
        page.sample([], "\(process.startTime)")
    }
}
