import Autodiff
import Kernels
import Recommenders
import TestSupport
import Testing

/// Compares vsknn with its definition in dictionaries and sorts, bit for bit.
@Suite("vsknn with arrays") struct SessionKNNTests {
    private static let items = 200

    private static func sequences(_ count: Int, seed: UInt64, longest: Int) -> [[Int32]] {
        let generator = CounterBasedGenerator(seed: seed, purpose: .simulation)
        return (0..<count).map { user in
            let draws = generator.uniforms(stream: UInt64(user), count: 1 + user % longest)
            return draws.map { Int32($0 * $0 * Double(items)) }
        }
    }

    /// The scores of one history.
    private static func truth(
        _ history: [Int32],
        _ sessions: [[Int32]],
        _ configuration: SessionKNN.Configuration,
        from initial: [Float]
    ) -> [Float] {
        var having = [[Int32]](repeating: [], count: items)
        for (session, list) in sessions.enumerated() {
            for item in list { having[Int(item)].append(Int32(session)) }
        }
        var ages: [Int32: Int] = [:]
        for (age, item) in history.reversed().enumerated() where ages[item] == nil { ages[item] = age }
        var alike: [Int32: (likeness: Float, age: Int)] = [:]
        for (item, age) in ages.sorted(by: { $0.value < $1.value }) {
            let weight = Float(history.count - age) / Float(history.count)
            for session in having[Int(item)].suffix(configuration.sampled) {
                let found = alike[session]
                alike[session] = ((found?.likeness ?? 0) + weight, found?.age ?? age)
            }
        }
        var scores = initial
        let best = alike.sorted { ($1.value.likeness, $0.key) < ($0.value.likeness, $1.key) }
        for (session, found) in best.prefix(configuration.neighbours) {
            let factor = found.likeness * max(0, 1 - 0.1 * Float(found.age))
            for item in sessions[Int(session)] { scores[Int(item)] += factor }
        }
        return scores
    }

    @Test("scores have the same bits, one by one and in a batch", arguments: [3, 100], [5, 1000])
    func sameBits(neighbours: Int, sampled: Int) throws {
        var configuration = SessionKNN.Configuration()
        (configuration.neighbours, configuration.sampled) = (neighbours, sampled)
        let sequences = Self.sequences(300, seed: 4, longest: 30)
        let model = SessionKNN(configuration, fitting: RaggedRows(sequences), items: Self.items)
        let shares = model.parameters["popularity"].elements.map { $0 * 1e-6 }
        let histories = Self.sequences(40, seed: 5, longest: 50)
        let noise = NoiseSource(seed: 0, streams: histories.indices.map { UInt64($0) })
        let together = model.userVectors(RaggedRows(histories), noise: noise, readOut: .served).rows
        let sessions = sequences.map { Set($0).sorted() }
        for (row, history) in histories.enumerated() {
            let alone = model.userVectors(
                RaggedRows([history]),
                noise: NoiseSource(seed: 0, streams: [0]),
                readOut: .served
            )
            let truth = Self.truth(history, sessions, configuration, from: shares)
            #expect(alone.rows.elements == truth, "history \(history)")
            #expect(together.row(row) == truth, "history \(history)")
        }
    }
}
