import Serving

/// The families of the metrics page; a page can hold no others.
package enum MetricFamily: String, CaseIterable {
    case requests = "dimerec_http_requests_total"
    case requestDuration = "dimerec_http_request_duration_seconds"
    case inFlight = "dimerec_inflight"
    case shed = "dimerec_shed_total"
    case acceptFailures = "dimerec_accept_failures_total"
    case stageDuration = "dimerec_stage_duration_seconds"
    case spans = "dimerec_spans_total"

    case fallbacks = "dimerec_fallback_total"
    case exactFallbacks = "dimerec_exact_fallback_total"
    case fusedSources = "dimerec_fused_sources_total"
    case rules = "dimerec_rules_total"
    case ruledItems = "dimerec_ruled_items_total"
    case historyIDs = "dimerec_history_ids_total"
    case unknownIDs = "dimerec_unknown_ids_total"
    case unknownIDShare = "dimerec_unknown_id_share"
    case answerPopularity = "dimerec_answer_popularity"
    case distinctItemsPerMinute = "dimerec_distinct_items_per_minute"
    case recallEstimate = "dimerec_recall_estimate"
    case shardSearches = "dimerec_shard_searches_total"

    case modelInfo = "dimerec_model_info"
    case modelAge = "dimerec_model_age_seconds"
    case versionRequests = "dimerec_version_requests_total"
    case versionRequestDuration = "dimerec_version_request_duration_seconds"
    case modelLoad = "dimerec_model_load_seconds"
    case swaps = "dimerec_swaps_total"
    case guardRollbacks = "dimerec_guard_rollbacks_total"
    case storeDamagedParts = "dimerec_store_damaged_parts"
    case imports = "dimerec_import_total"
    case pulls = "dimerec_pull_total"
    case indexItems = "dimerec_index_items"
    case indexTombstones = "dimerec_index_tombstones"
    case shadowRequests = "dimerec_shadow_requests_total"
    case shadowOverlap = "dimerec_shadow_overlap"
    case shadowTimeRatio = "dimerec_shadow_time_ratio"

    case buildInfo = "dimerec_build_info"
    case droppedLogLines = "dimerec_log_dropped_total"
    case processCPU = "process_cpu_seconds_total"
    case processResidentMemory = "process_resident_memory_bytes"
    case processOpenDescriptors = "process_open_fds"
    case processStartTime = "process_start_time_seconds"

    /// The subjects of the families, in the order of the documentation.
    package enum Subject: String, CaseIterable {
        case requests = "Requests"
        case answers = "Answers"
        case versions = "Versions"
        case process = "Process"
    }

    /// The type of the values.
    package enum Kind: String {
        case counter
        case gauge
        case histogram
    }

    /// A label with all its values; none if they are open.
    package struct Label {
        package let name: String
        package var values: [String] = []
    }

    /// The subject.
    package var subject: Subject {
        switch self {
        case .requests, .requestDuration, .inFlight, .shed, .acceptFailures, .stageDuration, .spans: .requests
        case .fallbacks, .exactFallbacks, .fusedSources, .rules, .ruledItems, .historyIDs, .unknownIDs, .unknownIDShare,
            .answerPopularity, .distinctItemsPerMinute, .recallEstimate, .shardSearches:
            .answers
        case .modelInfo, .modelAge, .versionRequests, .versionRequestDuration, .modelLoad, .swaps, .guardRollbacks,
            .storeDamagedParts, .imports, .pulls, .indexItems, .indexTombstones, .shadowRequests, .shadowOverlap,
            .shadowTimeRatio:
            .versions
        case .buildInfo, .droppedLogLines, .processCPU, .processResidentMemory, .processOpenDescriptors,
            .processStartTime:
            .process
        }
    }

    /// The type.
    package var kind: Kind {
        switch self {
        case .requestDuration, .stageDuration, .versionRequestDuration, .shadowOverlap, .shadowTimeRatio: .histogram
        case _ where rawValue.hasSuffix("_total"): .counter
        default: .gauge
        }
    }

    /// The labels of the samples, in the order in which they are written; `le` of histograms is not among them.
    package var labels: [Label] {
        let routes = Label(name: "route", values: RouteLabel.allCases.map(\.name))
        let version = [Label(name: "model"), Label(name: "version")]
        return switch self {
        case .requests: [routes, Label(name: "code")]
        case .requestDuration: [routes]
        case .shed: [Label(name: "reason", values: ShedReason.allCases.map(\.name))]
        case .stageDuration: [Label(name: "stage", values: StageLabel.allCases.map(\.name))]
        case .spans: [Label(name: "result", values: ["written", "dropped"])]
        case .fallbacks: [Label(name: "kind", values: [Fallback.popular.rawValue])]
        case .exactFallbacks: [Label(name: "reason", values: ExactSearchReason.allCases.map(\.rawValue))]
        case .fusedSources: [Label(name: "status", values: FusedSources.Status.allCases.map(\.rawValue))]
        case .rules: [Label(name: "rule", values: RuleKind.allCases.map(\.rawValue))]
        case .shardSearches: [Label(name: "shard"), Label(name: "result", values: ["answered", "missing"])]
        case .ruledItems: [Label(name: "effect", values: RuleEffects.Effect.allCases.map(\.rawValue))]
        case .modelInfo, .modelAge, .versionRequestDuration: version
        case .versionRequests: version + [Label(name: "result", values: ["ok", "error"])]
        case .swaps: [Label(name: "result", values: ["published", "rejected", "rolled_back"])]
        case .imports: [Label(name: "result", values: ["imported", "rejected"])]
        case .pulls: [Label(name: "result", values: ["taken", "refused", "failed"])]
        case .shadowRequests: [Label(name: "result", values: ["compared", "failed", "dropped"])]
        case .buildInfo: [Label(name: "version"), Label(name: "platform")]
        default: []
        }
    }

    /// One sentence for the page of metrics and for the documentation.
    package var help: String {
        switch self {
        case .requests: "Requests that the data plane answered."
        case .requestDuration: "Time from a complete request to its written answer."
        case .inFlight: "Requests that are being answered or wait for a worker thread."
        case .shed: "Requests and connections turned away to keep the others fast."
        case .acceptFailures: "Times that a new connection could not be accepted."
        case .stageDuration: "Time that one stage of a retrieval took."
        case .spans: "Sampled requests, by whether their spans were written; only with TRACE_FILE."
        case .fallbacks: "Fallback answers without a prediction."
        case .exactFallbacks: "Searches that scored every eligible item, by reason."
        case .fusedSources: "Sources of retrievals that merge several sources, by status."
        case .rules: "Retrievals with a rule, by the field of the request."
        case .ruledItems:
            "Items that a pin, a share of new items or a calibrated share placed, and items that a full group kept out."
        case .historyIDs: "Ids in the histories of requests."
        case .unknownIDs: "Ids in histories that are not in the catalogue."
        case .unknownIDShare: "Share of unknown ids in the histories of the last minute."
        case .answerPopularity:
            "Mean popularity of items answered in the last minute, from 0, the most popular, to 1; sampled."
        case .distinctItemsPerMinute:
            "Different items answered in the last minute, with a standard error of 2.3 percent."
        case .recallEstimate:
            "Share of the exact answers that the index finds; one in RECALL_SAMPLE retrievals is checked."
        case .shardSearches:
            "Searches of the servers of SEARCH, by their position from 1; missing ones failed, were late or were skipped."
        case .modelInfo: "Always 1, for each version in service."
        case .modelAge: "Time since the version was published."
        case .versionRequests: "Retrievals that were routed to a version."
        case .versionRequestDuration: "The version's own work for one retrieval."
        case .modelLoad: "Time of the last load with its warm-up."
        case .swaps: "Attempts to put a version into service."
        case .guardRollbacks: "Splits that a guard ended, and pulled versions that a guard rolled back."
        case .storeDamagedParts: "Parts of the store that are damaged; the service uses the rest."
        case .imports: "Files of IMPORT_FOLDER."
        case .pulls: "Versions of CHECKPOINT_URL; a failed attempt is repeated."
        case .indexItems: "Items of the standard model that can be retrieved."
        case .indexTombstones: "Items of the standard model's catalogue that were removed."
        case .shadowRequests: "Shadow traffic."
        case .shadowOverlap: "Share of answers that a version and its shadow have in common."
        case .shadowTimeRatio: "Time of the shadow divided by the time of the version that answered."
        case .buildInfo: "Always 1; the labels name the program."
        case .droppedLogLines: "Lines of the log that were lost."
        case .processCPU: "User and system CPU time."
        case .processResidentMemory: "Resident memory."
        case .processOpenDescriptors: "Open file descriptors."
        case .processStartTime: "Start of the process, since the Unix epoch."
        }
    }
}
