import CheckpointStore
import Foundation
import Serving
import Synchronization
import TestSupport
import Testing

@Suite("Changes at once", .timeLimit(.minutes(5))) struct SimultaneousChangesTests {
    /// Possible simultaneous actions of an operator, a trainer or the clock.
    enum Change: String, CaseIterable {
        case rollback, activateLoaded, activateOther, setAlias, removeAlias, changeItem, unload, `import`, poll
    }

    /// A store of four versions, the last active, with a controller that has served them in turn.
    private struct Service {
        let source = MemorySource([1, 2, 3, 4], active: nil)
        let holder = RoutingHolder()
        let controller: ServingController
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("changes-\(UUID().uuidString)")

        init(keepVersions: Int = 3) async throws {
            var configuration = ControllerConfiguration()
            configuration.keepVersions = keepVersions
            configuration.importFolder = folder.path
            controller = ServingController(
                source: source,
                configuration: configuration,
                holder: holder,
                builder: makeTestBuilder { _ in Thread.sleep(forTimeInterval: 0.0001) },
                logger: quietLogger
            )
            for version in 1...4 { _ = try await controller.activate(model: "m", version: version, wait: true) }
            _ = try await controller.setAlias(Alias(name: "a", model: "m"), ifRevision: nil)
            let file = folder.appendingPathComponent("v5.sqlite")
            try Data("5".utf8).write(to: file)
            let past = Date.now.addingTimeInterval(-60)
            try FileManager.default.setAttributes([.modificationDate: past], ofItemAtPath: file.path)
        }

        /// Makes a change; a rejected change has no effect.
        ///
        /// - Returns: The version that a rollback says it returned to.
        func make(_ change: Change) async -> Int? {
            switch change {
            case .rollback: return try? await controller.rollback(model: "m")
            case .activateLoaded: _ = try? await controller.activate(model: "m", version: 3, wait: true)
            case .activateOther: _ = try? await controller.activate(model: "m", version: 1, wait: true)
            case .setAlias:
                let split = [Alias.Share(version: 2, percent: 50), .init(version: 4, percent: 50)]
                _ = try? await controller.setAlias(Alias(name: "a", model: "m", split: split), ifRevision: nil)
            case .removeAlias: _ = try? await controller.removeAlias("a", ifRevision: nil)
            case .changeItem: _ = try? await controller.changeItem("i1", to: nil, model: "m")
            case .unload: _ = try? await controller.unload(model: "m", version: 3)
            case .import, .poll: await controller.poll()
            }
            return nil
        }

        /// The difference between the store and the routing table, or nil.
        var difference: String? {
            let table = holder.current
            let served = (try? table.route(to: "m"))?.arms[0].snapshot
            guard served?.version == source.activeVersion(of: "m") else {
                return "served \(served.map { "\($0.version)" } ?? "-"), stored \(source.activeVersion(of: "m") ?? 0)"
            }
            let alias = source.aliases().first { $0.name == "a" }
            let arms = (try? table.route(to: "a"))?.arms.map(\.snapshot.version)
            let expected = alias.map {
                $0.split.isEmpty ? [source.activeVersion(of: "m") ?? 0] : $0.split.map(\.version)
            }
            guard arms == expected else { return "alias serves \(arms ?? []), stored \(expected ?? [])" }
            let isRemoved = source.itemChanges(of: "m").contains { $0.item == "i1" && $0.content == nil }
            guard let served, (served.number(of: "i1") == nil) == isRemoved else { return "item i1 differs" }
            return nil
        }
    }

    @Test("after the answers to any two simultaneous changes, service and store agree", arguments: Change.allCases)
    func agree(first: Change) async throws {
        for second in Change.allCases {
            for _ in 0..<6 {
                let service = try await Service()
                defer { try? FileManager.default.removeItem(at: service.folder) }
                async let one = service.make(first)
                async let other = service.make(second)
                let answers = await [one, other].compactMap(\.self)
                #expect(service.difference == nil, "\(first) and \(second): \(service.difference ?? "")")
                if first == .rollback, second == .rollback { #expect(answers.sorted() == [2, 3]) }
                await service.controller.poll()
                #expect(service.difference == nil, "\(first) and \(second), a poll later: \(service.difference ?? "")")
            }
        }
    }

    @Test("a version that makes room for another while it is being chosen does not end the process", arguments: [1, 2])
    func makesRoom(keepVersions: Int) async throws {
        let service = try await Service(keepVersions: keepVersions)
        defer { try? FileManager.default.removeItem(at: service.folder) }
        for round in 0..<40 {
            async let one = service.make(.activateOther)
            async let other = service.make(round % 2 == 0 ? .activateLoaded : .rollback)
            _ = await (one, other)
            await service.controller.poll()
            #expect(service.difference == nil, "round \(round): \(service.difference ?? "")")
        }
    }

    @Test("an alias that is removed while a poll loads a version for it stays removed")
    func removedAliasStaysRemoved() async throws {
        let source = MemorySource([1, 2], active: 1)
        let holder = RoutingHolder()
        let controller = ServingController(source: source, holder: holder, builder: testBuilder, logger: quietLogger)
        await controller.poll()
        _ = try source.setAlias(Alias(name: "a", model: "m", split: [.init(version: 2, percent: 100)]), ifRevision: nil)
        source.state.withLock { $0.isHeld = true }
        async let poll: Void = controller.poll()
        while source.state.withLock(\.loads) < 2 { try await Task.sleep(for: .milliseconds(1)) }
        try await controller.removeAlias("a", ifRevision: nil)
        source.state.withLock { $0.isHeld = false }
        await poll
        #expect(holder.current.routes["a"] == nil)
    }

    @Test("a version in activation cannot be unloaded before it answers")
    func keepsWhatIsActivated() async throws {
        for _ in 0..<20 {
            let service = try await Service()
            defer { try? FileManager.default.removeItem(at: service.folder) }
            async let isActive = service.controller.activate(model: "m", version: 3, wait: true)
            async let unloaded = try? service.controller.unload(model: "m", version: 3)
            let (active, state) = try await (isActive, unloaded)
            #expect(active && service.difference == nil, "\(String(describing: state))")
        }
    }

    @Test("an imported version that cannot be served is removed from the store")
    func removesRejectedImports() async throws {
        let source = MemorySource([1], active: 1)
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("rejected-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        var configuration = ControllerConfiguration()
        configuration.importFolder = folder.path
        let controller = ServingController(
            source: source,
            configuration: configuration,
            holder: RoutingHolder(),
            builder: testBuilder,
            logger: quietLogger
        )
        await controller.poll()
        source.state.withLock { $0.damaged = [2, 3] }
        for version in 2...3 {
            let file = folder.appendingPathComponent("v\(version).sqlite")
            try Data("\(version)".utf8).write(to: file)
            let past = Date.now.addingTimeInterval(-60)
            try FileManager.default.setAttributes([.modificationDate: past], ofItemAtPath: file.path)
            await controller.poll()
        }
        #expect(source.inventory(of: "m").map(\.number) == [1] && controller.report.importsRejected == 2)
    }

    @Test("without its file, a store rejects changes, the service goes on, and both recover")
    func survivesWithoutFile() async throws {
        let source = MemorySource([1, 2], active: 1)
        let holder = RoutingHolder()
        let controller = ServingController(source: source, holder: holder, builder: testBuilder, logger: quietLogger)
        await controller.poll()
        let gone = CheckpointError.replaced(path: "s", reason: "gone")
        source.state.withLock { ($0.replacement, $0.refusal) = (gone, gone) }
        await controller.poll()
        await #expect(throws: ServingError.storeFailed("\(gone)")) {
            try await controller.activate(model: "m", version: 2, wait: true)
        }
        #expect(holder.snapshot?.version == 1)
        source.state.withLock { ($0.replacement, $0.refusal) = (nil, nil) }
        #expect(try await controller.activate(model: "m", version: 2, wait: true))
    }

    @Test("a guard judges a version that was loaded again only by its new counts, also under a new alias")
    func judgesReloadedVersions() async throws {
        let source = MemorySource([1, 2], active: 1)
        let controller = ServingController(
            source: source,
            configuration: {
                var configuration = ControllerConfiguration()
                configuration.keepVersions = 1
                return configuration
            }(),
            holder: RoutingHolder(),
            builder: testBuilder,
            logger: quietLogger
        )
        await controller.poll()
        let split = [Alias.Share(version: 1, percent: 90), .init(version: 2, percent: 10)]
        let alias = Alias(name: "a", model: "m", split: split, guard: .init(maxErrorRate: 0.5, minRequests: 1))
        for _ in 0..<3 {
            _ = try await controller.setAlias(alias, ifRevision: nil)
            let statistics = try #require(controller.residents.first { $0.id.version == 2 }?.statistics)
            for microseconds in 0..<50 {
                var times = StageTimes()
                times.search = UInt64(microseconds * microseconds * 1000)
                statistics.answered(in: times)
            }
            await controller.poll()
            try await controller.removeAlias("a", ifRevision: nil)
            _ = try await controller.unload(model: "m", version: 2)
        }
        #expect(controller.report.guardRollbacks == 0)
    }
}
