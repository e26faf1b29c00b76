import Dispatch
import Kernels
import VectorIndex

/// Answers one request from one consistent snapshot.
public struct RetrievalService: Sendable {
    /// The snapshots that answer requests.
    public let holder: RoutingHolder
    /// The bounds that a request must keep.
    public let limits: RetrievalLimits
    /// Checks some answers again, off the calling thread; nil checks none.
    private let sampler: AnswerSampler?

    /// A service over a holder.
    public init(holder: RoutingHolder, limits: RetrievalLimits = RetrievalLimits(), sampler: AnswerSampler? = nil) {
        self.holder = holder
        self.limits = limits
        self.sampler = sampler
    }

    /// Answers a request.
    ///
    /// The same request to the same version has the same answer. Without a seed, the noise derives from the history
    /// alone. So the first 10 of 50 items are the answer for `k = 10`, and `exact`, `exclude` and `filter` change
    /// nothing else. Only with a re-ranking, `k` also sets the number of candidates: the best `4 k` items.
    ///
    /// - Parameters:
    ///   - request: The request; only the newest `limits.maxHistory` ids of its history count.
    ///   - workspace: The calling thread's workspace.
    /// - Returns: At most `k` items, fewer only when `truncated`.
    /// - Throws: ``RetrievalError``.
    public func retrieve(
        _ request: borrowing RetrievalRequest,
        workspace: RetrievalWorkspace
    ) throws(RetrievalError) -> RetrievalResponse {
        let table = holder.current
        if let blend = blend(of: request, in: table) {
            let question = try question(request, to: blend, in: table)
            return try fuse(request, question, answer(question.questions, until: .max, workspace), workspace)
        }
        let (arm, shadow) = try arm(for: request, in: table)
        try check(request, for: arm.snapshot)
        let response = try retrieve(request, from: arm, workspace: workspace)
        sampler?.note(request, response, answeredBy: arm, shadow: shadow)
        return response
    }

    /// The version that answers a request, and the version that also computes it as shadow traffic.
    private func arm(
        for request: borrowing RetrievalRequest,
        in table: RoutingTable
    ) throws(RetrievalError) -> (arm: TrafficArm, shadow: TrafficArm?) {
        let route = try table.route(to: request.model)
        if let version = request.version {
            let model = request.model ?? route.name
            guard
                let arm = table.arm(of: model, version: version)
                    ?? route.arms.first(where: { $0.snapshot.version == version })
            else { throw .versionNotServed(model: model, version: version) }
            return (arm, nil)
        }
        return arm(on: route, for: request)
    }

    /// The version on a route that answers a request, and the version that also computes it as shadow traffic.
    func arm(on route: TrafficRoute, for request: borrowing RetrievalRequest) -> (arm: TrafficArm, shadow: TrafficArm?)
    {
        guard route.arms.count > 1 else { return (route.arms[0], nil) }
        let key = routingKey(request)
        let arm = route.arm(for: key)
        return (arm, route.shadow(for: key, answeredBy: arm))
    }

    /// Answers a checked request from one version.
    func retrieve(
        _ request: borrowing RetrievalRequest,
        from arm: TrafficArm,
        workspace: RetrievalWorkspace
    ) throws(RetrievalError) -> RetrievalResponse {
        let snapshot = arm.snapshot
        workspace.begin(snapshot)
        var user = prepare(request, for: snapshot, workspace)
        user.times.diffusion = workspace.generate(with: snapshot.encoder)
        return try answer(request, to: user, from: arm, workspace)
    }

    /// Answers several requests in order, with one pass through the reverse chain for each version.
    ///
    /// Each answer equals the one to the request alone, byte for byte. Requests are not computed after the deadline.
    ///
    /// - Parameters:
    ///   - requests: The requests.
    ///   - deadline: The time after which nobody waits for answers. Unit: nanoseconds of the system's uptime.
    ///   - workspace: The calling thread's workspace.
    /// - Returns: For each request its answer, or why it has none.
    public func retrieve(
        _ requests: [RetrievalRequest],
        until deadline: UInt64 = .max,
        workspace: RetrievalWorkspace
    ) -> [Result<RetrievalResponse, RetrievalError>] {
        let table = holder.current
        var questions: [VersionQuestion] = []
        let plans = requests.map { request in
            Result { () throws(RetrievalError) -> (blend: BlendedQuestion?, first: Int) in
                let first = questions.count
                if let blend = blend(of: request, in: table) {
                    let question = try question(request, to: blend, in: table)
                    questions += question.questions
                    return (question, first)
                }
                let (arm, shadow) = try arm(for: request, in: table)
                try check(request, for: arm.snapshot)
                questions.append(VersionQuestion(request: request, arm: arm, shadow: shadow))
                return (nil, first)
            }
        }
        let answers = answer(questions, until: deadline, workspace)
        return zip(requests, plans).map { request, plan in
            plan.flatMap { blend, first in
                guard let blend else { return answers[first] }
                let own = Array(answers[first..<first + blend.questions.count])
                return Result { () throws(RetrievalError) in try fuse(request, blend, own, workspace) }
            }
        }
    }

