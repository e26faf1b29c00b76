import Autodiff
public import CheckpointStore
public import Kernels
import Recommenders

extension Trainer {
    /// The state that a later run needs to continue with the same results.
    public struct State: Sendable {
        /// Counters and the best metrics.
        public var progress: TrainingProgress
        /// Current weights, best weights and Adam's moments.
        public var matrices: [String: Matrix]
        /// Those of them whose rows are divided over ranks, readable until the state is saved.
        public var sources: [String: RowSource] = [:]
    }

    /// The state between two steps; of divided tables this rank's rows.
    public var state: State {
        var matrices = optimiser.moments
        for (name, matrix) in model.parameters.matrices { matrices[Self.currentPrefix + name] = matrix }
        for (name, matrix) in bestParameters?.matrices ?? [:] { matrices[Self.bestPrefix + name] = matrix }
        return State(progress: progress, matrices: matrices)
    }

    /// Calls `save` with the state of all ranks; all of them call it.
    func saveState(_ save: (State) throws -> Void) throws {
        func isDivided(_ name: String) -> Bool { Self.isDivided(name, by: tables) }
        try tables.collecting(state.matrices, where: isDivided) { whole, sources in
            try save(State(progress: progress, matrices: whole, sources: sources))
        }
    }

    private static var currentPrefix: String { "current." }
    private static var bestPrefix: String { "best." }

    /// The parameter that a matrix of the state belongs to.
    private static func parameter(of name: String) -> String? {
        for prefix in [currentPrefix, bestPrefix] where name.hasPrefix(prefix) {
            return String(name.dropFirst(prefix.count))
        }
        return Adam.parameter(ofMoment: name)
    }

    /// Whether a matrix of the state belongs to a table that is divided over ranks.
    static func isDivided(_ name: String, by tables: TablePlacement) -> Bool {
        parameter(of: name).map(tables.divided.contains) ?? false
    }

    /// Bytes of a state: current and best weights, and Adam's two moments.
    package var stateBytes: Int { 16 * model.parameters.matrices.values.reduce(0) { $0 + $1.count } }

    /// Bytes of this rank's rows of the item tables: current and best weights, and Adam's moments.
    var tableBytes: Int {
        let tables = model.itemTables
        var bytes = 0
        for (name, matrix) in state.matrices {
            if let parameter = Self.parameter(of: name), tables.contains(parameter) { bytes += 4 * matrix.count }
        }
        return bytes
    }

    /// Continues from a state of the same recipe, data and seed.
    ///
    /// - Throws: ``TrainingError/unusableState(_:)`` when no run of this trainer can have this state.
    public mutating func restore(_ state: State) throws(TrainingError) {
        try state.progress.check(maxSteps: recipe.training.maxSteps)
        let current = try parameters(Self.currentPrefix, of: state)
        let hasBest = state.matrices.keys.contains { $0.hasPrefix(Self.bestPrefix) }
        let best = hasBest ? try parameters(Self.bestPrefix, of: state) : nil
        for (name, moment) in state.matrices where name.hasPrefix(Adam.momentPrefix) {
            try requireShape(of: name, moment, parameter: Adam.parameter(ofMoment: name))
        }
        progress = state.progress
        model.parameters = current
        bestParameters = best
        optimiser.restore(step: progress.step, moments: state.matrices)
    }

    /// The model's parameters from the matrices with a prefix.
    private func parameters(_ prefix: String, of state: State) throws(TrainingError) -> ParameterSet {
        var result: [String: Matrix] = [:]
        for (name, matrix) in state.matrices where name.hasPrefix(prefix) {
            let parameter = String(name.dropFirst(prefix.count))
            try requireShape(of: name, matrix, parameter: parameter)
            result[parameter] = matrix
        }
        if let name = model.parameters.names.first(where: { result[$0] == nil }) {
            throw .unusableState("'\(prefix)\(name)' is missing")
        }
        return ParameterSet(result)
    }

    private func requireShape(of name: String, _ matrix: Matrix, parameter: String?) throws(TrainingError) {
        guard let expected = parameter.flatMap({ model.parameters.matrices[$0]?.shape }) else {
            throw .unusableState("'\(name)' belongs to no parameter of the model")
        }
        guard matrix.shape == expected else {
            throw .unusableState("'\(name)' has shape \(matrix.shape), the model expects \(expected)")
        }
    }
}
