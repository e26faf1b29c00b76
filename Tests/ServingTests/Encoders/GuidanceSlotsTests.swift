import CheckpointStore
import Kernels
import Recommenders
import Serving
import TestSupport
import Testing
import VectorIndex

@Suite("Slots of rule-based guidance") struct GuidanceSlotsTests {
    private static let items = 40
    private static let dimension = 24
    private static let interests = 4

    private func configuration(_ change: (inout DimeRecConfiguration) -> Void = { _ in }) -> DimeRecConfiguration {
        var configuration = DimeRecConfiguration()
        configuration.dimension = Self.dimension
        configuration.historyLength = 9
        configuration.interests = Self.interests
        configuration.steps = 6
        configuration.denoiser.hidden = 50
        configuration.guidance.kind = .ruleBased
        change(&configuration)
        return configuration
    }

    private func slots(exploring: Int = 0, popular: Int = 0, historyPopular: Int = 0) -> GuidanceSlots {
        var slots = GuidanceSlots()
        (slots.exploring, slots.popular, slots.historyPopular) = (exploring, popular, historyPopular)
        return slots
    }

    /// A snapshot of a fresh model; its popularity list runs from item 39 to item 0.
    private func snapshot(_ configuration: DimeRecConfiguration, generation: UInt64 = 1) throws -> ServingSnapshot {
        let model = DimeRec(configuration, items: Self.items, seed: 5)
        let weights = model.inferenceWeights()
        return try SnapshotBuilder(
            warmUpRequests: 1,
            makeModel: { _ in ServedModel(encoder: InferenceEngine(weights), itemVectors: weights.items) },
            makeIndex: { _, vectors in try FlatIndex(vectors: vectors) },
            makeExactIndex: { try FlatIndex(vectors: $0) }
        ).build(makeCheckpoint(version: 1, items: Self.items, dimension: Self.dimension), generation: generation)
    }

    private func service(_ snapshots: [String: ServingSnapshot]) -> RetrievalService {
        let routes = snapshots.map { name, snapshot in
            (name, TrafficRoute(name: name, arms: [TrafficArm(snapshot)]))
        }
        let table = RoutingTable(routes: Dictionary(uniqueKeysWithValues: routes), standard: "m", expected: [])
        return RetrievalService(holder: RoutingHolder(table))
    }

    private func request(_ numbers: [Int32], _ guidance: GuidanceSlots?) -> RetrievalRequest {
        var request = RetrievalRequest(history: numbers.map { $0 % 3 == 0 ? "\($0)" : "i\($0)" }, k: 10)
        request.guidance = guidance
        request.seed = 7
        return request
    }

    /// The interests of a request as item numbers; -1 for a zero row.
    private func guides(_ request: RetrievalRequest, of service: RetrievalService) throws -> [Int] {
        let embedding = try service.embed(request, workspace: RetrievalWorkspace())
        return (0..<embedding.interests.rows).map { row in
            let interest = embedding.interests.row(row)
            if interest.allSatisfy({ $0 == 0 }) { return -1 }
            return (0..<Self.items).first { item in
                zip(embedding.snapshot.itemVectors.row(item), interest).allSatisfy { abs($0 - $1) < 1e-5 }
            } ?? -2
        }
    }

    @Test("each rule fills its slots, the newest items keep the last ones, and empty slots are zero")
    func fills() throws {
        let service = service(["m": try snapshot(configuration())])
        func guides(_ history: [Int32], _ slots: GuidanceSlots?) throws -> [Int] {
            try self.guides(request(history, slots), of: service)
        }
        let history: [Int32] = [31, 4, 39, 12, 5]
        #expect(try guides(history, nil) == [4, 39, 12, 5])
        #expect(try guides(history, slots()) == [4, 39, 12, 5])
        #expect(try guides(history, slots(popular: 2)) == [38, 37, 12, 5])
        #expect(try guides(history, slots(historyPopular: 1)) == [39, 39, 12, 5])
        #expect(try guides(history, slots(popular: 1, historyPopular: 2)) == [38, 39, 31, 5])
        #expect(try guides(history, slots(historyPopular: 4)) == [39, 31, 12, 5])
        #expect(try guides([7], slots(popular: 1, historyPopular: 2)) == [39, -1, 7, 7])
        #expect(try guides([7, 8], slots(popular: 1)) == [39, -1, 7, 8])
    }

    @Test("a trace names the rule of each slot, and its item is the guiding vector")
    func traces() throws {
        let service = service(["m": try snapshot(configuration())])
        typealias Rule = FilledSlot.Rule
        let cases: [(history: [Int32], slots: GuidanceSlots?, rules: [Rule])] = [
            ([31, 4, 39, 12, 5], nil, [.newest, .newest, .newest, .newest]),
            ([7], nil, [.newest, .newest, .newest, .newest]),
            ([31, 4, 39, 12, 5], slots(exploring: 1, popular: 2), [.exploring, .popular, .popular, .newest]),
            ([7], slots(popular: 1, historyPopular: 2), [.popular, .historyPopular, .historyPopular, .newest]),
        ]
        for (history, slots, rules) in cases {
            let request = request(history, slots)
            let trace = try service.trace(request)
            #expect(trace.slots.map(\.rule) == rules)
            #expect(trace.slots.map { $0.item.map(Int.init) ?? -1 } == (try guides(request, of: service)))
        }
        let learnt = self.service(["m": try snapshot(configuration { $0.guidance.kind = .selfAttentive })])
        #expect(try learnt.trace(request([7], nil)).slots.isEmpty)
    }

