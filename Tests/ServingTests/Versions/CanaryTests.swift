import CheckpointStore
import Kernels
import Serving
import Synchronization
import TestSupport
import Testing

@Suite("Shadow requests and guards of a split") struct CanaryTests: RoutedModel {
    let source = MemorySource([1, 2, 3], active: 1)
    let holder = RoutingHolder()
    let sampler = AnswerSampler(recallSample: 1)
    let workspace = RetrievalWorkspace()

    @Test("the stable version answers shadowed requests, and they are compared with the other version")
    func shadows() async throws {
        let controller = makeController()
        await controller.poll()
        _ = try await controller.setAlias(split([(1, 100), (2, 0)], shadow: 100), ifRevision: nil)
        for user in 0..<50 { #expect(try version(user: "\(user)") == 1) }
        await sampler.waitUntilIdle()
        let report = sampler.report
        #expect(report.compared == 50 && report.failed == 0 && report.dropped == 0)
        var (expected, count) = (0.0, 0.0)
        for _ in 0..<50 {
            var request = RetrievalRequest(history: ["i1"], k: 1)
            let answers = try [1, 2].map { version in
                (request.model, request.version) = ("m", version)
                if version == 2 { request.model = "stable" }
                let response = try service.retrieve(request, workspace: workspace)
                return Set(response.items.map { response.snapshot.identifiers.id($0.id) })
            }
            expected += Double(answers[0].intersection(answers[1]).count)
            count += 1
        }
        #expect(abs(report.overlapSum - expected) < 1e-9 && count == 50)
        #expect(report.timeRatio.reduce(0, +) == 50)
    }

    @Test("without shadow no request is computed twice; with it, the set percentage is")
    func shadowsSome() async throws {
        let controller = makeController()
        await controller.poll()
        _ = try await controller.setAlias(split([(1, 60), (2, 40)], shadow: 0), ifRevision: nil)
        for user in 0..<50 { _ = try version(user: "\(user)") }
        await sampler.waitUntilIdle()
        #expect(sampler.report.compared == 0)
        _ = try await controller.setAlias(split([(1, 60), (2, 40)], shadow: 25), ifRevision: nil)
        for user in 0..<800 {
            _ = try version(user: "\(user)")
            if user % 50 == 0 { await sampler.waitUntilIdle() }
        }
        await sampler.waitUntilIdle()
        let share = Double(sampler.report.compared) / 800
        #expect(abs(share - 0.25) < 4 * (0.25 * 0.75 / 800).squareRoot())
    }

    @Test("recall is the index's share of the exact answers")
    func estimatesRecall() async throws {
        let controller = makeController()
        await controller.poll()
        for user in 0..<20 { _ = try version(user: "\(user)", model: "m") }
        await sampler.waitUntilIdle()
        #expect(sampler.report.recall == 1)
        #expect(sampler.recentHistories == [["i1"], ["i1"]])
    }

    @Test("a canary that fails or is slow loses its traffic, in the store too; a sound one keeps it")
    func guardsSplit() async throws {
        let broken = SnapshotBuilder(
            warmUpRequests: 3,
            makeModel: { checkpoint in
                let items = try #require(checkpoint.parameters["items"])
                let fails = checkpoint.manifest.version == 2
                let encoder = FailingEncoder(base: MeanEncoder(items: items), fails: fails)
                return ServedModel(encoder: encoder, itemVectors: items)
            },
            makeIndex: { _, vectors in ScanIndex(vectors: vectors) },
            makeExactIndex: { ScanIndex(vectors: $0) }
        )
        let controller = makeController(builder: broken)
        await controller.poll()
        let bounds = Alias.Guard(maxErrorRate: 0.01, maxP99Ms: 60_000, minRequests: 20)
        for canary in [3, 2] {
            _ = try await controller.setAlias(split([(1, 50), (canary, 50)], guard: bounds), ifRevision: nil)
            await controller.poll()
            for user in 0..<100 { _ = try? version(user: "\(user)") }
            await controller.poll()
            let isSound = canary == 3
            #expect(controller.report.guardRollbacks == (isSound ? 0 : 1))
            #expect(source.aliases()[0].split.count == (isSound ? 2 : 1))
        }
        for user in 0..<100 { #expect(try version(user: "\(user)") == 1) }
        #expect(source.aliases()[0].split == [Alias.Share(version: 1, percent: 100)])
        let slow = Alias.Guard(maxP99Ms: 1e-9, minRequests: 20)
        _ = try await controller.setAlias(split([(1, 50), (3, 50)], guard: slow), ifRevision: nil)
        await controller.poll()
        for user in 0..<100 { _ = try version(user: "\(user)") }
        await controller.poll()
        #expect(controller.report.guardRollbacks == 2)
    }

    @Test(
        "the 99th percentile of slow answers is known to a factor of 1.5, as long as a guard's bound may be",
        arguments: [0.02, 5, 11, 12, 50, 900, 59_000] as [Double]
    )
    func measuresSlowAnswers(milliseconds: Double) throws {
        let statistics = VersionStatistics()
        var times = StageTimes()
        times.diffusion = UInt64(milliseconds * 1e6)
        for _ in 0..<20 { statistics.answered(in: times) }
        let p99 = try #require(statistics.counts.p99)
        #expect(p99.contains(milliseconds * 1e6) && p99.upperBound <= 1.5 * p99.lowerBound + 1)
    }

    @Test(
        "a guard ends a split for a p99 of 1.5 times its bound, and for none below the bound",
        arguments: [0.02, 0.62, 5, 7, 20, 900, 59_000] as [Double]
    )
    func judgesTimes(bound: Double) {
        func breach(p99 milliseconds: Double) -> String? {
            let statistics = VersionStatistics()
            var times = StageTimes()
            // Two of a hundred answers take this long, the others almost no time.
            for answer in 0..<100 {
                times.diffusion = answer < 98 ? 1 : UInt64(milliseconds * 1e6)
                statistics.answered(in: times)
            }
            return Alias.Guard(maxP99Ms: bound).breach(by: statistics.counts)
        }
        for share in [0.1, 0.5, 0.7, 0.9, 0.999] { #expect(breach(p99: share * bound) == nil, "\(share)") }
        for share in [1.501, 2, 100] { #expect(breach(p99: share * bound) != nil, "\(share)") }
    }

    @Test("a split ended by its guard stays ended while the store cannot be written, and is recorded afterwards")
    func guardsWithoutStore() async throws {
        let controller = makeController()
        await controller.poll()
        let bounds = Alias.Guard(maxP99Ms: 1e-9, minRequests: 20)
        _ = try await controller.setAlias(split([(1, 50), (3, 50)], guard: bounds), ifRevision: nil)
        await controller.poll()
        for user in 0..<100 { _ = try version(user: "\(user)") }
        source.state.withLock { $0.refusal = .diskFull(path: "s") }
        for _ in 0..<3 {
            await controller.poll()
            for user in 0..<50 { #expect(try version(user: "\(user)") == 1) }
        }
        #expect(source.aliases()[0].split.count == 2 && controller.report.guardRollbacks == 1)
        source.state.withLock { $0.refusal = nil }
        await controller.poll()
        #expect(source.aliases()[0].split == [Alias.Share(version: 1, percent: 100)])
    }
}

/// Computes NaN for real requests, whose seeds are large, but not for warm-up requests.
private struct FailingEncoder: UserEncoder {
    final class Workspace: InferenceWorkspace {
        var userVectors: [Float] = []
        func removeAll() { userVectors = [] }
    }

    let base: MeanEncoder
    let fails: Bool
    var dimension: Int { base.dimension }
    var maxSteps: Int { base.maxSteps }
    var historyLength: Int { base.historyLength }

    func makeWorkspace() -> any InferenceWorkspace { Workspace() }

    func add(
        history: ArraySlice<Int32>,
        seed: UInt64,
        steps: Int,
        samples: Int,
        to workspace: any InferenceWorkspace
    ) {
        guard let workspace = workspace as? Workspace else { preconditionFailure("a foreign workspace") }
        for sample in 0..<samples {
            let vector = base.userVector(Array(history), seed: seed, steps: steps, sample: sample)
            workspace.userVectors += fails && seed > 1000 ? vector.map { _ in .nan } : vector
        }
    }

    func generate(in workspace: any InferenceWorkspace) {}

    func trace(history: ArraySlice<Int32>, seed: UInt64, steps: Int) -> UserTrace {
        base.trace(history: history, seed: seed, steps: steps)
    }
}
