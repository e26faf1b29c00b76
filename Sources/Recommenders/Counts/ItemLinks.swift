import Dispatch
public import Kernels
import Synchronization

/// Links from each item to some others, each with a strength: the rows of a sparse matrix, the strongest links first.
public struct ItemLinks: Sendable, Equatable {
    /// The linked items, item after item.
    private let ids: [Int32]
    /// Their strengths, from 0 to ``CountScores/largest``.
    private let strengths: [Float]
    /// The links of item `i` are at `offsets[i] ..< offsets[i + 1]`.
    private let offsets: [Int]

    /// How many items have links, or an empty list of them.
    public var items: Int { offsets.count - 1 }

    /// The places of an item's links.
    func places(of item: Int32) -> Range<Int> { offsets[Int(item)]..<offsets[Int(item) + 1] }

    /// The link at a place.
    subscript(place: Int) -> (item: Int32, strength: Float) { (ids[place], strengths[place]) }

    /// An item's links, the strongest first.
    public func links(of item: Int32) -> [(item: Int32, strength: Float)] { places(of: item).map { self[$0] } }

    /// The sum of the rows of each item's linked items, by strength, `[items, d]`; `rows` is `[items, d]`.
    package func sums(of rows: Matrix) -> Matrix {
        precondition(rows.rows == items, "\(rows.rows) rows for links of \(items) items")
        return rows.weightedSums(strengths, histories: RaggedRows(ids: ids, offsets: offsets), interests: 1)
    }

    /// How many of an item's occurrences are counted: the last ones of the sequences.
    static let occurrences = 2000
    /// The distance in a sequence up to which two items are neighbours.
    static let window = 50
    /// Added to counts before they are divided by, so that rare items have weak links.
    static let (followerShrinkage, neighbourShrinkage): (Float, Float) = (5, 3)

    /// Links each item to those that came directly after it.
    ///
    /// The strength is the number of times divided by the number of times that anything came after the item, plus 5.
    ///
    /// - Parameters:
    ///   - sequences: Item numbers, oldest first, all below `items`.
    ///   - items: Size of the catalogue.
    ///   - count: Most links of an item.
    /// - Complexity: O(events), and O(items) memory for each core.
    public init(followersIn sequences: RaggedRows, items: Int, keeping count: Int) {
        let places = Occurrences(sequences, items: items)
        self.init(items: items, keeping: count) { item, tally in
            var followed: Float = 0
            for place in places.newest(of: item) where place + 1 < places.end(ofSequenceAt: place) {
                tally.add(sequences.ids[place + 1])
                followed += 1
            }
            return { tally, other in tally[other] / (followed + Self.followerShrinkage) }
        }
    }

    /// Links each item to those that occur near it.
    ///
    /// The strength is a cosine: the number of sequences in which the two are at most 50 places apart, divided by the
    /// root of the product of the numbers of sequences that have each, plus 3.
    ///
    /// - Parameters:
    ///   - sequences: Item numbers, all below `items`.
    ///   - items: Size of the catalogue.
    ///   - count: Most links of an item.
    /// - Complexity: O(100 events), at most 2000 occurrences of an item, and O(items) memory for each core.
    public init(neighboursIn sequences: RaggedRows, items: Int, keeping count: Int) {
        let places = Occurrences(sequences, items: items)
        let having = (0..<items).map { places.sequences(of: $0) }
        self.init(items: items, keeping: count) { item, tally in
            var seen: Int32?
            var counted = 0
            for place in places.newest(of: item) {
                let sequence = places.sequence(at: place)
                if sequence != seen {
                    seen = sequence
                    counted += 1
                    tally.startGroup()
                }
                let bounds = places.start(ofSequenceAt: place)..<places.end(ofSequenceAt: place)
                for near in max(
                    bounds.lowerBound,
                    place - Self.window
                )..<min(bounds.upperBound, place + Self.window + 1)
                where sequences.ids[near] != Int32(item) {
                    tally.addOnce(sequences.ids[near])
                }
            }
            let scale = Float(having[item]) / Float(max(1, counted))
            let own = Float(having[item]) + Self.neighbourShrinkage
            return { tally, other in
                scale * tally[other] / (own * (Float(having[Int(other)]) + Self.neighbourShrinkage)).squareRoot()
            }
        }
    }

    /// Returns the strength of the link to an item that was counted.
    private typealias Strength = (Tally, Int32) -> Float

    /// Counts for each item in turn, on all cores, and keeps the strongest links.
    private init(items: Int, keeping count: Int, counting: @Sendable (Int, inout Tally) -> Strength) {
        let block = 2048
        let blocks = (items + block - 1) / block
        let parts = Mutex([[[Scored]]](repeating: [], count: blocks))
        let workers = min(blocks, 16)
        DispatchQueue.concurrentPerform(iterations: workers) { worker in
            var tally = Tally(items: items)
            for number in stride(from: worker, to: blocks, by: workers) {
                let lists = (number * block..<min(items, (number + 1) * block)).map { item in
                    let strength = counting(item, &tally)
                    defer { tally.removeAll() }
                    var best = TopK(k: min(count, tally.counted.count))
                    for other in tally.counted { best.offer(Scored(id: other, score: strength(tally, other))) }
                    return best.sorted()
                }
                parts.withLock { $0[number] = lists }
            }
        }
        let lists = parts.withLock { $0 }
        ids = lists.flatMap { $0.flatMap { $0.map(\.id) } }
        strengths = lists.flatMap { $0.flatMap { $0.map(\.score) } }
        var offsets = [0]
        offsets.reserveCapacity(items + 1)
        for list in lists.lazy.joined() { offsets.append(offsets[offsets.count - 1] + list.count) }
        self.offsets = offsets
    }
}

