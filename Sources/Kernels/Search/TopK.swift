import CKernels

/// An item and its score.
public struct Scored: Sendable, Equatable, Comparable {
    /// The scored item: a row number, or another number that the owner of the scores defines.
    public var id: Int32
    /// Its score; larger is better.
    public var score: Float

    /// Pairs an id with its score.
    public init(id: Int32, score: Float) {
        self.id = id
        self.score = score
    }

    /// Better entries come first: the higher score, and at equal scores the lower id.
    public static func < (left: Scored, right: Scored) -> Bool {
        left.score != right.score ? left.score > right.score : left.id < right.id
    }
}

/// Keeps the best `k` of a stream of scored ids.
///
/// A binary heap with the worst kept entry at the root. Ties are broken as in ``Scored``, so the result does not depend
/// on the order of offers. Complexity: O(log k) for an accepted offer, O(1) for a refused one.
public struct TopK: Sendable {
    /// The largest number of kept entries.
    public private(set) var k: Int
    private var heap: [Scored] = []
    /// Positions of the scores that may enter, when many are offered at once.
    private var found: [Int32] = []

    /// An empty selection of at most `k`.
    public init(k: Int) {
        precondition(k >= 0, "k is \(k)")
        self.k = k
        if k > 0 { heap.reserveCapacity(k) }  // an empty array allocates even for a capacity of 0
    }

    /// Removes all entries and sets another `k`; storage is reused.
    public mutating func reset(k: Int) {
        precondition(k >= 0, "k is \(k)")
        self.k = k
        heap.removeAll(keepingCapacity: true)
    }

    /// Offers below this score are refused; minus infinity until `k` entries are kept.
    public var threshold: Float {
        guard k > 0 else { return .infinity }
        return heap.count < k ? -.infinity : heap[0].score
    }

    /// Offers one candidate.
    public mutating func offer(_ candidate: Scored) {
        if heap.count < k {
            heap.append(candidate)
            siftUp()
        } else if k > 0, candidate < heap[0] {
            heap[0] = candidate
            siftDown()
        }
    }

    /// Offers many scores, and skips whole blocks of scores that cannot enter.
    ///
    /// - Parameters:
    ///   - scores: Scores; only the first `count` are read.
    ///   - count: The number of scores to read.
    ///   - id: Maps a position to its id; nil refuses the position.
    public mutating func offer(_ scores: [Float], count: Int, id: (Int) -> Int32?) {
        precondition(count <= scores.count, "\(count) of \(scores.count) scores")
        offer(scores.span.extracting(0..<count), id: id)
    }

    /// Offers all scores of a span, and skips whole blocks of scores that cannot enter.
    ///
    /// - Parameters:
    ///   - scores: Scores.
    ///   - id: Maps a position to its id; nil refuses the position.
    public mutating func offer(_ scores: Span<Float>, id: (Int) -> Int32?) {
        if found.isEmpty { found = [Int32](repeating: 0, count: 256) }
        var position = 0
        while position < scores.count {
            var foundCount = 0
            let (from, capacity, threshold) = (position, found.count, threshold)
            position = unsafe scores.withUnsafeBufferPointer { scores in
                unsafe ck_filter_above(
                    scores.baseAddress,
                    from,
                    scores.count,
                    threshold,
                    &found,
                    capacity,
                    &foundCount
                )
            }
            for entry in 0..<foundCount {
                let index = Int(found[entry])
                if let id = id(index) { offer(Scored(id: id, score: scores[index])) }
            }
        }
    }

    /// The kept entries, best first.
    public func sorted() -> [Scored] { heap.sorted() }

    /// Moves the kept entries to an array, best first.
    ///
    /// - Complexity: O(k log k), in place: nothing is allocated if `out` has room.
    public mutating func drainSorted(into out: inout [Scored]) {
        out.removeAll(keepingCapacity: true)
        out.append(contentsOf: heap)
        for end in stride(from: heap.count - 1, through: 0, by: -1) {
            out[end] = heap[0]
            heap[0] = heap[end]
            heap.removeLast()
            siftDown()
        }
    }

    private mutating func siftUp() {
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[parent] < heap[child] else { return }
            heap.swapAt(parent, child)
            child = parent
        }
    }

    private mutating func siftDown() {
        var parent = 0
        while parent < heap.count {
            var worst = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[worst] < heap[child] {
                worst = child
            }
            guard worst != parent else { return }
            heap.swapAt(parent, worst)
            parent = worst
        }
    }
}
