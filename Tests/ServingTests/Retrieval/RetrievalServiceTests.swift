import CheckpointStore
import Dispatch
import Foundation
import Kernels
import Serving
import Synchronization
import TestSupport
import Testing
import VectorIndex

@Suite("RetrievalService") struct RetrievalServiceTests {
    let holder = RoutingHolder()
    let service: RetrievalService
    let encoder: MeanEncoder
    let checkpoint = makeCheckpoint(version: 1)

    init() throws {
        holder.publish(try testBuilder.build(checkpoint, generation: 1))
        service = RetrievalService(holder: holder, limits: RetrievalLimits(maxK: 100, maxHistory: 10))
        encoder = MeanEncoder(items: try #require(checkpoint.parameters["items"]))
    }

    private func ask(_ history: [String], _ change: (inout RetrievalRequest) -> Void = { _ in }) throws
        -> RetrievalResponse
    {
        var request = RetrievalRequest(history: history, k: 10)
        change(&request)
        return try service.retrieve(request, workspace: RetrievalWorkspace())
    }

    @Test("the answer matches the encoder and a scan of all items", arguments: [false, true])
    func matchesOracle(exact: Bool) throws {
        let response = try ask(["i1", "i2", "3"]) {
            $0.seed = 7
            $0.steps = 4
            $0.exact = exact
        }
        let user = encoder.userVector([1, 2, 3], seed: 7, steps: 4)
        let expected = ScanIndex(vectors: encoder.items).search(user.span, k: 10, effort: nil, excluding: [1, 2, 3])
        #expect(response.items == expected)
        #expect(response.snapshot.version == 1 && response.fallback == nil && !response.truncated)
        #expect(response.seed == 7 && response.steps == 4)
    }

    @Test("only the newest N known items reach the encoder, but all of the history is excluded")
    func keepsNewest() throws {
        let history = ["i7", "i8", "i10", "i11", "i13", "i14", "i16"]
        let response = try ask(history) {
            $0.k = 40
            $0.seed = 1
        }
        let user = encoder.userVector([10, 11, 13, 14, 16], seed: 1, steps: 20)
        let expected = ScanIndex(vectors: encoder.items)
            .search(user.span, k: 40, effort: nil, excluding: [7, 8, 10, 11, 13, 14, 16])
        #expect(response.items == expected)
        #expect(response.items.count == 33 && response.truncated)
    }

    @Test("unknown ids are ignored and counted")
    func countsUnknown() throws {
        let known = try ask(["i1", "i2"]) { $0.seed = 1 }
        let mixed = try ask(["nope", "i1", "", "i2", "i3"]) { $0.seed = 1 }
        #expect(mixed.unknownIDs == 3)
        #expect(mixed.items == known.items)
    }

    @Test("only the newest ids of a very long history count")
    func limitsHistory() throws {
        let response = try ask([String](repeating: "nope", count: 100) + ["i1"])
        #expect(response.unknownIDs == 9 && response.fallback == nil)
    }

    @Test("an empty or fully unknown history is answered by popularity", arguments: [[], ["nope"]])
    func fallsBack(history: [String]) throws {
        let response = try ask(history) {
            $0.k = 3
            $0.exclude = IdentifierList(["i38"])
        }
        #expect(response.items.map(\.id) == [39, 37, 36])
        #expect(response.items.allSatisfy { $0.score == 0 })
        #expect(response.fallback == .popular && response.unknownIDs == history.count)
    }

    @Test("the answer omits excluded ids, and the history unless it is allowed")
    func excludes() throws {
        let all = try ask(["i1"]) {
            $0.k = 40
            $0.excludeHistory = false
        }
        #expect(all.items.count == 40 && all.items.first?.id == 1 && !all.truncated)
        let some = try ask(["i1"]) {
            $0.k = 40
            $0.exclude = IdentifierList(["i2", "nope", "3"])
        }
        #expect(Set(some.items.map(\.id)) == Set(0..<40).subtracting([1, 2, 3]))
        #expect(some.truncated)
    }

    @Test("the answer contains only items that pass the filter, and all of them", arguments: [false, true])
    func filters(exact: Bool) throws {
        let all = try ask(["i1"]) { $0.k = 40 }
        for diversity in [0, 0.5] {
            let filtered = try ask(["i1"]) {
                $0.k = 13
                $0.filter = CategoryFilter(anyOf: ["Third", "Rare"], noneOf: ["Even"])
                $0.exclude = IdentifierList(["9"])
                $0.exact = exact
                $0.diversity = diversity
            }
            let expected = all.items.filter { ($0.id % 6 == 3 || $0.id == 7) && $0.id != 9 }
            #expect(filtered.items.sorted() == expected)
            #expect(filtered.truncated && filtered.seed == all.seed)
        }
        let enough = try ask(["i1"]) {
            $0.k = 19
            $0.filter = CategoryFilter(anyOf: ["Even"])
            $0.exact = exact
        }
        #expect(enough.items == Array(all.items.filter { $0.id % 2 == 0 }.prefix(19)) && !enough.truncated)
    }

    @Test("unknown categories match nothing and exclude nothing")
    func unknownCategories() throws {
        let none = try ask(["i1"]) { $0.filter = CategoryFilter(anyOf: ["nope"]) }
        #expect(none.items.isEmpty && none.truncated && none.fallback == nil)
        #expect(try ask(["i1"]) { $0.filter = CategoryFilter(noneOf: ["nope"]) }.items == ask(["i1"]).items)
    }

    @Test("popularity is filtered too, and keeps its order with any diversity")
    func filtersFallback() throws {
        let response = try ask([]) {
            $0.k = 3
            $0.filter = CategoryFilter(anyOf: ["Third"], noneOf: ["Even"])
            $0.exclude = IdentifierList(["33"])
            $0.diversity = 1
        }
        #expect(response.items.map(\.id) == [39, 27, 21] && !response.truncated)
        #expect(try ask([]) { $0.filter = CategoryFilter(anyOf: ["Rare"]) }.truncated)
    }

    @Test("diversity re-ranks the best 4 k and keeps their scores", arguments: [0.1, 0.5, 1])
    func diversifies(diversity: Double) throws {
        let k = 6
        let best = try ask(["i1", "i2"]) { $0.k = 4 * k }.items
        let diverse = try ask(["i1", "i2"]) {
            $0.k = k
            $0.diversity = diversity
        }
        let oracle = MaximalMarginalRelevance()
        let catalogue = checkpoint.catalogue
        oracle.rerank(
            best,
            keeping: k,
            diversity: Float(diversity),
            vectors: encoder.items,
            categories: ItemCategories(catalogue.categories, itemCount: 40, categoryCount: 3)
        )
        #expect(diverse.items == oracle.results && !diverse.truncated)
        #expect(Set(diverse.items.map(\.id)).isSubset(of: best.map(\.id)) && diverse.items.first == best.first)
    }

    @Test("a category penalty re-ranks the best 4 k and keeps their scores", arguments: [1e-6, 0.1, 2, 1e6])
    func penalisesCategories(penalty: Double) throws {
        let k = 6
        let best = try ask(["i1", "i2"]) { $0.k = 4 * k }.items
        let penalised = try ask(["i1", "i2"]) {
            $0.k = k
            $0.categoryPenalty = penalty
        }
        let categories = checkpoint.catalogue.categories
        let oracle = CategoryPenalty()
        oracle.rerank(
            best,
            keeping: k,
            penalty: penalty,
            categories: ItemCategories(categories, itemCount: 40, categoryCount: 3)
        )
        #expect(penalised.items == oracle.results && !penalised.truncated)
        let mains = Set(best.map { categories[Int($0.id)].first })
        if penalty == 2 {
            #expect(Set(penalised.items.prefix(mains.count).map { categories[Int($0.id)].first }) == mains)
        }
    }

    @Test("a category penalty outside 0...1000000 is rejected, and one together with a diversity")
    func refusesCategoryPenalty() {
        for penalty in [-0.001, -1e300, 1_000_000.001, 1e300, .infinity, .nan] {
            #expect(field { $0.categoryPenalty = penalty } == "category_penalty")
        }
        #expect(field { ($0.categoryPenalty, $0.diversity) = (0.1, 0.1) } == "category_penalty")
        #expect(field { $0.categoryPenalty = 1e6 } == nil)
    }

    @Test("a diversity that rounds to 0 in Float has no effect", arguments: [0, -0.0, 1e-300])
    func noDiversity(diversity: Double) throws {
        #expect(try ask(["i1"]) { $0.diversity = diversity }.items == ask(["i1"]).items)
    }

    @Test("diversity outside 0...1 is rejected", arguments: [-0.001, 1.001, 1e300, .infinity, .nan])
    func refusesDiversity(diversity: Double) {
        #expect(field { $0.diversity = diversity } == "diversity")
    }

    @Test("a smaller k gives the first items of a larger k, and workspaces do not matter")
    func isStable() throws {
        let workspace = RetrievalWorkspace()
        let many = try service.retrieve(RetrievalRequest(history: ["i1", "i4"], k: 30), workspace: workspace)
        _ = try service.retrieve(RetrievalRequest(history: ["i5"], k: 5), workspace: workspace)
        let few = try service.retrieve(RetrievalRequest(history: ["i1", "i4"], k: 10), workspace: workspace)
        let other = try ask(["i1", "i4"])
        #expect(Array(many.items.prefix(10)) == few.items)
        #expect(few.items == other.items)
        #expect(try ask(["i4", "i1"]).seed != other.seed)
    }

    @Test("an error names the field of a value out of range", arguments: [0, -1, 101, Int.max, Int.min])
    func refusesValues(value: Int) {
        #expect(field { $0.k = value } == "k")
        #expect(field { $0.steps = value } == "steps")
        #expect(field { $0.effort = value } == (value < 1 ? "ef" : nil))
    }

    private func field(_ change: (inout RetrievalRequest) -> Void) -> String? {
        do {
            _ = try ask(["i1"], change)
            return nil
        } catch {
            guard case .invalidArgument(let field, _)? = error as? RetrievalError else { return "\(error)" }
            return field
        }
    }

    @Test("an error names a model that is not served")
    func refusesModel() throws {
        #expect(throws: RetrievalError.modelNotServed("other", served: ["m"])) {
            try ask(["i1"]) { $0.model = "other" }
        }
        #expect(try ask(["i1"]) { $0.model = "m" }.items.count == 10)
    }

