import Foundation
import Kernels

/// The items that a history is linked to and the most popular ones, with their terms; the reusable buffers of one thread.
public struct LinkedItems: Sendable {
    /// The counts of an item.
    private struct Counts {
        var followed: Float = 0
        var near: Float = 0
        var popular: Float = 0
        /// How often it occurs in the history.
        var repeats: Float = 0
        /// The age of its newest occurrence.
        var age: Float = 0
    }

    /// The items, each once, in the order in which the history led to them.
    public private(set) var items: [Int32] = []
    private var counts: [Counts] = []
    /// The logarithm of the history's length.
    private var logLength: Float = 0
    /// For each item of the catalogue one more than its place among the items, or 0.
    private var places: [Int32] = []

    /// Empty buffers.
    public init() {}

    /// Collects the items of a history and those linked to it.
    ///
    /// - Parameters:
    ///   - history: Item numbers, oldest first, all below `scores.items`; the newest 1000 count.
    ///   - scores: The links.
    /// - Complexity: O(history + links of its newest 20 items + popular items).
    public mutating func collect(_ history: ArraySlice<Int32>, _ scores: CountScores) {
        for item in items { places[Int(item)] = 0 }
        items.removeAll(keepingCapacity: true)
        counts.removeAll(keepingCapacity: true)
        if places.count < scores.items { places = [Int32](repeating: 0, count: scores.items) }
        let counted = history.suffix(CountScores.historyLength)
        logLength = log(Float(max(1, counted.count)))
        for (age, item) in counted.reversed().enumerated() {
            let place = place(of: item)
            if counts[place].repeats == 0 { counts[place].age = Float(age) }
            counts[place].repeats += 1
        }
        if let newest = history.last {
            for link in scores.followers.places(of: newest) {
                let (item, strength) = scores.followers[link]
                counts[place(of: item)].followed += strength
            }
        }
        for entry in scores.popular.entries { counts[place(of: entry.id)].popular = entry.score }
        var factor: Float = 1
        for item in history.suffix(CountScores.newest).reversed() {
            for link in scores.neighbours.places(of: item) {
                let (item, strength) = scores.neighbours[link]
                counts[place(of: item)].near += factor * strength
            }
            factor *= CountScores.decay
        }
    }

    private mutating func place(of item: Int32) -> Int {
        if places[Int(item)] == 0 {
            items.append(item)
            counts.append(Counts())
            places[Int(item)] = Int32(items.count)
        }
        return Int(places[Int(item)]) - 1
    }

    /// The place of an item among ``items``; nil if the history is not linked to it.
    public func place(ifLinked item: Int32) -> Int? {
        let place = places.indices.contains(Int(item)) ? places[Int(item)] : 0
        return place == 0 ? nil : Int(place) - 1
    }

    /// The terms of the item at a place of ``items``.
    public func terms(at place: Int) -> CountScores.Terms {
        let counts = counts[place]
        var terms = CountScores.Terms.zero
        if counts.followed > 0 {
            terms[0] = log1p(10 * counts.followed)
            terms[1] = log1p(1000 * counts.followed)
        }
        if counts.near > 0 {
            terms[2] = log1p(10 * counts.near)
            terms[3] = log1p(1000 * counts.near)
        }
        terms[CountScores.popularity] = counts.popular
        if counts.repeats > 0 {
            terms[4] = 1
            terms[5] = 1 / (1 + counts.age)
            terms[6] = log(counts.repeats)
            terms[7] = logLength
            terms[8] = log1p(counts.age)
            terms[9] = terms[CountScores.followed]
            terms[10] = terms[CountScores.near]
        }
        return terms
    }
}
