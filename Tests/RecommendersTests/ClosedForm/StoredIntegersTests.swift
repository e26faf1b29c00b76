import Autodiff
import Kernels
import Recommenders
import Testing

/// Whole numbers in Float32, on both sides of 2^24 and up to the last Int32.
@Suite("stored integers") struct StoredIntegersTests {
    private static let bound = StoredIntegers.singleBound

    private func numbers(below bound: Int) -> [Int32] {
        var generator = SequentialGenerator(CounterBasedGenerator(seed: 5, purpose: .simulation))
        let edges: [Int32] = [-1, 0, 1, 65_535, 65_536, 65_537, Int32(bound - 2), Int32(bound - 1)]
        return edges + (0..<200).map { _ in Int32.random(in: 0..<Int32(bound), using: &generator) }
    }

    @Test("every number comes back", arguments: [100_000, bound, bound + 1, bound + 2, 40_000_000, Int(Int32.max)])
    func roundTrip(bound: Int) throws {
        let numbers = numbers(below: bound)
        let stored = StoredIntegers(numbers, columns: 4, below: bound)
        let read = try StoredIntegers(stored: stored.matrix, name: "n", columns: 4, in: -1..<bound)
        #expect((0..<read.count).map { read[$0] } == numbers.map { Int($0) })
        #expect(stored.matrix.rows == numbers.count / 4 && stored.matrix.elements.allSatisfy(\.isFinite))
    }

    @Test("below the bound the elements are the numbers, as in older versions")
    func oldForm() throws {
        let numbers = numbers(below: Self.bound)
        let matrix = StoredIntegers(numbers, columns: 1, below: Self.bound).matrix
        #expect(matrix.elements == numbers.map { Float($0) })
        #expect(matrix.shape == [numbers.count, 1])
    }

    @Test("an element outside the range is rejected", arguments: [Float.nan, .infinity, 0.5, -2, 100, 1e30])
    func refuses(element: Float) {
        let matrix = Matrix(rows: 3, columns: 1, elements: [0, element, 99])
        #expect(throws: ParameterError.self) {
            try StoredIntegers(stored: matrix, name: "n", columns: 1, in: -1..<100)
        }
        #expect(throws: ParameterError.self) {
            try StoredIntegers(stored: matrix, name: "n", columns: 3, in: -1..<100)
        }
    }

    private static let sequences = RaggedRows([[0, 1, 2], [1, 2, 3], [4, 0], [3, 1, 4, 2]] as [[Int32]])

    /// The same numbers as two elements each.
    private func widened(_ matrix: Matrix) -> Matrix {
        StoredIntegers(matrix.elements.map { Int32($0) }, columns: matrix.columns, below: .max).matrix
    }

    private func scores(_ model: some Recommender) -> [Float] {
        let noise = NoiseSource(seed: 0, streams: [0])
        return model.userVectors(RaggedRows([[1, 4]] as [[Int32]]), noise: noise, readOut: .served).rows.elements
    }

    @Test("models give the same answers from both forms")
    func models() throws {
        func check<Model: FittedRecommender>(_ system: Model.Type, _ names: [String]) throws {
            let model = try Model(Model.Configuration(), fitting: Self.sequences, items: 5)
            var matrices = model.parameters.matrices
            for name in names { matrices[name] = widened(model.parameters[name]) }
            let wide = try Model(model.configuration, stored: matrices)
            #expect(scores(wide) == scores(model))
            matrices[names[0]] = Matrix(
                rows: model.parameters[names[0]].rows,
                columns: model.parameters[names[0]].columns,
                repeating: .nan
            )
            #expect(throws: ParameterError.self) { try Model(model.configuration, stored: matrices) }
        }
        try check(SessionKNN.self, ["sessions.items", "sessions.lengths"])
        try check(ItemKNN.self, ["neighbours"])
        try check(Transitions.self, ["followers"])
        try check(EASE.self, ["neighbours"])
    }

    @Test("VSKNN distinguishes items whose numbers are equal in Float32")
    func largeCatalogue() throws {
        let first = Int32(Self.bound)
        let sequences = RaggedRows([[first, first + 1, 5], [first + 2, 7]] as [[Int32]])
        let model = SessionKNN(SessionKNN.Configuration(), fitting: sequences, items: Self.bound + 3)
        let stored = try SessionKNN(model.configuration, stored: model.parameters.matrices)
        for (asked, expected) in [(first + 1, [5, first, first + 1]), (7, [7, first + 2])] as [(Int32, [Int32])] {
            let scores = stored.userVectors(
                RaggedRows([[asked]] as [[Int32]]),
                noise: NoiseSource(seed: 0, streams: [0]),
                readOut: .served
            ).rows.elements
            #expect(scores.indices.filter { scores[$0] >= 0.5 } == expected.map { Int($0) })
        }
    }

    @Test("twice as many columns as an Int holds are no form of the numbers")
    func endlessColumns() {
        #expect(throws: ParameterError.self) {
            try StoredIntegers(stored: Matrix(rows: 0, columns: 1), name: "n", columns: .max, in: 0..<5)
        }
    }

    @Test("sessions with lengths that do not add up are rejected")
    func lengths() throws {
        let model = SessionKNN(SessionKNN.Configuration(), fitting: Self.sequences, items: 5)
        for lengths in [[3, 3, 2, 3], [3, 3, 2, 5], [3, 3, 2], [12, 12, 12, 12]] as [[Float]] {
            var matrices = model.parameters.matrices
            matrices["sessions.lengths"] = Matrix(rows: lengths.count, columns: 1, elements: lengths)
            #expect(throws: ParameterError.self) { try SessionKNN(model.configuration, stored: matrices) }
        }
    }
}
