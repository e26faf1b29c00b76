import Autodiff
import Kernels
import Recommenders
import TestSupport
import Testing

/// Compares closed-form systems with plain loops in Double.
@Suite("closed-form systems") struct ClosedFormTests {
    private static let items = 30
    private static let sequences: [[Int32]] = {
        let generator = CounterBasedGenerator(seed: 9, purpose: .simulation)
        return (0..<25).map { user in
            let draws = generator.uniforms(stream: UInt64(user), count: 3 + user % 9)
            return draws.map { Int32($0 * $0 * Double(items)) }
        }
    }()
    private static let histories: [[Int32]] = [[3], [1, 0, 4], [5, 2, 2, 9, 17], [29, 28]]

    private func fitted<Model: FittedRecommender>(
        _ system: Model.Type,
        _ change: (inout Model.Configuration) -> Void = { _ in }
    ) throws -> Model {
        var configuration = Model.Configuration()
        change(&configuration)
        return try Model(configuration, fitting: RaggedRows(Self.sequences), items: Self.items)
    }

    private func scores(_ model: some Recommender, _ history: [Int32]) -> [Float] {
        let noise = NoiseSource(seed: 0, streams: [0])
        let users = model.userVectors(RaggedRows([history]), noise: noise, readOut: .served)
        return model.itemSpace.scores(of: users).row(0)
    }

    private func expect(_ model: some Recommender, equals truth: ([Int32]) -> [Double], within tolerance: Double = 1e-5)
    {
        for history in Self.histories {
            for (ours, theirs) in zip(scores(model, history), truth(history)) {
                #expect(abs(Double(ours) - theirs) <= tolerance * max(1, abs(theirs)), "history \(history)")
            }
        }
    }

    private static let shares: [Double] = (0..<Int32(items)).map { item in
        Double(sequences.joined().count { $0 == item }) / Double(sequences.joined().count + 1)
    }

    @Test("popularity is each item's share of the events")
    func popularity() throws { try expect(fitted(Popularity.self), equals: { _ in Self.shares }) }

