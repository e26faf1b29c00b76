import CheckpointStore
import Kernels
import Serving
import TestSupport
import Testing
import VectorIndex

@Suite("RetrievalService") struct RetrievalServiceTests {
    let holder = SnapshotHolder()
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

    @Test("answers what the encoder and a scan of all items say", arguments: [false, true])
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

    @Test("only the newest ids of a very long history are looked at")
    func limitsHistory() throws {
        let response = try ask([String](repeating: "nope", count: 100) + ["i1"])
        #expect(response.unknownIDs == 9 && response.fallback == nil)
    }

    @Test("an empty or wholly unknown history is answered by popularity", arguments: [[], ["nope"]])
    func fallsBack(history: [String]) throws {
        let response = try ask(history) {
            $0.k = 3
            $0.exclude = IdentifierList(["i38"])
        }
        #expect(response.items.map(\.id) == [39, 37, 36])
        #expect(response.items.allSatisfy { $0.score == 0 })
        #expect(response.fallback == .popular && response.unknownIDs == history.count)
    }

    @Test("history and excluded ids are not answered, unless the history may be")
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

    @Test("fewer answers are the first of more answers, and workspaces do not matter")
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

    @Test("values out of range name their field", arguments: [0, -1, 101, Int.max, Int.min])
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

    @Test("a model that is not served is named")
    func refusesModel() throws {
        #expect(throws: RetrievalError.modelNotServed("other", served: "m")) { try ask(["i1"]) { $0.model = "other" } }
        #expect(try ask(["i1"]) { $0.model = "m" }.items.count == 10)
    }

    @Test("without a snapshot nothing is answered, not even popularity")
    func refusesBeforeLoading() {
        let empty = RetrievalService(holder: SnapshotHolder())
        #expect(throws: RetrievalError.notReady) {
            try empty.retrieve(RetrievalRequest(history: []), workspace: RetrievalWorkspace())
        }
    }
}
