public import Kernels

/// The reusable buffers of one thread's searches, and the results of its last one.
///
/// Works with any index, and grows to what the largest needs. Serves one search at a time.
public final class SearchWorkspace {
    /// What the last search found, best first.
    public internal(set) var results: [Scored] = []

    /// The best so far, exactly scored.
    var best = TopK(k: 0)
    /// Scores of a block of rows.
    var scores: [Float] = []
    /// Rows to score, for scores of rows that do not lie together.
    var rows: [Int32] = []
    /// The items that the search in progress leaves out; empty between searches.
    private(set) var excluded = ItemSet(bound: 0)

    /// An empty workspace.
    public init() {}

    /// Runs a search with `excluded` holding what it must leave out.
    ///
    /// - Complexity: O(number of exclusions), and O(items) the first time; the set keeps room for more items, so that an
    ///   index and one that gained items share it.
    func withExclusions(_ exclusions: [Int32], items: Int, _ body: () -> Void) {
        if excluded.bound < items { excluded = ItemSet(bound: (items + 0xFFFF) / 0x10000 * 0x10000) }
        for item in exclusions { excluded.insert(item) }
        body()
        for item in exclusions { excluded.remove(item) }
    }
}
