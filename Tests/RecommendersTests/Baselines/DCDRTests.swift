import Autodiff
import Kernels
import Recommenders
import TestSupport
import Testing

@Suite("DCDR") struct DCDRTests {
    private static let generator = CounterBasedGenerator(seed: 12, purpose: .edits)

    private static func inversions(_ order: [Int]) -> Int {
        var count = 0
        for place in order.indices { count += order[..<place].count { $0 > order[place] } }
        return count
    }

    @Test("each forward swap adds one inversion, and the same swaps in reverse order undo them")
    func inverse() {
        var labels: [Int: Int] = [:]
        for stream in 0..<2000 as Range<UInt64> {
            let noised = SwapDiffusion.noised(length: 6, steps: 10, generator: Self.generator, stream: stream)
            #expect(1...10 ~= noised.step && noised.swaps.count <= noised.step)
            #expect(Self.inversions(noised.order) == noised.swaps.count)
            var order = noised.order
            for place in noised.swaps.reversed() {
                #expect(order[place] > order[place + 1])
                order.swapAt(place, place + 1)
            }
            #expect(order == Array(0..<6))
            labels[noised.swaps.last ?? 5, default: 0] += 1
        }
        // Stopping is right in half of all cases: the mean over t of (T - t + 1) / (T + 1).
        #expect(abs(Double(labels[5, default: 0]) - 1000) < 4 * 500.0.squareRoot())
        for place in 0..<5 { #expect(labels[place, default: 0] > 100) }
    }

    /// Any distribution over edits, a function of the list and the step.
    private static func probabilities(_ lists: [[Int]], _ step: Int) -> Matrix {
        Matrix(
            lists.map { list in
                let stream = list.reduce(UInt64(step)) { $0 * 10 + UInt64($1) }
                return CounterBasedGenerator(seed: 5, purpose: .simulation)
                    .normals(stream: stream, count: list.count).map { 2 * $0 }
            }
        ).softmaxRows()
    }

    @Test("a beam that holds all lists finds the same list as the sum over all paths", arguments: 1...8)
    func exactSearch(steps: Int) {
        var results: [[Int]: Double] = [:]
        func follow(_ list: [Int], _ probability: Double, step: Int) {
            guard step > 0 else {
                results[list, default: 0] += probability
                return
            }
            let edits = Self.probabilities([list], step)
            results[list, default: 0] += probability * Double(edits[0, 3])
            for place in 0..<3 {
                var next = list
                next.swapAt(place, place + 1)
                follow(next, probability * Double(edits[0, place]), step: step - 1)
            }
        }
        follow([0, 1, 2, 3], 1, step: steps)
        let best = results.max { $0.value < $1.value }?.key
        let found = SwapDiffusion.mostProbable(length: 4, steps: steps, beam: 24, probabilities: Self.probabilities)
        #expect(found == best)
    }

    @Test("the search stops when its result can no longer change")
    func earlyStop() {
        var calls = 0
        let found = SwapDiffusion.mostProbable(length: 3, steps: 9, beam: 6) { lists, step in
            calls += 1
            return Matrix(lists.map { $0 == [1, 0, 2] ? [0.05, 0.05, 0.9] : [0.9, 0.05, 0.05] })
        }
        #expect(found == [1, 0, 2] && calls == 2)
    }

    private static func tiny() -> DCDR {
        var configuration = DCDR.Configuration()
        (configuration.length, configuration.dimension, configuration.hidden, configuration.steps) = (4, 4, 5, 5)
        var model = DCDR(configuration, features: 3, seed: 2)
        for (index, name) in model.parameters.names.enumerated() {
            model.parameters.update(name) {
                $0 = gridMatrix(rows: $0.rows, columns: $0.columns, seed: UInt64(400 + index))
                $0.scale(by: 0.5)
            }
        }
        return model
    }

    private static let lists = (0..<5).map { row in
        DCDR.List(
            rows: gridMatrix(rows: 4, columns: 3, seed: UInt64(500 + row)),
            responses: (0..<4).map { ($0 + row) % 3 == 0 }
        )
    }

    @Test("gradients of the loss equal central differences")
    func gradients() {
        let model = Self.tiny()
        expectGradient(of: model.parameters) { parameters, tape in
            var changed = model
            changed.parameters = parameters
            return changed.loss(Self.lists, noise: NoiseSource(seed: 8, streams: [3, 4, 5, 6, 7]), on: tape)
        }
    }

    @Test("a list's loss depends on its responses, not on its batch")
    func batches() {
        let model = Self.tiny()
        func loss(_ lists: [DCDR.List], _ streams: [UInt64]) -> Float {
            model.loss(lists, noise: NoiseSource(seed: 8, streams: streams), on: Tape(recording: false)).scalar
        }
        var alone: Float = 0
        for (stream, list) in Self.lists.enumerated() { alone += loss([list], [UInt64(stream)]) / 5 }
        #expect(abs(loss(Self.lists, [0, 1, 2, 3, 4]) - alone) < 1e-5)
        var other = Self.lists
        for row in other.indices { other[row].responses = other[row].responses.map { !$0 } }
        #expect(abs(loss(other, [0, 1, 2, 3, 4]) - alone) > 1e-3)
    }

    /// Lists of ten items with eight features; items with a positive response come first, and among equal responses,
    /// items with the larger hidden value come first.
    private static func sortedList(_ stream: UInt64) -> DCDR.List {
        let numbers = CounterBasedGenerator(seed: 21, purpose: .simulation).normals(stream: stream, count: 80)
        let rows = (0..<10).map { Array(numbers[$0 * 8..<($0 + 1) * 8]) }
        func value(_ row: [Float]) -> Float { row[0] - 0.7 * row[1] + 0.4 * row[2] }
        let sorted = rows.sorted { value($0) > value($1) }
        return DCDR.List(rows: Matrix(sorted), responses: sorted.map { value($0) > 0 })
    }

    @Test("learns to restore a known order of lists that it has not seen")
    func learns() {
        var model = DCDR(DCDR.Configuration(), features: 8, seed: 1)
        let losses = model.train(on: (0..<2000).map(Self.sortedList), steps: 600, seed: 3)
        let (first, last): (Float, Float) = (losses.prefix(50).reduce(0, +), losses.suffix(50).reduce(0, +))
        #expect(last < 0.6 * first)
        var before: [Int] = []
        var after: [Int] = []
        for stream in 5000..<5400 as Range<UInt64> {
            let list = Self.sortedList(stream)
            let noised = SwapDiffusion.noised(length: 10, steps: 10, generator: Self.generator, stream: stream)
            guard noised.swaps.count >= 3 else { continue }
            let rows = list.rows.gatheringRows(noised.order.map { Int32($0) })
            let order = model.reranked(rows, responses: list.responses).map { noised.order[$0] }
            #expect(order.sorted() == Array(0..<10))
            before.append(noised.swaps.count)
            after.append(Self.inversions(order))
        }
        #expect(before.count > 100)
        #expect(after.reduce(0, +) < before.reduce(0, +) / 4)
        #expect(after.count { $0 == 0 } > after.count / 2)
    }
}