extension ItemLinks {
    private static let parts = (lengths: ".lengths", items: ".items", strengths: ".strengths")

    /// The matrices that a checkpoint stores, by names that start with `name`.
    func matrices(named name: String) -> [String: Matrix] {
        let lengths = zip(offsets, offsets.dropFirst()).map { Int32($1 - $0) }
        return [
            name + Self.parts.lengths: StoredIntegers(lengths, columns: 1, below: items + 1).matrix,
            name + Self.parts.items: StoredIntegers(ids, columns: 1, below: items).matrix,
            name + Self.parts.strengths: Matrix(rows: strengths.count, columns: 1, elements: strengths),
        ]
    }

    /// Takes stored links out of a checkpoint's matrices.
    ///
    /// - Throws: `ParameterError` for a missing matrix, a wrong shape, or an element out of range.
    init(takingFrom matrices: inout [String: Matrix], named name: String, items: Int) throws(ParameterError) {
        func take(_ part: String) throws(ParameterError) -> Matrix {
            guard let matrix = matrices.removeValue(forKey: name + part) else { throw .missing(name + part) }
            return matrix
        }
        func integers(_ part: String, below bound: Int) throws(ParameterError) -> [Int32] {
            let stored = try StoredIntegers(stored: take(part), name: name + part, columns: 1, in: 0..<bound)
            return (0..<stored.count).map { Int32(stored[$0]) }
        }
        let lengths = try integers(Self.parts.lengths, below: items + 1)
        guard lengths.count == items else { throw .itemCount(expected: items, found: lengths.count) }
        ids = try integers(Self.parts.items, below: items)
        let stored = try take(Self.parts.strengths)
        guard stored.shape == [ids.count, 1] else {
            throw .shape(name + Self.parts.strengths, expected: [ids.count, 1], found: stored.shape)
        }
        if let row = stored.elements.firstIndex(where: { !(0...CountScores.largest ~= $0) }) {
            let (found, allowed) = ("\(stored.elements[row])", "from 0 to \(CountScores.largest)")
            throw .value(name + Self.parts.strengths, row: row, column: 0, found: found, allowed: allowed)
        }
        strengths = stored.elements
        var offsets = [0]
        offsets.reserveCapacity(items + 1)
        for length in lengths { offsets.append(offsets[offsets.count - 1] + Int(length)) }
        guard offsets[items] == ids.count else {
            throw .shape(name + Self.parts.items, expected: [offsets[items], 1], found: [ids.count, 1])
        }
        self.offsets = offsets
    }
}

/// Where each item occurs in sequences.
private struct Occurrences: Sendable {
    /// Places in the sequences' ids, ascending, item after item.
    private let places: [Int]
    private let starts: [Int]
    private let sequenceAt: [Int32]
    private let offsets: [Int]

    init(_ sequences: RaggedRows, items: Int) {
        var ends = [Int](repeating: 0, count: items + 1)
        for id in sequences.ids { ends[Int(id) + 1] += 1 }
        for item in 0..<items { ends[item + 1] += ends[item] }
        starts = ends
        var places = [Int](repeating: 0, count: sequences.ids.count)
        for (place, id) in sequences.ids.enumerated() {
            places[ends[Int(id)]] = place
            ends[Int(id)] += 1
        }
        self.places = places
        offsets = sequences.offsets
        sequenceAt = (0..<sequences.count).flatMap { row in
            repeatElement(Int32(row), count: sequences.offsets[row + 1] - sequences.offsets[row])
        }
    }

    /// The last places of an item, ascending.
    func newest(of item: Int) -> ArraySlice<Int> {
        places[starts[item]..<starts[item + 1]].suffix(ItemLinks.occurrences)
    }

    /// How many sequences have an item.
    func sequences(of item: Int) -> Int {
        var (count, last): (Int, Int32) = (0, -1)
        for place in places[starts[item]..<starts[item + 1]] where sequenceAt[place] != last {
            count += 1
            last = sequenceAt[place]
        }
        return count
    }

    func sequence(at place: Int) -> Int32 { sequenceAt[place] }
    func start(ofSequenceAt place: Int) -> Int { offsets[Int(sequenceAt[place])] }
    func end(ofSequenceAt place: Int) -> Int { offsets[Int(sequenceAt[place]) + 1] }
}

/// Counts of items, cleared in time proportional to the number of counted items.
private struct Tally {
    private var counts: [Float]
    private var groups: [UInt64]
    private var group: UInt64 = 0
    /// The items with a count, in the order of their first.
    private(set) var counted: [Int32] = []

    init(items: Int) {
        counts = [Float](repeating: 0, count: items)
        groups = [UInt64](repeating: 0, count: items)
    }

    subscript(item: Int32) -> Float { counts[Int(item)] }

    mutating func add(_ item: Int32) {
        if counts[Int(item)] == 0 { counted.append(item) }
        counts[Int(item)] += 1
    }

    /// Begins a group, in which ``addOnce(_:)`` counts an item once.
    mutating func startGroup() { group += 1 }

    mutating func addOnce(_ item: Int32) {
        guard groups[Int(item)] != group else { return }
        groups[Int(item)] = group
        add(item)
    }

    mutating func removeAll() {
        for item in counted { counts[Int(item)] = 0 }
        counted.removeAll(keepingCapacity: true)
    }
}
