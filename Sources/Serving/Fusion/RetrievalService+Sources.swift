import CheckpointStore
import Dispatch
import Kernels
import VectorIndex

/// A request to one version.
struct VersionQuestion {
    /// The request, checked.
    let request: RetrievalRequest
    /// The version that answers it.
    let arm: TrafficArm
    /// The version that also computes it as shadow traffic.
    let shadow: TrafficArm?
}

/// A request to several sources.
struct BlendedQuestion {
    /// How the sources' lists become one.
    let blend: SourceBlend
    /// For each source its version; nil for the popularity list, and for a model without a version in service.
    let arms: [(arm: TrafficArm, shadow: TrafficArm?)?]
    /// The snapshot of the first source with a version: its catalogue names, filters and counts the answer's items.
    let leading: ServingSnapshot
    /// The requests to the versions, in the order of the sources that have one.
    let questions: [VersionQuestion]
}

extension RetrievalService {
    /// The sources of a request: its own, or those of the alias that it names; nil when one model answers it.
    func blend(of request: borrowing RetrievalRequest, in table: RoutingTable) -> SourceBlend? {
        if let sources = request.sources { return sources }
        guard request.version == nil else { return nil }
        guard let name = request.model else { return table.standard?.blend }
        return table.routes[name]?.blend
    }

    /// Finds the version of each source of a request.
    ///
    /// A source whose model has no version in service is left out, unless no source has one.
    ///
    /// - Throws: ``RetrievalError`` for a model that is not served, and for a request that breaks a bound.
    func question(
        _ request: borrowing RetrievalRequest,
        to blend: SourceBlend,
        in table: RoutingTable
    ) throws(RetrievalError) -> BlendedQuestion {
        try request.validate(within: limits)
        guard blend.quotas <= request.k else {
            let message = "fill \(blend.quotas) places by quotas, but k is \(request.k); ask for as many items."
            throw .invalidArgument(field: request.sources == nil ? "k" : "sources", message: message)
        }
        var arms: [(arm: TrafficArm, shadow: TrafficArm?)?] = []
        for (position, source) in blend.sources.enumerated() {
            guard let name = source.model else {
                arms.append(nil)
                continue
            }
            arms.append(try arm(of: name, at: request.sources == nil ? nil : position, for: request, in: table))
        }
        let used = arms.compactMap(\.self)
        guard let leading = used.first?.arm.snapshot else { throw .notReady }
        let longest = used.reduce(1) { max($0, $1.arm.snapshot.encoder.maxSteps) }
        if let steps = request.steps, steps > longest {
            throw .invalidArgument(field: "steps", message: (1...longest).requirement(got: steps))
        }
        let guided = used.map(\.arm.snapshot).filter { $0.encoder.guidanceSlots > 0 }
        // Without any rule-based guidance, the leading version's error is the answer.
        if let guidance = request.guidance {
            for snapshot in guided.isEmpty ? [leading] : guided { try guidance.check(for: snapshot) }
        }
        var single = copy request
        single.sources = nil
        single.rules = RetrievalRules()
        // All pages come from the same lists.
        single.k = max(blend.window, request.rules.offset == nil ? candidates(for: request) : limits.maxK)
        single.diversity = 0
        single.categoryPenalty = 0
        let questions = used.map { arm, shadow in
            var request = single
            request.steps = request.steps.map { min($0, arm.snapshot.encoder.maxSteps) }
            if arm.snapshot.encoder.guidanceSlots == 0 { request.guidance = nil }
            return VersionQuestion(request: request, arm: arm, shadow: shadow)
        }
        return BlendedQuestion(blend: blend, arms: arms, leading: leading, questions: questions)
    }

    /// The version of a source's model; nil when none is in service.
    ///
    /// `position` is the source's place in the request; nil when an alias names the sources. A missing model is then no
    /// error of the request, because only the operator can correct the alias.
    private func arm(
        of name: String,
        at position: Int?,
        for request: borrowing RetrievalRequest,
        in table: RoutingTable
    ) throws(RetrievalError) -> (arm: TrafficArm, shadow: TrafficArm?)? {
        do throws(RetrievalError) {
            let route = try table.route(to: name)
            guard let position, route.blend != nil else { return arm(on: route, for: request) }
            let message = "is '\(name)', which names several sources itself; name their models instead."
            throw .invalidArgument(field: "sources/\(position)/model", message: message)
        } catch {
            switch error {
            case .notReady, .modelsAbsent: return nil
            case .modelNotServed(let name, let served):
                guard let position else { return nil }
                throw .sourceNotServed(name, position: position, served: served)
            default: throw error
            }
        }
    }

