import CKernels

/// An item and its score.
public struct Scored: Sendable, Equatable, Comparable {
    /// What was scored: a row number, or whatever the owner of the scores numbers by.
    public var id: Int32
    /// Its score; larger is better.
    public var score: Float

    /// Pairs an id with its score.
    public init(id: Int32, score: Float) {
        self.id = id
        self.score = score
    }

    /// Better comes first: the higher score, and on equal scores the lower id.
    public static func < (left: Scored, right: Scored) -> Bool {
        left.score != right.score ? left.score > right.score : left.id < right.id
    }
}

/// Keeps the best `k` of a stream of scored ids.
///
/// A binary heap with the worst kept entry at the root; ties are broken as in ``Scored``, so the outcome does not depend
/// on the order of offers. Complexity: O(log k) for an accepted offer, O(1) for a refused one.
public struct TopK: Sendable {
    /// How many are kept at most.
    public private(set) var k: Int
    private var heap: [Scored] = []
    /// Positions of scores that may enter, for offers of many.
    private var found: [Int32] = []

    /// An empty selection of at most `k`.
    public init(k: Int) {
        precondition(k >= 0, "k is \(k)")
        self.k = k
        if k > 0 { heap.reserveCapacity(k) }  // an array without elements allocates for a capacity of 0 too
    }

    /// Forgets what was kept, to keep at most another `k`; storage is reused.
    public mutating func reset(k: Int) {
        precondition(k >= 0, "k is \(k)")
        self.k = k
        heap.removeAll(keepingCapacity: true)
    }

    /// An offer below this score is refused; minus infinity until `k` are kept.
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

    /// Offers the scores of consecutive ids `first...`, skipping what cannot enter in blocks.
    ///
    /// - Parameters:
    ///   - scores: Scores; only the first `count` are read.
    ///   - count: How many to read.
    ///   - id: Maps a position to the id that is kept; nil refuses it.
    public mutating func offer(_ scores: [Float], count: Int, id: (Int) -> Int32?) {
        precondition(count <= scores.count, "\(count) of \(scores.count) scores")
        if found.isEmpty { found = [Int32](repeating: 0, count: 256) }
        var position = 0
        while position < count {
            var foundCount = 0
            let capacity = found.count
            position = unsafe ck_filter_above(scores, position, count, threshold, &found, capacity, &foundCount)
            for entry in 0..<foundCount {
                let index = Int(found[entry])
                if let id = id(index) { offer(Scored(id: id, score: scores[index])) }
            }
        }
    }

    /// What was kept, best first.
    public func sorted() -> [Scored] { heap.sorted() }

    /// Moves what was kept into an array, best first, and keeps nothing.
    ///
    /// - Complexity: O(k log k), in place: nothing is allocated when `out` has room.
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