    @Test("session-popularity ranks the history first, repeat-last the newest item")
    func historyFirst() throws {
        try expect(
            fitted(SessionPopularity.self),
            equals: { history in
                Self.shares.indices.map { item in
                    Self.shares[item] + Double(history.count { Int($0) == item })
                }
            }
        )
        let order = try scores(fitted(RepeatLast.self), [5, 2, 5, 9]).enumerated()
            .sorted { $0.element > $1.element }.map(\.offset)
        #expect(Array(order.prefix(3)) == [9, 5, 2])
        #expect(
            Self.shares[order[3]]
                == Self.shares.enumerated().filter { ![9, 5, 2].contains($0.offset) }.map(\.element).max()
        )
    }

    @Test("transitions count the items that followed the newest item")
    func transitions() throws {
        try expect(
            fitted(Transitions.self),
            equals: { history in
                Self.shares.indices.map { item in
                    let count = Self.sequences.joined(separator: [-1]).reduce(into: (last: Int32(-1), count: 0)) {
                        state,
                        next in
                        if state.last == history.last, Int(next) == item { state.count += 1 }
                        state.last = next
                    }
                    return Self.shares[item] + Double(count.count)
                }
            }
        )
    }

    @Test("item-knn sums discounted cosines of the items' user sets")
    func itemKNN() throws {
        let users = Self.sequences.map { Set($0) }
        func similarity(_ i: Int32, _ j: Int32) -> Double {
            guard i != j else { return 0 }
            let both = Double(users.count { $0.contains(i) && $0.contains(j) })
            let (own, other) = (Double(users.count { $0.contains(i) }), Double(users.count { $0.contains(j) }))
            return both / ((own + 20) * (other + 20)).squareRoot()
        }
        try expect(
            fitted(ItemKNN.self),
            equals: { history in
                (0..<Int32(Self.items)).map { item in
                    var (sum, factor) = (1e-6 * Self.shares[Int(item)], 1.0)
                    for past in history.reversed() {
                        sum += factor * similarity(past, item)
                        factor *= 0.8
                    }
                    return sum
                }
            }
        )
    }

    @Test("a table keeps only the largest weights of each item")
    func keepsLargest() throws {
        let all = try scores(fitted(ItemKNN.self), [4])
        let few = try scores(fitted(ItemKNN.self) { $0.neighbours = 3 }, [4])
        let kept = few.indices.filter { few[$0] > 1e-5 }
        #expect(kept.count == 3)
        #expect(kept.allSatisfy { few[$0] == all[$0] })
        let dropped = all.indices.filter { !kept.contains($0) }.map { all[$0] }.max() ?? 0
        #expect(kept.allSatisfy { few[$0] >= dropped })
    }

    @Test("vsknn adds the items of the most similar sessions", arguments: [2, 100])
    func sessionKNN(neighbours: Int) throws {
        let sessions = Self.sequences.map { Set($0) }
        try expect(
            fitted(SessionKNN.self) { $0.neighbours = neighbours },
            equals: { history in
                // Similarity in Float, newest item first, in the system's order of additions, so that ties are equal.
                let found = sessions.indices.compactMap { session -> (session: Int, likeness: Float, age: Int)? in
                    let shared = Set(history).filter { sessions[session].contains($0) }
                    let places: [Int] = shared.compactMap { history.lastIndex(of: $0) }.sorted(by: >)
                    guard let newest = places.first else { return nil }
                    let likeness = places.reduce(Float(0)) { $0 + Float($1 + 1) / Float(history.count) }
                    return (session, likeness, history.count - 1 - newest)
                }
                let best = found.sorted { ($1.likeness, $0.session) < ($0.likeness, $1.session) }.prefix(neighbours)
                var scores = Self.shares.map { $0 * 1e-6 }
                for entry in best {
                    let factor = Double(entry.likeness) * max(0, 1 - 0.1 * Double(entry.age))
                    for item in sessions[entry.session] { scores[Int(item)] += factor }
                }
                return scores
            }
        )
    }

    @Test("the gradient of EASE's problem is zero at its weights")
    func ease() throws {
        let regularisation = 5.0
        let model = try fitted(EASE.self) { $0.regularisation = regularisation }
        let users = Self.sequences.map { sequence in
            (0..<Int32(Self.items)).map { sequence.contains($0) ? 1.0 : 0.0 }
        }
        // Column j of the weights minimises |x_j - X b|^2 + lambda |b|^2 with b_j = 0, so for every i but j
        // <x_i, x_j - X b> = lambda b_i.
        let weights = (0..<Int32(Self.items)).map { row in
            scores(model, [row]).enumerated().map { Double($1) - 1e-6 * Self.shares[$0] }
        }
        for target in 0..<Self.items {
            let residuals = users.map { user in
                user[target] - (0..<Self.items).reduce(0.0) { $0 + user[$1] * weights[$1][target] }
            }
            #expect(abs(weights[target][target]) < 1e-6)
            for item in 0..<Self.items where item != target {
                let gradient = zip(users, residuals).reduce(0.0) { $0 + $1.0[item] * $1.1 }
                #expect(abs(gradient - regularisation * weights[item][target]) < 1e-4)
            }
        }
    }

    @Test("a stored model gives the same answers as the fitted model")
    func restores() throws {
        func check<Model: FittedRecommender>(_ system: Model.Type) throws {
            let model = try fitted(system)
            let stored = try Model(model.configuration, stored: model.parameters.matrices)
            for history in Self.histories { #expect(scores(stored, history) == scores(model, history)) }
            #expect(throws: ParameterError.self) { try Model(model.configuration, stored: [:]) }
        }
        for system in ModelRegistry.systems {
            if let system = system as? any FittedRecommender.Type { try check(system) }
        }
    }
}
