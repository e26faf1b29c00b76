import Kernels

/// The reusable buffers of one thread for ``ScoringRecommender``.
package struct ScoringScratch {
    /// A past session that shares items with a history.
    struct Session {
        /// The sum of the weights of the shared items; 0 for a session that shares none.
        var likeness: Float = 0
        /// The age of the newest shared item.
        var age: Int32 = 0
    }

    /// Distinct items of a history, ascending.
    private(set) var distinct = ItemSet(bound: 0)
    private var listed: [Int32] = []
    /// The sessions of the training part.
    var sessions: [Session] = []
    /// The sessions that share an item, each once.
    var alike: [Int32] = []
    /// The most similar sessions.
    var best = TopK(k: 0)
    /// The same, the most similar first.
    var ranked: [Scored] = []

    /// Empty buffers.
    package init() {}

    /// Puts the items of a history into ``distinct``.
    ///
    /// - Complexity: O(history), and O(items) the first time.
    mutating func collectDistinct(_ history: ArraySlice<Int32>, items: Int) {
        if distinct.bound < items { distinct = ItemSet(bound: items) }
        for item in history { insert(item) }
    }

    /// Empties ``distinct``.
    mutating func clearDistinct() {
        for item in listed { distinct.remove(item) }
        listed.removeAll(keepingCapacity: true)
    }

    /// Puts an item into ``distinct``; returns false if it was there.
    @discardableResult
    mutating func insert(_ item: Int32) -> Bool {
        guard !distinct.contains(item) else { return false }
        distinct.insert(item)
        listed.append(item)
        return true
    }
}