    /// Answers questions in order, with one pass through the reverse chain for each version.
    private func answer(
        _ questions: [VersionQuestion],
        until deadline: UInt64,
        _ workspace: RetrievalWorkspace
    ) -> [Result<RetrievalResponse, RetrievalError>] {
        var results = [Result<RetrievalResponse, RetrievalError>?](repeating: nil, count: questions.count)
        var groups: [(arm: TrafficArm, members: [Int])] = []
        for (position, question) in questions.enumerated() {
            if let group = groups.firstIndex(where: { $0.arm === question.arm }) {
                groups[group].members.append(position)
            } else {
                groups.append((question.arm, [position]))
            }
        }
        for (arm, members) in groups {
            let answers = retrieve(members.map { questions[$0].request }, from: arm, until: deadline, workspace)
            for (position, answer) in zip(members, answers) {
                results[position] = answer
                guard case .success(let response) = answer else { continue }
                let question = questions[position]
                sampler?.note(question.request, response, answeredBy: arm, shadow: question.shadow)
            }
        }
        return results.compactMap(\.self)
    }

    /// Answers several checked requests from one version.
    private func retrieve(
        _ requests: [RetrievalRequest],
        from arm: TrafficArm,
        until deadline: UInt64,
        _ workspace: RetrievalWorkspace
    ) -> [Result<RetrievalResponse, RetrievalError>] {
        let snapshot = arm.snapshot
        var isLate: Bool { DispatchTime.now().uptimeNanoseconds > deadline }
        workspace.begin(snapshot)
        let users = requests.map { request in
            Result { () throws(RetrievalError) in
                guard !isLate else { throw .deadlineExceeded }
                return prepare(request, for: snapshot, workspace)
            }
        }
        let duration = isLate ? 0 : workspace.generate(with: snapshot.encoder)
        let share = duration / UInt64(max(1, requests.count))
        return zip(requests, users).map { request, user in
            user.flatMap { user in
                var user = user
                user.times.diffusion = share
                return Result { () throws(RetrievalError) in
                    guard !isLate else { throw .deadlineExceeded }
                    return try answer(request, to: user, from: arm, workspace)
                }
            }
        }
    }

    /// The key that chooses the version of a split: the user if the request names one, else the history.
    private func routingKey(_ request: borrowing RetrievalRequest) -> UInt64 {
        if let user = request.user { return IdentifierList([user]).contentHash(newest: 1) }
        return request.history.contentHash(newest: limits.maxHistory)
    }

    /// Checks the numbers of a request to one version.
    func check(_ request: borrowing RetrievalRequest, for snapshot: ServingSnapshot) throws(RetrievalError) {
        try request.validate(within: limits)
        let longest = snapshot.encoder.maxSteps
        if let steps = request.steps, steps > longest {
            throw .invalidArgument(field: "steps", message: (1...longest).requirement(got: steps))
        }
        try request.guidance?.check(for: snapshot)
    }

    /// Looks up the items of a checked request and adds its user to the batch.
    func prepare(
        _ request: borrowing RetrievalRequest,
        for snapshot: ServingSnapshot,
        _ workspace: RetrievalWorkspace
    ) -> RetrievalWorkspace.User {
        let start = DispatchTime.now().uptimeNanoseconds
        var user = workspace.lookUp(request, in: snapshot, maxHistory: limits.maxHistory)
        user.seed = request.seed ?? request.history.contentHash(newest: limits.maxHistory)
        user.steps = request.steps ?? snapshot.encoder.defaultSteps
        workspace.addToBatch(&user, samples: request.samples, guidance: request.guidance, of: snapshot)
        user.times.guidance = DispatchTime.now().uptimeNanoseconds - start
        return user
    }

    /// Finds the items for a user whose vectors are computed.
    private func answer(
        _ request: borrowing RetrievalRequest,
        to user: RetrievalWorkspace.User,
        from arm: TrafficArm,
        _ workspace: RetrievalWorkspace
    ) throws(RetrievalError) -> RetrievalResponse {
        let snapshot = arm.snapshot
        let start = DispatchTime.now().uptimeNanoseconds
        workspace.beginAnswer()
        let allowed = try snapshot.items(passing: request)
        let excluded = workspace.exclusions(of: user)
        if !user.vectors.isEmpty, !workspace.areUsable(user.vectors, of: snapshot) {
            arm.statistics.countFailure()
            throw .nonFiniteUserVector(model: snapshot.model, version: snapshot.version)
        }
        var items: [Scored]
        var reasons: [ItemReason] = []
        var effects: RuleEffects?
        if !request.rules.isEmpty {
            let copy = copy request
            let source = RankedItems(
                best: { count, set in
                    ranked(count, for: copy, of: user, among: set ?? allowed, excluding: excluded, snapshot, workspace)
                },
                keepsScores: !user.vectors.isEmpty,
                allowed: allowed,
                bound: snapshot.identifiers.count
            )
            (items, reasons, effects) = try applyRules(of: request, to: source, excluding: excluded, in: snapshot)
        } else if request.isReranked, !user.vectors.isEmpty {
            let count = candidates(for: request)
            items = ranked(count, for: request, of: user, among: allowed, excluding: excluded, snapshot, workspace)
            rerank(&items, request, in: snapshot, workspace)
        } else {
            let count = request.k
            items = ranked(count, for: request, of: user, among: allowed, excluding: excluded, snapshot, workspace)
        }
        let isPartial = try workspace.requireReached()
        var times = user.times
        times.search = DispatchTime.now().uptimeNanoseconds - start
        arm.statistics.answered(in: times)
        return RetrievalResponse(
            snapshot: snapshot,
            items: items,
            fallback: user.vectors.isEmpty ? .popular : nil,
            unknownIDs: user.unknownIDs,
            reasons: reasons,
            effects: effects,
            truncated: items.count < request.k,
            isPartial: isPartial,
            seed: user.seed,
            steps: user.steps,
            candidates: user.vectors.isEmpty ? SearchedCandidates() : workspace.candidates,
            exactReason: user.vectors.isEmpty ? nil : exactReason(request, workspace),
            times: times
        )
    }
}