    @Test("without a snapshot there is no answer, not even by popularity")
    func refusesBeforeLoading() {
        let empty = RetrievalService(holder: RoutingHolder())
        #expect(throws: RetrievalError.notReady) {
            try empty.retrieve(RetrievalRequest(history: []), workspace: RetrievalWorkspace())
        }
    }

    @Test("a batch has the same answers as its requests alone, errors included")
    func batchEqualsSingles() throws {
        var requests = [["i1", "i2"], [], ["nope"], ["3", "i4", "i5", "i7", "i8", "i10"], ["i1"]].map {
            RetrievalRequest(history: $0, k: 10)
        }
        requests[3].samples = 3
        requests[4].k = 0
        requests.append(RetrievalRequest(history: ["i2"], k: 5))
        requests[5].steps = 2
        requests[5].exclude = IdentifierList(["i4"])
        let workspace = RetrievalWorkspace()
        for _ in 0..<2 {
            let answers = service.retrieve(requests, workspace: workspace)
            #expect(answers.count == requests.count)
            for (request, answer) in zip(requests, answers) {
                let alone = Result { () throws(RetrievalError) in
                    try service.retrieve(request, workspace: RetrievalWorkspace())
                }
                switch (answer, alone) {
                case (.success(let answer), .success(let alone)):
                    #expect(answer.items == alone.items && answer.unknownIDs == alone.unknownIDs)
                    #expect(answer.fallback == alone.fallback && answer.seed == alone.seed)
                    #expect(answer.steps == alone.steps && answer.truncated == alone.truncated)
                case (.failure(let answer), .failure(let alone)): #expect(answer == alone)
                default: Issue.record("\(answer) in a batch, \(alone) alone")
                }
            }
        }
        #expect(RetrievalService(holder: RoutingHolder()).retrieve(requests, workspace: workspace).count == 6)
    }

    @Test("merged samples hold each item once with its best score", arguments: [1, 2, 7])
    func mergesSamples(samples: Int) throws {
        let response = try ask(["i1", "i2"]) {
            $0.samples = samples
            $0.seed = 3
        }
        let index = ScanIndex(vectors: encoder.items)
        var best: [Int32: Float] = [:]
        for sample in 0..<samples {
            let user = encoder.userVector([1, 2], seed: 3, steps: 20, sample: sample)
            for found in index.search(user.span, k: 10, effort: nil, excluding: [1, 2]) {
                best[found.id] = max(best[found.id] ?? -2, found.score)
            }
        }
        let expected = best.map { Scored(id: $0.key, score: $0.value) }
            .sorted { ($1.score, $0.id) < ($0.score, $1.id) }
            .prefix(10)
        #expect(response.items == Array(expected))
    }

    @Test("more samples than the limit are rejected", arguments: [0, -1, 17])
    func limitsSamples(samples: Int) {
        #expect(throws: RetrievalError.self) { try ask(["i1"]) { $0.samples = samples } }
    }

    @Test("if the deadline passes during a batch, the computed requests are answered, and each other one gets an error")
    func answersBatchInPart() throws {
        let slow = makeTestBuilder { seed in if seed == 7 { Thread.sleep(forTimeInterval: 2.5) } }
        let routes = try ["a", "b"].map { name in
            let snapshot = try slow.build(checkpoint, generation: name == "a" ? 1 : 2)
            return (name, TrafficRoute(name: name, arms: [TrafficArm(snapshot)]))
        }
        holder.publish(RoutingTable(routes: Dictionary(uniqueKeysWithValues: routes), standard: "a", expected: []))
        let requests = ["a", "b", "a", "b"].map { model in
            var request = RetrievalRequest(history: ["i1"], k: 3)
            request.model = model
            request.seed = model == "b" ? 7 : 8
            return request
        }
        func outcomes(_ deadline: UInt64) -> [RetrievalError?] {
            service.retrieve(requests, until: deadline, workspace: RetrievalWorkspace()).map { result in
                if case .failure(let error) = result { error } else { nil }
            }
        }
        // The first version answers in microseconds; the second one needs longer than the deadline.
        let deadline = DispatchTime.now().uptimeNanoseconds + 2_000_000_000
        #expect(outcomes(deadline) == [nil, .deadlineExceeded, nil, .deadlineExceeded])
        #expect(outcomes(deadline) == [RetrievalError?](repeating: .deadlineExceeded, count: 4))
    }
}
