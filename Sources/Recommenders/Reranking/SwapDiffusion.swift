package import Kernels

/// The forward process of ``DCDR``: a list's diffusion by swaps of neighbours.
///
/// The first steps leave the list unchanged; their number is drawn uniformly from 0 to T. Each later step swaps one
/// neighbouring pair that is still in its original order, drawn uniformly. So no swap undoes another, `m` swaps leave
/// exactly `m` inversions, and a swap is its own inverse. In reverse, a step without a swap is followed only by steps
/// without one, so stopping there is exact.
package enum SwapDiffusion {
    /// A list after some steps.
    package struct Noised: Equatable {
        /// The step `t`, from 1 to T.
        package var step: Int
        /// The original place of each of its items.
        package var order: [Int]
        /// The swaps, each named by the place of the pair's first item, in the order in which they were made.
        package var swaps: [Int]
    }

    /// A list of `length` items at a random step, drawn from the front of a stream.
    package static func noised(length: Int, steps: Int, generator: CounterBasedGenerator, stream: UInt64) -> Noised {
        let draws = generator.uniforms(stream: stream, count: 2 + steps)
        let step = 1 + Int(draws[0] * Double(steps))
        let first = Int(draws[1] * Double(steps + 1))
        var noised = Noised(step: step, order: Array(0..<length), swaps: [])
        for draw in draws.dropFirst(2).prefix(max(0, step - first)) {
            let ordered = (0..<length - 1).filter { noised.order[$0] < noised.order[$0 + 1] }
            let place = ordered[Int(draw * Double(ordered.count))]
            noised.order.swapAt(place, place + 1)
            noised.swaps.append(place)
        }
        return noised
    }

    /// The most probable result of the reverse process, by beam search.
    ///
    /// Paths that lead to the same list at the same step are merged, and their probabilities added. The search ends
    /// early when no list can become more probable than the best finished list.
    ///
    /// - Parameters:
    ///   - length: Items of the list.
    ///   - steps: T, at which the given list counts as noised.
    ///   - beam: How many lists are followed at each step.
    ///   - probabilities: Returns the probability of each edit of some lists at a step, one row per list:
    ///     `length - 1` swaps, then stopping. A list holds the original place of each of its items.
    /// - Returns: The place in the given list of each of the result's items.
    /// - Complexity: At most T calls with at most `beam` lists.
    package static func mostProbable(
        length: Int,
        steps: Int,
        beam: Int,
        probabilities: (_ lists: [[Int]], _ step: Int) -> Matrix
    ) -> [Int] {
        var followed: [(order: [Int], probability: Double)] = [(Array(0..<length), 1)]
        var done: [[Int]: Double] = [:]
        for step in stride(from: steps, through: 1, by: -1) {
            let edits = probabilities(followed.map(\.order), step)
            var next: [[Int]: Double] = [:]
            var left = 0.0
            for (row, list) in followed.enumerated() {
                done[list.order, default: 0] += list.probability * Double(edits[row, length - 1])
                for place in 0..<length - 1 {
                    var order = list.order
                    order.swapAt(place, place + 1)
                    let probability = list.probability * Double(edits[row, place])
                    next[order, default: 0] += probability
                    left += probability
                }
            }
            let best = done.values.sorted(by: >).prefix(2)
            if best[0] - (best.count > 1 ? best[1] : 0) >= left { return mostProbable(done) }
            followed = next.map { ($0.key, $0.value) }
                .sorted { $0.1 != $1.1 ? $0.1 > $1.1 : $0.0.lexicographicallyPrecedes($1.0) }
            if followed.count > beam { followed.removeSubrange(beam...) }
        }
        // At step 0 there is nothing left to undo.
        for list in followed { done[list.order, default: 0] += list.probability }
        return mostProbable(done)
    }

    private static func mostProbable(_ lists: [[Int]: Double]) -> [Int] {
        let best = lists.min { $0.value != $1.value ? $0.value > $1.value : $0.key.lexicographicallyPrecedes($1.key) }
        guard let best else { preconditionFailure("no list was followed") }
        return best.key
    }
}
