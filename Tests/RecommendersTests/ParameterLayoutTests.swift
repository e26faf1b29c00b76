import Autodiff
import Foundation
import Kernels
import Recommenders
import Testing

@Suite("ParameterLayout") struct ParameterLayoutTests {
    static let names = ModelRegistry.systems.filter { $0 is any TrainedRecommender.Type }.map { $0.system }

    /// Networks with every size in its range that do not fit into memory.
    static let huge: [(system: String, model: String)] = [
        ("comirec-dr", #"{"dimension": 1024, "historyLength": 1000, "interests": 64}"#),
        ("dimerec", #"{"dimension": 1024, "denoiser": {"recentItems": 1000, "conditionHidden": 8192}}"#),
        (
            "dimerec",
            #"{"dimension": 1024, "historyLength": 1000, "interests": 64, "guidance": {"kind": "dynamic-routing"}}"#
        ),
        ("caser", #"{"dimension": 1024, "historyLength": 100, "horizontalFilters": 1024, "verticalFilters": 1024}"#),
    ]

    private func trained(_ name: String) throws -> any TrainedRecommender.Type {
        let system = try ModelRegistry.system(named: name)
        return try #require(system as? any TrainedRecommender.Type)
    }

    @Test(
        "a fresh model has the shapes of its layout, and the layout depends only on the settings",
        arguments: names
    )
    func shapes(name: String) throws {
        func check<Model: TrainedRecommender>(_ system: Model.Type) {
            let model = Model(Model.Configuration(), items: 7, seed: 3)
            let layout = Model(Model.Configuration(), parameters: ParameterSet()).layout(items: 7)
            #expect(layout.mapValues(\.shape) == model.parameters.matrices.mapValues(\.shape))
        }
        let system = try trained(name)
        check(system)
    }

    @Test("stored parameters with any number of rows are checked without allocation", arguments: names, [0, Int.max])
    func emptyTables(name: String, rows: Int) throws {
        func check<Model: TrainedRecommender>(_ system: Model.Type) {
            // No columns: as many rows as a store can claim, without an element.
            let matrices = [ItemTable.name: Matrix(rows: rows, columns: 0)]
            #expect(throws: ParameterError.self) { try Model(Model.Configuration(), stored: matrices) }
        }
        let system = try trained(name)
        check(system)
    }

    @Test("small stored parameters with the recipe of a huge network are rejected by shape", arguments: huge)
    func storedUnderHuge(name: String, model: String) throws {
        func check<Model: TrainedRecommender>(_ system: Model.Type) throws {
            let stored = Model(Model.Configuration(), items: 7, seed: 3).parameters.matrices
            let configuration = try Model.Configuration(json: Data(model.utf8))
            #expect(throws: ParameterError.self) { try Model(configuration, stored: stored) }
        }
        let system = try trained(name)
        try check(system)
    }

    @Test("a huge network is rejected before it is created, and its largest parameter is named", arguments: huge)
    func requiresSize(name: String, model: String) throws {
        func check<Model: TrainedRecommender>(_ system: Model.Type) throws {
            let configuration = try Model.Configuration(json: Data(model.utf8))
            let error = try #require(throws: ConfigurationError.self) {
                try system.requireSize(of: configuration, key: "model")
            }
            guard case .invalidValue("model", let reason) = error else {
                Issue.record("another error: \(error)")
                return
            }
            #expect(reason.contains("at most 536870912") && reason.contains("of shape ["), "\(reason)")
            try system.requireSize(of: Model.Configuration(), key: "model")
        }
        let system = try trained(name)
        try check(system)
    }
}
