import CheckpointStore
import Foundation
import Kernels

/// A log drawn from a simple model of users, which exaggerates one trait of real logs.
///
/// The next item of a sequence is, with given probabilities, an earlier item of it, one of three set followers of the
/// last item, an item of the last item's group, or any item. Items of a group and all items are drawn by popularity,
/// and only while they live.
public struct MadeUpLog: Sendable {
    /// The trait.
    public let name: String
    /// How many sequences there are, in the order of time.
    var sequences = 10_000
    /// The mean length of a sequence; lengths are geometric, at least 2.
    var length = 6.0
    /// Size of the catalogue.
    var items = 3000
    /// Items of a group.
    var group = 25
    /// Popularity falls with the rank to the power of minus this.
    var tail = 0.8
    /// The probability that the next item is an earlier one of the sequence.
    var repeats = 0.1
    /// The probability that the next item is a set follower of the last one.
    var follows = 0.25
    /// The probability, if none of the above, that the next item is of the last item's group.
    var stays = 0.7
    /// The share of the log's time in which an item exists; 1 or more means always.
    var life = 1.0

    /// The logs of the benchmark.
    public static let all = [
        MadeUpLog(name: "sessions", sequences: 20_000, length: 4, items: 5000),
        MadeUpLog(name: "histories", sequences: 1500, length: 80, items: 2000, repeats: 0, follows: 0.1),
        MadeUpLog(name: "repeats", sequences: 3000, length: 25, items: 2000, repeats: 0.5),
        MadeUpLog(name: "transitions", sequences: 6000, length: 10, follows: 0.7),
        MadeUpLog(name: "drift", sequences: 15_000, items: 6000, life: 0.15),
        MadeUpLog(name: "tail", items: 20_000, tail: 1.2),
        MadeUpLog(name: "few items", sequences: 3000, length: 12, items: 60, group: 6),
        MadeUpLog(name: "many items", sequences: 20_000, items: 60_000, tail: 0.5),
        MadeUpLog(name: "few rows", sequences: 400, length: 8, items: 300),
        MadeUpLog(name: "noise", length: 5, repeats: 0.02, follows: 0.02, stays: 0.2),
    ]

    /// The log's data, split by time: the last tenth of the sequences is the test part, the tenth before validates.
    ///
    /// - Parameter seed: Seed of every draw.
    /// - Returns: Sequences, and a catalogue without titles.
    /// - Complexity: O(events * log items).
    public func data(seed: UInt64) -> TrainingData {
        var random = SequentialGenerator(CounterBasedGenerator(seed: seed, purpose: .simulation))
        let births = (0..<items).map { _ in Double.random(in: -min(life, 1)..<1, using: &random) }
        let ranks = (0..<items).shuffled(using: &random)
        let followers = (0..<3 * items).map { _ in Int.random(in: 0..<items, using: &random) }
        let popularity = Weights(ranks.map { pow(Double($0 + 1), -tail) })
        let groups = stride(from: 0, to: items, by: group).map { start in
            Weights(ranks[start..<min(start + group, items)].map { pow(Double($0 + 1), -tail) })
        }
        func lives(_ item: Int, _ time: Double) -> Bool { life >= 1 || births[item]..<births[item] + life ~= time }
        func next(_ sequence: [Int32], _ time: Double) -> Int {
            let last = sequence.last.map { Int($0) }
            if let last {
                if Double.random(in: 0..<1, using: &random) < repeats {
                    return Int(sequence[Int.random(in: 0..<sequence.count, using: &random)])
                }
                if Double.random(in: 0..<1, using: &random) < follows {
                    let follower = followers[3 * last + Int.random(in: 0..<3, using: &random)]
                    if lives(follower, time) { return follower }
                }
            }
            for _ in 0..<100 {
                var item = popularity.draw(&random)
                if let last, Double.random(in: 0..<1, using: &random) < stays {
                    item = last / group * group + groups[last / group].draw(&random)
                }
                if lives(item, time) { return item }
            }
            return popularity.draw(&random)
        }
        let rows = (0..<sequences).map { number in
            let time = Double(number) / Double(sequences)
            var sequence: [Int32] = []
            repeat {
                sequence.append(Int32(next(sequence, time)))
            } while sequence.count < 2
                || Double.random(in: 0..<1, using: &random) > 1 / max(1, length - 1)
            return sequence
        }
        return data(rows)
    }

    private func data(_ rows: [[Int32]]) -> TrainingData {
        func part(_ range: Range<Int>) -> DataPart {
            DataPart(userIDs: range.map { "u\($0)" }, sequences: RaggedRows(rows[range]))
        }
        let (first, second) = (sequences * 8 / 10, sequences * 9 / 10)
        return TrainingData(
            split: DataSplit(
                train: part(0..<first),
                validation: part(first..<second),
                test: part(second..<sequences)
            ),
            catalogue: Catalogue(ids: (0..<items).map { "i\($0)" }),
            fingerprint: DataFingerprint(split: SplitKind.time.rawValue, splitSeed: 0, digests: ["made up": name]),
            notes: []
        )
    }
}

/// Draws numbers in proportion to weights.
private struct Weights {
    private let sums: [Double]

    init(_ weights: [Double]) {
        var sum = 0.0
        sums = weights.map { weight in
            sum += weight
            return sum
        }
    }

    /// - Complexity: O(log of the number of weights).
    func draw(_ random: inout SequentialGenerator) -> Int {
        let place = Double.random(in: 0..<(sums.last ?? 1), using: &random)
        var (low, high) = (0, sums.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if sums[middle] > place { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
