import CheckpointStore
import Serving
import TestSupport

/// A suite that sends requests of users to versions 1, 2 and 3 of one model.
protocol RoutedModel {
    var source: MemorySource { get }
    var holder: RoutingHolder { get }
    var sampler: AnswerSampler { get }
    var workspace: RetrievalWorkspace { get }
}

extension RoutedModel {
    func makeController(_ names: [String] = [], builder: SnapshotBuilder = testBuilder) -> ServingController {
        var configuration = ControllerConfiguration()
        configuration.models = names
        return ServingController(
            source: source,
            configuration: configuration,
            holder: holder,
            builder: builder,
            logger: quietLogger
        )
    }

    var service: RetrievalService { RetrievalService(holder: holder, sampler: sampler) }

    func split(_ shares: [(Int, Double)], shadow: Double = 0, guard bounds: Alias.Guard? = nil) -> Alias {
        let shares = shares.map { Alias.Share(version: $0.0, percent: $0.1) }
        return Alias(name: "stable", model: "m", split: shares, shadow: shadow, guard: bounds)
    }

    func version(user: String, model: String = "stable") throws -> Int {
        var request = RetrievalRequest(history: ["i1"], k: 1)
        (request.user, request.model) = (user, model)
        return try service.retrieve(request, workspace: workspace).snapshot.version
    }
}
