import CheckpointStore
import Kernels
import Serving
import Synchronization
import TestSupport
import Testing

@Suite("Routing") struct RoutingTests: RoutedModel {
    let source = MemorySource([1, 2, 3], active: 1)
    let holder = RoutingHolder()
    let sampler = AnswerSampler(recallSample: 1)
    let workspace = RetrievalWorkspace()

    @Test("a service that is told to serve a model the store lacks says which models there are")
    func namesAbsentModels() async throws {
        let controller = makeController(["nope"])
        await controller.poll()
        let absent = AbsentModels(names: ["nope"], available: ["m"])
        #expect(!holder.current.isReady)
        for name in [nil, "nope"] {
            #expect(throws: RetrievalError.modelsAbsent(absent)) { try holder.current.route(to: name) }
        }
        #expect(absent.description.contains("'nope'") && absent.description.contains("'m'"))
        _ = try source.setAlias(Alias(name: "nope", model: "m"), ifRevision: nil)
        await controller.poll()
        #expect(try holder.current.route(to: nil).arms[0].snapshot.version == 1)
    }

    @Test(
        "versions of a split get their percentages of the users, and a user stays with one version",
        arguments: [0, 5, 30, 50, 100.0]
    )
    func splits(percent: Double) async throws {
        let controller = makeController()
        await controller.poll()
        _ = try await controller.setAlias(split([(1, 100 - percent), (2, percent)]), ifRevision: nil)
        let users = 4000
        let versions = try (0..<users).map { try version(user: "u\($0)") }
        let share = Double(versions.count { $0 == 2 }) / Double(users)
        // Four standard deviations of a binomial share.
        #expect(abs(share - percent / 100) <= 4 * (percent / 100 * (1 - percent / 100) / Double(users)).squareRoot())
        #expect(try (0..<100).map { try version(user: "u\($0)") } == Array(versions.prefix(100)))
    }

    @Test("a larger percentage for the second version moves users to it and none away")
    func growsMonotonously() async throws {
        let controller = makeController()
        await controller.poll()
        var moved: Set<Int> = []
        for percent in [0, 1, 5, 20, 60, 100.0] {
            _ = try await controller.setAlias(split([(1, 100 - percent), (2, percent)]), ifRevision: nil)
            let users = Set(try (0..<500).filter { try version(user: "u\($0)") == 2 })
            #expect(moved.isSubset(of: users))
            moved = users
        }
        #expect(moved.count == 500)
    }

    @Test("without a user the history decides, and a batch is routed like its single requests")
    func splitsByContent() async throws {
        let controller = makeController()
        await controller.poll()
        _ = try await controller.setAlias(split([(1, 50), (2, 50)]), ifRevision: nil)
        let requests = (0..<40).map { item in
            var request = RetrievalRequest(history: ["i1", "\(item)", "i\(item)"], k: 3)
            request.model = "stable"
            return request
        }
        let single = try requests.map { try service.retrieve($0, workspace: workspace) }
        let batch = try service.retrieve(requests, workspace: workspace).map { try $0.get() }
        #expect(Set(single.map(\.snapshot.version)) == [1, 2])
        #expect(batch.map(\.snapshot.version) == single.map(\.snapshot.version))
        #expect(batch.map(\.items) == single.map(\.items))
    }

    @Test("an alias that names no version follows the active one")
    func followsActive() async throws {
        let controller = makeController(["stable"])
        source.state.withLock { $0.aliases["stable"] = Alias(name: "stable", model: "m", revision: 1) }
        await controller.poll()
        #expect(try version(user: "u") == 1)
        #expect(try await controller.activate(model: "m", version: 3, wait: true))
        #expect(try version(user: "u") == 3)
        #expect(try service.retrieve(RetrievalRequest(history: ["i1"]), workspace: workspace).snapshot.version == 3)
    }

