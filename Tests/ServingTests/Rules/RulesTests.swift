import CheckpointStore
import Kernels
import Serving
import TestSupport
import Testing

@Suite("Rules") struct RulesTests {
    private let service: RetrievalService
    private let workspace = RetrievalWorkspace()

    init() throws { service = Self.service(try testBuilder.build(makeCheckpoint(version: 1), generation: 1)) }

    private static func service(_ snapshot: ServingSnapshot) -> RetrievalService {
        let holder = RoutingHolder()
        holder.publish(snapshot)
        return RetrievalService(holder: holder)
    }

    private func answer(_ change: (inout RetrievalRequest) -> Void) throws -> RetrievalResponse {
        var request = RetrievalRequest(history: ["i1", "i2"], k: 10)
        request.explain = true
        change(&request)
        return try service.retrieve(request, workspace: workspace)
    }

    private static let everything = ItemFilter(.init())

    @Test("a promoted item says what its score was before, and which boost it got")
    func explains() throws {
        let plain = try answer { _ in }
        #expect(plain.reasons.isEmpty)
        let last = plain.items[9]
        let id = plain.snapshot.identifiers.id(last.id)
        let boosted = try answer { request in
            request.rules.boosts = [
                .init(Self.everything, .add(0)), .init(ItemFilter(.init(must: [.ids([id])])), .add(5)),
            ]
        }
        #expect(boosted.items[0] == Scored(id: last.id, score: last.score + 5))
        let reason = boosted.reasons[0]
        #expect(reason.base == last.score && reason.boosts == [0, 1] && reason.position == .score)
        #expect(boosted.reasons[1].boosts == [0])
        #expect(boosted.items.dropFirst().map(\.id) == plain.items.dropLast().map(\.id))
    }

    @Test("the largest factors, with pages and groups, read the whole list and no further", arguments: [true, false])
    func largestFactors(hasHistory: Bool) throws {
        let plain = try answer { request in
            if !hasHistory { request.history = IdentifierList([]) }
        }
        let boosted = try answer { request in
            if !hasHistory { request.history = IdentifierList([]) }
            request.rules.boosts = Array(repeating: .init(Self.everything, .rankFactor(100)), count: 8)
            request.rules.offset = 0
            request.rules.groupLimit = .init("categories", limit: 1000)
        }
        #expect(boosted.items.map(\.id) == plain.items.map(\.id))
    }

    @Test("a pin that is excluded, filtered out or unknown leaves its position to the others")
    func skipsPins() throws {
        let plain = try answer { _ in }.items
        let same = try answer { request in
            request.exclude.append("i5")
            request.rules.pins = [.init("i1", at: 1), .init("i5", at: 2), .init("nope", at: 3)]
        }
        #expect(same.items.map(\.id) == (try answer { $0.exclude.append("i5") }).items.map(\.id))
        let pinned = try answer { $0.rules.pins = [.init("39", at: 4)] }
        #expect(pinned.items[3].id == 39 && pinned.reasons[3].position == .pin)
        #expect(pinned.items.filter { $0.id != 39 }.map(\.id) == plain.filter { $0.id != 39 }.prefix(9).map(\.id))
    }

    @Test(
        "rules that do not suit the version or each other are refused with their place",
        arguments: [
            (made { $0.rules.groupLimit = .init("prize", limit: 1) }, "group_by/key", "'prize' is no attribute"),
            (made { $0.rules.groupLimit = .init("price", limit: 1) }, "group_by/key", "of type number; name a keyword"),
            (made { $0.rules.groupLimit = .init("brand", limit: 0) }, "group_by/limit", "from 1 to 1000; got 0"),
            (made { $0.rules.calibration = "stock" }, "calibrate/key", "of type boolean"),
            (
                made { $0.rules.newShare = .init("price", share: 1, since: .number(0)) }, "min_new/key",
                "name an attribute of type time"
            ),
            (
                made { $0.rules.newShare = .init("released", share: 1, since: .text("x")) }, "min_new/since",
                "'x' is no time"
            ),
            (
                made { $0.rules.boosts = [.init(everything, .add(1)), wrong] }, "boosts/1/filter/must/0/key",
                "'x' is no"
            ),
            (made { $0.rules.offset = 991 }, "offset", "from 0 to 990; got 991"),
            (
                made { $0.rules.pins = [.init("i3", at: 1), .init("i4", at: 1)] }, "pins/1/position",
                "has a pin already"
            ),
            (made { $0.rules.pins = [.init("i3", at: 1), .init("i3", at: 2)] }, "pins/1/id", "is pinned already"),
            (made { $0.rules.pins = [.init("i3", at: 1001)] }, "pins/0/position", "from 1 to 1000"),
            (made { ($0.rules.offset, $0.diversity) = (0, 0.5) }, "diversity", "cannot be combined with rules"),
        ] as [(RetrievalRequest, String, String)]
    )
    func refuses(request: RetrievalRequest, field: String, message: String) throws {
        do throws(RetrievalError) {
            _ = try service.retrieve(request, workspace: workspace)
            Issue.record("the rules were accepted")
        } catch {
            guard case .invalidArgument(field, let found) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(found.contains(message), "\(found)")
        }
    }

    private static let wrong = RetrievalRules.Boost(ItemFilter(.init(must: [.attribute("x", .exists(true))])), .add(1))

    private static func made(_ change: (inout RetrievalRequest) -> Void) -> RetrievalRequest {
        var request = RetrievalRequest(history: ["i1"], k: 10)
        change(&request)
        return request
    }

    @Test("items that a full group kept out are counted up to the end of the page")
    func countsCrowdedOut() throws {
        let plain = try answer { $0.k = 40 }.items.map(\.id)
        let limited = try answer { request in
            request.k = 3
            request.rules.groupLimit = .init("brand", limit: 1)
        }
        // Each item but the eighth has one of three brands.
        let last = try #require(limited.items.last.flatMap { plain.firstIndex(of: $0.id) })
        #expect(limited.effects?[.crowdedOut] == last + 1 - limited.items.count)
        #expect(last >= limited.items.count)
        #expect(try answer { _ in }.effects == nil)
    }

    @Test("a batch answers rules as single requests do")
    func batches() throws {
        var requests: [RetrievalRequest] = []
        for limit in 1...4 {
            var request = RetrievalRequest(history: ["i\(limit)"], k: 12)
            request.rules.groupLimit = .init("brand", limit: limit)
            requests.append(request)
        }
        let answers = service.retrieve(requests, workspace: workspace)
        for (limit, (request, answer)) in zip(requests, answers).enumerated() {
            let alone = try service.retrieve(request, workspace: workspace)
            #expect(try answer.get().items == alone.items && alone.items.count == min(12, 3 * (limit + 1) + 1))
        }
    }
}