    /// Fuses the answers of a request's sources.
    ///
    /// - Parameters:
    ///   - request: The request.
    ///   - question: Its sources and their versions.
    ///   - answers: The answers to its questions, in order.
    ///   - workspace: The calling thread's workspace.
    /// - Returns: The answer, with the leading version as its snapshot.
    /// - Throws: ``RetrievalError``; a source that failed is left out unless all failed.
    func fuse(
        _ request: borrowing RetrievalRequest,
        _ question: BlendedQuestion,
        _ answers: [Result<RetrievalResponse, RetrievalError>],
        _ workspace: RetrievalWorkspace
    ) throws(RetrievalError) -> RetrievalResponse {
        var responses: [RetrievalResponse?] = []
        var failure: RetrievalError?
        for answer in answers {
            do throws(RetrievalError) {
                responses.append(try answer.get())
            } catch {
                guard case .nonFiniteUserVector = error else { throw error }
                failure = error
                responses.append(nil)
            }
        }
        let answered = responses.compactMap(\.self)
        guard let first = answered.first else { throw failure ?? .notReady }
        let start = DispatchTime.now().uptimeNanoseconds
        let leading = question.leading
        let allowed = try leading.items(passing: request)
        workspace.begin(leading)
        let user = workspace.lookUp(request, in: leading, maxHistory: limits.maxHistory)
        workspace.fusing.begin(question.blend, bound: leading.identifiers.count)
        var sources: [FusedSources.Source] = []
        var next = responses.makeIterator()
        for (source, arm) in zip(question.blend.sources, question.arms) {
            guard let arm = arm?.arm else {
                let isPopular = source.model == nil
                let exclusions = workspace.exclusions(of: user)
                let count = question.questions[0].request.k
                let list = isPopular ? popular(count, in: leading, among: allowed, excluding: exclusions) : []
                workspace.fusing.append(source, takesPart: isPopular, list) { $0 }
                let version = isPopular ? VersionID(leading.model, leading.version) : nil
                sources.append(.init(name: source.name, version: version, status: isPopular ? .ok : .notReady))
                continue
            }
            let snapshot = arm.snapshot
            let response = next.next() ?? nil
            let status: FusedSources.Status =
                response.map { $0.fallback == nil ? .ok : .fallback } ?? .failed
            let isLeading = snapshot === leading
            let (own, common) = (snapshot.identifiers, leading.identifiers)
            let agrees = common.agrees(with: own)
            // Read once: each read of the live catalogue in the loop would copy it.
            let live = leading.live?.index
            workspace.fusing.append(source, takesPart: status == .ok, response?.items ?? []) { item in
                if isLeading { return item }
                let isSame = agrees && own.isOriginal(item)
                guard let number = isSame ? item : common.number(of: item, in: own),
                    allowed?.contains(number) != false, live?.contains(number) != false
                else { return nil }
                return number
            }
            let version = VersionID(snapshot.model, snapshot.version)
            sources.append(.init(name: source.name, version: version, status: status))
        }
        let predicts = answered.contains { $0.fallback == nil }
        let (items, reasons, effects) = try arrange(request, of: user, among: allowed, in: leading, predicts, workspace)
        var ranks: [Int32] = []
        workspace.fusing.rank(items, into: &ranks)
        return RetrievalResponse(
            snapshot: leading,
            items: items,
            fallback: predicts ? nil : .popular,
            unknownIDs: user.unknownIDs,
            reasons: reasons,
            effects: effects,
            truncated: items.count < request.k,
            isPartial: answered.contains(where: \.isPartial),
            seed: first.seed,
            steps: answered.reduce(0) { max($0, $1.steps) },
            candidates: answered.reduce(into: SearchedCandidates()) { sum, response in
                sum.scanned += response.candidates.scanned
                sum.rescored += response.candidates.rescored
            },
            exactReason: answered.lazy.compactMap(\.exactReason).first,
            times: answered.reduce(into: StageTimes()) { sum, response in
                sum.guidance += response.times.guidance
                sum.diffusion += response.times.diffusion
                sum.search += response.times.search
            }
            .adding(search: DispatchTime.now().uptimeNanoseconds - start),
            fused: FusedSources(sources: sources, ranks: ranks)
        )
    }

    /// Fuses the lists of a request's sources, and makes its answer by its rules or its re-ranking.
    private func arrange(
        _ request: borrowing RetrievalRequest,
        of user: RetrievalWorkspace.User,
        among allowed: ItemSet?,
        in leading: ServingSnapshot,
        _ predicts: Bool,
        _ workspace: RetrievalWorkspace
    ) throws(RetrievalError) -> (items: [Scored], reasons: [ItemReason], effects: RuleEffects?) {
        guard request.rules.isEmpty else {
            let list = workspace.fusing.rankAll(answering: request.k)
            let source = RankedItems(
                best: { count, set in Array(list.lazy.filter { set?.contains($0.id) != false }.prefix(count)) },
                keepsScores: false,
                allowed: allowed,
                bound: leading.identifiers.count
            )
            let excluded = workspace.exclusions(of: user)
            let (items, reasons, effects) = try applyRules(of: request, to: source, excluding: excluded, in: leading)
            return (items, reasons, effects)
        }
        workspace.fusing.fuse(candidates(for: request))
        var items = workspace.fusing.results
        if request.isReranked, predicts { rerank(&items, request, in: leading, workspace) }
        return (items, [], nil)
    }

    /// Whether a request to several sources takes so long that a worker thread should answer it.
    func isHeavy(_ request: borrowing RetrievalRequest, _ blend: SourceBlend, in table: RoutingTable) -> Bool {
        guard let question = try? question(request, to: blend, in: table) else { return false }
        let fused = question.questions.reduce(0) { $0 + $1.request.k }
        return fused > Self.heavyFusion || isRerankingHeavy(request) || isHeavy(request, on: question.leading)
            || question.questions.contains { isHeavy($0.request, on: $0.arm.snapshot) }
    }

    /// Event loops fuse up to this many items.
    private static let heavyFusion = 4096
}

extension StageTimes {
    fileprivate func adding(search: UInt64) -> StageTimes {
        var times = self
        times.search += search
        return times
    }
}