    @Test("an alias in MODEL can be created later, and answers at once")
    func makesServedAlias() async throws {
        let controller = makeController(["stable"])
        await controller.poll()
        #expect(!holder.current.isReady)
        _ = try await controller.setAlias(Alias(name: "stable", model: "m"), ifRevision: 0)
        #expect(try service.retrieve(RetrievalRequest(history: ["i1"]), workspace: workspace).snapshot.version == 1)
        #expect(try version(user: "u") == 1 && holder.current.isReady)
        await #expect(throws: ServingError.modelNotServed("x", served: ["m"])) {
            try await controller.setAlias(Alias(name: "other", model: "x"), ifRevision: nil)
        }
    }

    @Test("changes and removals of an alias by another process are followed")
    func followsStore() async throws {
        let controller = makeController()
        await controller.poll()
        _ = try source.setAlias(split([(2, 100)]), ifRevision: 0)
        await controller.poll()
        #expect(try version(user: "u") == 2)
        _ = try source.setAlias(split([(3, 100)]), ifRevision: 1)
        await controller.poll()
        #expect(try version(user: "u") == 3)
        try source.removeAlias("stable", ifRevision: nil)
        await controller.poll()
        #expect(throws: RetrievalError.modelNotServed("stable", served: ["m"])) { try version(user: "u") }
    }

    @Test("a bad version of a split does not change the alias; after a restart the good ones answer")
    func keepsGoodSplit() async throws {
        source.state.withLock { $0.damaged = [3] }
        let controller = makeController()
        await controller.poll()
        _ = try await controller.setAlias(split([(2, 100)]), ifRevision: nil)
        await #expect(throws: ServingError.rejected(VersionID("m", 3), reason: "damaged")) {
            try await controller.setAlias(split([(3, 50), (2, 50)]), ifRevision: nil)
        }
        #expect(source.aliases().map(\.split) == [[Alias.Share(version: 2, percent: 100)]])
        _ = try source.setAlias(split([(3, 50), (2, 50)]), ifRevision: nil)
        await controller.poll()
        #expect(try (0..<20).map { try version(user: "\($0)") } == [Int](repeating: 2, count: 20))
        let restarted = makeController()
        await restarted.poll()
        #expect(try (0..<20).map { try version(user: "\($0)") } == [Int](repeating: 2, count: 20))
    }

    @Test("a split over inactive versions loads all of them, by call and by poll")
    func bringsInSplit() async throws {
        let controller = makeController()
        await controller.poll()
        _ = try await controller.setAlias(split([(2, 50), (3, 50)]), ifRevision: nil)
        #expect(Set(try (0..<50).map { try version(user: "\($0)") }) == [2, 3])
        let restarted = makeController(["stable"])
        await restarted.poll()
        #expect(Set(try (0..<50).map { try version(user: "\($0)") }) == [2, 3])
        await restarted.poll()
        #expect(restarted.isResident(2, model: "m") && restarted.isResident(3, model: "m"))
        // No version of the model itself is in service here, but its items can still be changed.
        let change = try await restarted.changeItem("new", to: ItemChange.Content(like: ["i1"]), model: nil)
        #expect(change.version == 3)
        for user in 0..<20 {
            var request = RetrievalRequest(history: ["i1"], k: 40)
            request.user = "\(user)"
            let response = try service.retrieve(request, workspace: workspace)
            #expect(response.items.contains { response.snapshot.identifiers.id($0.id) == "new" })
        }
    }

    @Test("an alias is changed only at the revision that the caller knows")
    func comparesRevisions() async throws {
        let controller = makeController()
        await controller.poll()
        let first = try await controller.setAlias(split([(1, 100)]), ifRevision: 0)
        await #expect(throws: ServingError.aliasChanged(name: "stable", revision: first.revision)) {
            try await controller.setAlias(split([(2, 100)]), ifRevision: 0)
        }
        #expect(try version(user: "u") == 1)
        _ = try await controller.setAlias(split([(2, 100)]), ifRevision: first.revision)
        #expect(try version(user: "u") == 2)
    }

    @Test("with several names a request must name one, unless one is the default")
    func needsName() throws {
        let snapshot = try testBuilder.build(makeCheckpoint(version: 1), generation: 1)
        let routes = ["a": TrafficRoute(name: "a", arms: [TrafficArm(snapshot)])]
        let table = RoutingTable(routes: routes, standard: nil, expected: [])
        #expect(throws: RetrievalError.modelNotNamed(served: ["a"])) { try table.route(to: nil) }
        #expect(throws: RetrievalError.modelNotServed("b", served: ["a"])) { try table.route(to: "b") }
        let begun = RoutingTable(routes: routes, standard: nil, expected: ["b"], isSettled: false)
        #expect(!begun.isReady)
        // After a restart, the model in front is ready before the aliases are read.
        let front = RoutingTable(routes: routes, standard: "a", expected: [], isSettled: false)
        #expect(front.isReady)
        #expect(throws: RetrievalError.notReady) { try front.route(to: "stable") }
        let partial = RoutingTable(routes: routes, standard: nil, expected: ["b"])
        #expect(partial.isReady, "a model that cannot be served does not block the others")
        #expect(throws: RetrievalError.notReady) { try partial.route(to: "b") }
        let waiting = RoutingTable(routes: routes, standard: "b", expected: ["b"])
        #expect(throws: RetrievalError.notReady) { try waiting.route(to: nil) }
        #expect(throws: RetrievalError.notReady) { try waiting.route(to: "b") }
        #expect(!waiting.isReady && table.isReady)
    }

    @Test("a second model in the store does not affect requests without a model; after a restart they must name one")
    func keepsStandard() async throws {
        let controller = makeController()
        await controller.poll()
        source.state.withLock { $0.otherModels = ["other"] }
        await controller.poll()
        #expect(try service.retrieve(RetrievalRequest(history: ["i1"]), workspace: workspace).snapshot.version == 1)
        #expect(throws: RetrievalError.notReady) { try version(user: "u", model: "other") }
        let restarted = makeController()
        await restarted.poll()
        #expect(holder.current.isReady && holder.current.standard == nil)
        #expect(try version(user: "u", model: "m") == 1)
        #expect(throws: RetrievalError.modelNotNamed(served: ["m"])) {
            try service.retrieve(RetrievalRequest(history: ["i1"]), workspace: workspace)
        }
    }
}