    @Test(
        "exploration takes the nearest of the less popular half, other items for other seeds, and none of the history"
    )
    func explores() throws {
        let snapshot = try snapshot(configuration())
        let service = service(["m": snapshot])
        var chosen: [Int: Int] = [:]
        for seed in 0..<60 as Range<UInt64> {
            var request = request([31, 3, 5], slots(exploring: 2))
            request.seed = seed
            let guides = try guides(request, of: service)
            #expect(guides.suffix(2) == [3, 5] && guides[0] != guides[1])
            #expect(guides.prefix(2).allSatisfy { (0..<20).contains($0) && $0 != 3 && $0 != 5 })
            #expect(try self.guides(request, of: service) == guides)
            for guide in guides.prefix(2) { chosen[guide, default: 0] += 1 }
        }
        // 64 draws of 20 items nearly always contain the two that are nearest to the newest item.
        let nearest = (0..<20).filter { $0 != 3 && $0 != 5 }
            .sorted { left, right in
                let scores = snapshot.itemVectors.scores(of: snapshot.itemVectors.row(5))
                return scores[left] > scores[right]
            }
        #expect(nearest.prefix(2).allSatisfy { chosen[$0, default: 0] > 40 } && chosen.count > 2)
    }

    @Test("a removed item guides no one, and an item that was added later counts as the one it is like")
    func followsChanges() throws {
        let built = try snapshot(configuration())
        let removed = [39, 37].map {
            ItemChange(model: "m", item: $0 % 3 == 0 ? "\($0)" : "i\($0)", version: 1, content: nil)
        }
        let added = try built.completed(ItemChange(model: "m", item: "new", version: 1, content: .init(like: ["i31"])))
        let service = service(["m": built.applying(removed + [added]).snapshot])
        var request = request([4, 5], slots(popular: 2, historyPopular: 1))
        request.history.append("new")
        #expect(try guides(request, of: service) == [38, 36, 31, 31])
    }

    @Test("answers are those of a history of the slots' items, in batches, with the recipe's slots and in the trace")
    func answers() throws {
        let plain = service(["m": try snapshot(configuration())])
        let byRecipe = service(["m": try snapshot(configuration { $0.guidance.slots = self.slots(popular: 2) })])
        let workspace = RetrievalWorkspace()
        var expected = request([38, 37, 12, 5], nil)
        expected.excludeHistory = false
        var asked = request([31, 4, 39, 12, 5], slots(popular: 2))
        asked.excludeHistory = false
        var byDefault = asked
        byDefault.guidance = nil
        let items = try plain.retrieve(expected, workspace: workspace).items
        #expect(try plain.retrieve(asked, workspace: workspace).items == items)
        #expect(try byRecipe.retrieve(byDefault, workspace: workspace).items == items)
        // A request's rules replace those of the recipe.
        var newest = byDefault
        newest.guidance = slots()
        let other = try plain.retrieve(byDefault, workspace: workspace).items
        #expect(other != items)
        #expect(try byRecipe.retrieve(newest, workspace: workspace).items == other)
        let batch = plain.retrieve([asked, byDefault, expected], workspace: workspace)
        #expect(try batch.map { try $0.get().items } == [items, other, items])
        let trace = try plain.trace(asked)
        #expect(trace.response.items == items)
        #expect(try trace.user?.interests == plain.embed(asked, workspace: workspace).interests)
        // A fallback needs no guidance.
        #expect(try plain.retrieve(request([], slots(popular: 1)), workspace: workspace).fallback == .popular)
    }

    @Test("the denoiser's recent items stay those of the history")
    func keepsRecentItems() throws {
        let engine = InferenceEngine(
            DimeRec(configuration { $0.denoiser.recentItems = 2 }, items: Self.items, seed: 5).inferenceWeights()
        )
        func vector(_ history: [Int32], _ slots: [Int32]) -> [Float] {
            let workspace = engine.makeWorkspace()
            engine.add(history: history[...], slots: slots, seed: 3, steps: 6, samples: 1, to: workspace)
            engine.generate(in: workspace)
            return workspace.userVectors
        }
        #expect(vector([1, 2, 8, 9], [3, 4, 8, 9]) == vector([3, 4, 8, 9], []))
        #expect(vector([1, 2, 8, 9], [3, 4, 5, 6]) != vector([3, 4, 5, 6], []))
    }

    @Test("a model without slots, or with fewer, refuses the rules with their place, also among several sources")
    func refuses() throws {
        let learned = try snapshot(configuration { $0.guidance.kind = .selfAttentive }, generation: 2)
        let service = service(["m": try snapshot(configuration()), "learned": learned])
        let workspace = RetrievalWorkspace()
        func message(_ request: RetrievalRequest) -> String? {
            do throws(RetrievalError) {
                _ = try service.retrieve(request, workspace: workspace)
                return nil
            } catch {
                guard case .invalidArgument("guidance", let message) = error else { return "\(error)" }
                return message
            }
        }
        #expect(
            message(request([1], slots(exploring: 3, popular: 2)))?.contains(
                "fills 5 slots, but version 1 of 'm' has 4"
            ) == true
        )
        var wrong = request([1], slots())
        wrong.model = "learned"
        #expect(message(wrong)?.contains("rule-based") == true)
        wrong.model = nil
        wrong.sources = SourceBlend([.init(model: "learned")])
        #expect(message(wrong)?.contains("rule-based") == true)
        // A blend gives the rules to the sources that have slots.
        var merged = request([31, 4, 39, 12, 5], slots(popular: 2))
        merged.sources = SourceBlend([.init(model: "learned"), .init(model: "m")])
        #expect(message(merged) == nil)
        let fused = try service.retrieve(merged, workspace: workspace).items
        merged.guidance = nil
        #expect(try service.retrieve(merged, workspace: workspace).items != fused)
    }
}
