import Kernels
import Synchronization

/// The sets of items of recent filters, shared by all threads.
///
/// The cache is bounded: at most ``limit`` sets of one bit an item. It drops the least recently used set first. The lock
/// is held for a look-up or an insertion only, never while a set is made.
final class FilterCache<Key: Equatable & Sendable>: Sendable {
    private struct Entry {
        let key: Key
        let items: ItemSet
        var lastUse: UInt64
    }

    private struct Memory {
        var entries: [Entry] = []
        var uses: UInt64 = 0
    }

    /// The cache's memory in bytes, unless `fewest` sets need more.
    private static var memoryLimit: Int { 16 << 20 }
    private static var fewest: Int { 4 }
    private static var most: Int { 64 }

    /// The most sets that the cache holds.
    let limit: Int
    private let memory = Mutex(Memory())

    /// An empty cache for a catalogue of some size.
    init(items: Int) {
        limit = min(Self.most, max(Self.fewest, Self.memoryLimit / max(1, items / 8)))
    }

    /// A new cache with some of the sets.
    func copy(where isKept: (Key) -> Bool) -> FilterCache {
        let kept = memory.withLock { memory in memory.entries }.filter { isKept($0.key) }
        let copy = FilterCache(limit: limit)
        copy.memory.withLock { memory in
            memory.entries = kept
            memory.uses = kept.map(\.lastUse).max() ?? 0
        }
        return copy
    }

    private init(limit: Int) { self.limit = limit }

    /// The set of a filter; nil if the cache does not hold it.
    ///
    /// - Complexity: O(``limit``), without an allocation.
    func items(for key: Key) -> ItemSet? {
        memory.withLock { memory in
            guard let place = memory.entries.firstIndex(where: { $0.key == key }) else { return nil }
            memory.uses += 1
            memory.entries[place].lastUse = memory.uses
            return memory.entries[place].items
        }
    }

    /// Whether the cache holds a filter's set.
    func contains(_ key: Key) -> Bool {
        memory.withLock { memory in memory.entries.contains { $0.key == key } }
    }

    /// Keeps the set of a filter.
    func insert(_ items: ItemSet, for key: Key) {
        memory.withLock { memory in
            // Two threads may have made the same set.
            guard !memory.entries.contains(where: { $0.key == key }) else { return }
            memory.uses += 1
            let new = Entry(key: key, items: items, lastUse: memory.uses)
            let oldest = memory.entries.indices.min { memory.entries[$0].lastUse < memory.entries[$1].lastUse }
            if memory.entries.count < limit {
                memory.entries.append(new)
            } else if let oldest {
                memory.entries[oldest] = new
            }
        }
    }
}
