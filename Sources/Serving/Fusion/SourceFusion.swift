import CheckpointStore
import Kernels

/// Merges the lists of several sources into one; the reusable buffers of one thread.
///
/// All lists have the item numbers of one catalogue, best first. An item's fused score is the weighted mean of the
/// sources' values of it; a source that does not give the item has the value 0. So an item that every source ranks
/// first has the score 1.
struct SourceFusion {
    /// A source's list.
    private struct List {
        let source: SourceBlend.Source
        /// Whether the list takes part; the others only fill places that stay empty.
        let takesPart: Bool
        let items: Range<Int>
    }

    private var blend = SourceBlend([])
    private var lists: [List] = []
    private var items: [Scored] = []
    /// For each item of the catalogue its place in `fused`, counted from 1; 0 for an item of no fused list.
    ///
    /// All zero between calls.
    private var places: [Int32] = []
    private var fused: [(item: Int32, score: Double)] = []
    private var taken = ItemSet(bound: 0)
    private var scores: [Float] = []
    private var ids: [Int32] = []
    private var sorting = ScoreList()
    private var ranked: [Scored] = []
    /// The fused items.
    private(set) var results: [Scored] = []

    /// Starts a fusion of lists of items below `bound`.
    mutating func begin(_ blend: SourceBlend, bound: Int) {
        self.blend = blend
        lists.removeAll(keepingCapacity: true)
        items.removeAll(keepingCapacity: true)
        if places.count < bound { places = [Int32](repeating: 0, count: bound) }
        if taken.bound < bound { taken = ItemSet(bound: bound) }
    }

    /// Adds the next source's list.
    ///
    /// - Parameters:
    ///   - source: The source.
    ///   - takesPart: False for a list that is no prediction and only fills empty places.
    ///   - list: Its items, best first.
    ///   - number: The number of an item in the common catalogue; nil leaves the item out.
    mutating func append(
        _ source: SourceBlend.Source,
        takesPart: Bool,
        _ list: some Sequence<Scored>,
        number: (Int32) -> Int32?
    ) {
        let start = items.count
        for entry in list {
            if let item = number(entry.id) { items.append(Scored(id: item, score: entry.score)) }
        }
        lists.append(List(source: source, takesPart: takesPart, items: start..<items.count))
    }

    /// Leaves the best `k` items in ``results``.
    ///
    /// The fused items come first, best first, ties by the lower number. Then each source with a quota adds its best
    /// items that the answer does not have. Places that stay empty go to further fused items, then to any list.
    ///
    /// - Complexity: O(n log n) in the length of all lists.
    mutating func fuse(_ k: Int) { fuse(k, depth: k) }

    /// All items of the lists: those of ``fuse(_:)`` in the same order, then the others.
    ///
    /// Scores never rise along the list, because rules order by them: an item of a quota has at least the score of the
    /// item after it, and so keeps its place.
    mutating func rankAll(answering k: Int) -> [Scored] {
        fuse(k, depth: items.count)
        var ranked = results
        for place in ranked.indices.dropLast().reversed() where ranked[place].score < ranked[place + 1].score {
            ranked[place] = Scored(id: ranked[place].id, score: ranked[place + 1].score)
        }
        return ranked
    }

    private mutating func fuse(_ k: Int, depth: Int) {
        scoreItems()
        results.removeAll(keepingCapacity: true)
        let quotas = blend.quotas
        if quotas > 0 {
            takeFused(k - quotas)
            for list in lists {
                if let quota = list.source.quota, list.takesPart { take(min(quota, k - results.count), from: list) }
            }
        }
        takeFused(depth - results.count)
        for list in lists { take(depth - results.count, from: list) }
        for entry in results { taken.remove(entry.id) }
        for entry in fused { places[Int(entry.item)] = 0 }
    }

    /// The rank that each source gives each of some items, counted from 1; 0 for an item that a source does not give.
    ///
    /// - Parameters:
    ///   - chosen: Items, each once.
    ///   - ranks: Receives one number for each source of each item, item after item.
    mutating func rank(_ chosen: [Scored], into ranks: inout [Int32]) {
        ranks = [Int32](repeating: 0, count: chosen.count * lists.count)
        for (place, entry) in chosen.enumerated() { places[Int(entry.id)] = Int32(place + 1) }
        // A list that takes no part is named only with items that no other list gave.
        for (source, list) in lists.enumerated() where list.takesPart { rank(source, in: &ranks) { _ in true } }
        let given = ranks
        for (source, list) in lists.enumerated() where !list.takesPart {
            rank(source, in: &ranks) { row in given[row].allSatisfy { $0 == 0 } }
        }
        for entry in chosen { places[Int(entry.id)] = 0 }
    }

    private func rank(_ source: Int, in ranks: inout [Int32], where condition: (Range<Int>) -> Bool) {
        for (rank, entry) in items[lists[source].items].enumerated() where places[Int(entry.id)] > 0 {
            let start = Int(places[Int(entry.id)] - 1) * lists.count
            if condition(start..<start + lists.count) { ranks[start + source] = Int32(rank + 1) }
        }
    }

    /// Computes the fused score of every item of the lists without a quota.
    private mutating func scoreItems() {
        fused.removeAll(keepingCapacity: true)
        let isFused = { (list: List) in list.takesPart && list.source.quota == nil }
        let whole = lists.reduce(0) { isFused($1) ? $0 + $1.source.weight : $0 }
        for list in lists where isFused(list) {
            let weight = list.source.weight / whole
            let (start, end) = (list.items.lowerBound, list.items.upperBound)
            let (greatest, least) = start < end ? (items[start].score, items[end - 1].score) : (0, 0)
            for position in list.items {
                let entry = items[position]
                let value: Double
                if blend.fusion == .reciprocalRank {
                    value = (blend.constant + 1) / (blend.constant + Double(position - start + 1))
                } else if list.source.model == nil {
                    // A popularity list has an order but no scores.
                    value = Double(end - position) / Double(end - start)
                } else {
                    let range = Double(greatest) - Double(least)
                    value = range > 0 ? (Double(entry.score) - Double(least)) / range : 1
                }
                add(weight * value, to: entry.id)
            }
        }
    }

    private mutating func add(_ score: Double, to item: Int32) {
        if places[Int(item)] == 0 {
            fused.append((item, score))
            places[Int(item)] = Int32(fused.count)
        } else {
            fused[Int(places[Int(item)]) - 1].score += score
        }
    }

    /// Adds the best `count` fused items that are not taken.
    private mutating func takeFused(_ count: Int) {
        guard count > 0 else { return }
        scores.removeAll(keepingCapacity: true)
        ids.removeAll(keepingCapacity: true)
        for entry in fused where !taken.contains(entry.item) {
            scores.append(Float(entry.score))
            ids.append(entry.item)
        }
        sorting.best(count, of: &scores, &ids, count: ids.count, into: &ranked)
        for entry in ranked { take(entry) }
    }

    /// Adds the first `count` items of a list that are not taken, with their fused scores.
    private mutating func take(_ count: Int, from list: List) {
        var left = count
        for position in list.items {
            guard left > 0 else { return }
            let item = items[position].id
            guard !taken.contains(item) else { continue }
            let place = Int(places[Int(item)])
            take(Scored(id: item, score: place == 0 ? 0 : Float(fused[place - 1].score)))
            left -= 1
        }
    }

    private mutating func take(_ entry: Scored) {
        taken.insert(entry.id)
        results.append(entry)
    }
}
