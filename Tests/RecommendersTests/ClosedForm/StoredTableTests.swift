import Autodiff
import Kernels
import Recommenders
import Testing

/// Closed-form systems reject stored tables that they cannot have written.
@Suite("stored tables of closed-form systems") struct StoredTableTests {
    private static let items = 6
    private static let sequences: [[Int32]] = [[0, 1, 2], [2, 3], [4, 5, 4, 0]]

    struct Damage: Sendable, CustomTestStringConvertible {
        let system: String
        let name: String
        let reason: String
        let change: @Sendable (inout Matrix) -> Void
        var testDescription: String { "\(system): \(name), \(reason)" }
    }

    static let damages: [Damage] = {
        var damages: [Damage] = []
        let systems = ModelRegistry.systems.filter { $0 is any FittedRecommender.Type }.map { $0.system }
        for system in systems {
            for columns in [0, 2] {
                damages.append(
                    Damage(system: system, name: "popularity", reason: "[6, \(columns)]") {
                        $0 = Matrix(rows: $0.rows, columns: columns)
                    }
                )
            }
            damages.append(
                Damage(system: system, name: "popularity", reason: "[1099511627776, 0]") {
                    $0 = Matrix(rows: 1 << 40, columns: 0)
                }
            )
        }
        let tables = [
            ("ease", "neighbours", "neighbours.weights"), ("item-knn", "neighbours", "neighbours.similarities"),
            ("transitions", "followers", "followers.counts"),
        ]
        for (system, numbers, weights) in tables {
            for value in [6, 1e30, -2, -.infinity, .nan] as [Float] {
                damages.append(
                    Damage(system: system, name: numbers, reason: "\(value) in row 5, column 3") { $0[5, 3] = value }
                )
            }
            for name in [numbers, weights] {
                damages += [
                    Damage(system: system, name: name, reason: "[6, 1]") { $0 = Matrix(rows: 6, columns: 1) },
                    Damage(system: system, name: name, reason: "[5, ") { $0 = $0.rows(0..<5) },
                ]
            }
        }
        for value in [6, -1, 3e9, 0.5, .nan, .infinity] as [Float] {
            damages.append(
                Damage(system: "vsknn", name: "sessions.items", reason: "\(value) in row 1, column 0") {
                    $0[1, 0] = value
                }
            )
        }
        for value in [-1, 0.5, 3e9, .nan, .infinity] as [Float] {
            damages.append(
                Damage(system: "vsknn", name: "sessions.lengths", reason: "\(value) in row 2, column 0") {
                    $0[2, 0] = value
                }
            )
        }
        damages += [
            Damage(system: "vsknn", name: "sessions.lengths", reason: "[6, 1]") { $0[2, 0] = 1 },
            Damage(system: "vsknn", name: "sessions.lengths", reason: "[3, 0]") { $0 = Matrix(rows: 3, columns: 0) },
            Damage(system: "vsknn", name: "sessions.lengths", reason: "[1, 3]") {
                $0 = $0.reshaped(rows: 1, columns: 3)
            },
        ]
        return damages
    }()

    @Test("a wrong shape or element is rejected, and the parameter is named", arguments: damages)
    func refuses(damage: Damage) throws {
        func check<Model: FittedRecommender>(_ system: Model.Type) throws {
            let model = try Model(Model.Configuration(), fitting: RaggedRows(Self.sequences), items: Self.items)
            _ = try Model(model.configuration, stored: model.parameters.matrices)
            var matrices = model.parameters.matrices
            var matrix = try #require(matrices[damage.name])
            damage.change(&matrix)
            matrices[damage.name] = matrix
            let error = try #require(throws: ParameterError.self) {
                try Model(model.configuration, stored: matrices)
            }
            #expect(error.description.contains(damage.reason), "\(error)")
        }
        let system = try ModelRegistry.system(named: damage.system)
        let fitted = try #require(system as? any FittedRecommender.Type)
        try check(fitted)
    }

    @Test("EASE rejects a regularisation that is lost in rounding")
    func singular() throws {
        var configuration = EASE.Configuration()
        configuration.regularisation = 0.001
        let users = RaggedRows([[Int32]](repeating: [0, 1, 2, 3, 4], count: 60_000))
        let error = try #require(throws: ConfigurationError.self) { try EASE(configuration, fitting: users, items: 5) }
        guard case .invalidValue("model.regularisation", let reason) = error else {
            Issue.record("another error: \(error)")
            return
        }
        #expect(reason.contains("0.001") && reason.contains("60000 users") && reason.contains("60."), "\(reason)")
        configuration.regularisation = 60
        _ = try EASE(configuration, fitting: users, items: 5)
    }
}
